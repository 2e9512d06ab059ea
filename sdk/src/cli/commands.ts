import { type Command, InvalidArgumentError, Option } from "commander";
import { activate } from "../activate.ts";
import { inspect } from "../inspect.ts";
import { atSignOf, isOfProtocol } from "../names.ts";
import { formatAddress } from "../platform.ts";
import { duration } from "./duration.ts";
import { addEnrollDecisions, addEnrollList, addEnrollRequest, addOtp } from "./enrollment-commands.ts";
import { printable } from "./failure.ts";
import { readInput, readSecret } from "./input.ts";
import type { Session } from "./session.ts";

/** Adds a command; its action gets the arguments, with undefined for one that is left out, and the command's own options. */
export type Register = <A extends (string | undefined)[], O extends object>(
  usage: string,
  description: string,
  action: (session: Session, args: A, options: O) => Promise<void>,
) => Command;

/** All commands of `at`, in the order of its help. */
export const commands: readonly ((register: Register) => void)[] = [
  addActivate,
  addPut,
  addGet,
  addScan,
  addDelete,
  addNotify,
  addMonitor,
  addOtp,
  addEnrollRequest,
  addEnrollList,
  addEnrollDecisions,
  addInfo,
];

const keyHelp = `
KEY is NAME.NAMESPACE, for instance phone.demo: encrypted, only its owner can read it.
@OTHER:NAME.NAMESPACE is shared: encrypted, the owner and @OTHER can read it.
public:NAME.NAMESPACE is for everybody, in clear text.`;

function addActivate(register: Register): void {
  register<[string], { secret?: string; secretFile?: string }>(
    "activate <atsign>",
    "takes possession of a new atSign: makes its keys and writes the key file",
    async (session, [name], { secret, secretFile }) => {
      const atSign = atSignOf(name);
      const keyFile = session.keyFileOf(atSign);
      const { stdin: input, environment, passphrase } = session;
      const options = session.connecting(atSign);
      const proof = await readSecret({ secret, secretFile, environment, input });
      await activate({ ...options, secret: proof, keyFile, passphrase });
      session.note(`${atSign} is yours. Its keys are in ${keyFile}: the only copy, keep a backup.`);
      session.result({ atSign, keys: keyFile });
    },
  )
    .option(
      "--secret <secret>",
      "the activation secret; - reads it from standard input. An argument can be seen by other users of this machine",
    )
    .option("--secret-file <file>", "the file with the activation secret")
    .addHelpText(
      "after",
      `
An activation that was interrupted is taken up again with the key file that it wrote. Key files are never overwritten.`,
    );
}

function addPut(register: Register): void {
  register<[string, string, string], { ttl?: number; ttb?: number }>(
    "put <atsign> <key> <value>",
    "stores a value",
    async (session, [name, key, value], { ttl, ttb }) => {
      const text = value === "-" ? await readInput(session.stdin) : value;
      await using client = await session.client(atSignOf(name));
      session.result(await client.put(key, text, { ttlMs: ttl, ttbMs: ttb }));
    },
  )
    .addOption(new Option("--ttl <duration>", "forget the record after this time (0: never)").argParser(duration))
    .addOption(new Option("--ttb <duration>", "show the record only after this time").argParser(duration))
    .addHelpText(
      "after",
      `${keyHelp}
VALUE - reads it from standard input, without its last newline. Durations: 500ms, 30s, 10m, 2h, 7d.`,
    );
}

function addGet(register: Register): void {
  register<[string, string], { unverified?: true }>(
    "get <atsign> <key>",
    "prints a value",
    async (session, [name, key], options) => {
      await using client = await session.client(atSignOf(name));
      const entry = await client.get(key, options);
      session.result(entry, `${entry.value ?? ""}\n`);
    },
  )
    .option("--unverified", "a public value also when its signature does not fit")
    .addHelpText(
      "after",
      `${keyHelp}\nWhat @OTHER shares with the atSign: NAME.NAMESPACE@OTHER; what is public: public:NAME.NAMESPACE@OTHER.`,
    );
}

function addScan(register: Register): void {
  register<[string, string | undefined], { all?: true }>(
    "scan <atsign> [regex]",
    "prints the keys of all records, or of those in which a regular expression finds something",
    async (session, [name, regex], { all }) => {
      await using client = await session.client(atSignOf(name));
      for (const key of await client.scan({ regex, showHidden: all })) {
        if (all || !isOfProtocol(key)) session.result({ key }, `${printable(key)}\n`);
      }
    },
  ).option("--all", "also the protocol's own records (publickey, shared_key …) and those whose names begin with _");
}

function addDelete(register: Register): void {
  register<[string, string], object>(
    "delete <atsign> <key>",
    "deletes a record, if it is there",
    async (session, [name, key]) => {
      await using client = await session.client(atSignOf(name));
      session.result(await client.delete(key));
    },
  ).addHelpText("after", keyHelp);
}

function addNotify(register: Register): void {
  register<[string, string, string], { ttl?: number; wait: number }>(
    "notify <atsign> <key> <value>",
    "tells another atSign something, and waits for its delivery",
    async (session, [name, key, value], { ttl, wait }) => {
      const text = value === "-" ? await readInput(session.stdin) : value;
      await using client = await session.client(atSignOf(name));
      const sent = await client.notify(key, text, { ttlMs: ttl });
      const status = await client.delivery(sent.id, { waitMs: wait });
      session.result({ ...sent, status }, `${status}   ${sent.id}\n`);
    },
  )
    .addOption(
      new Option("--ttl <duration>", "forget it when it could not be delivered in this time").argParser(duration),
    )
    .addOption(
      new Option("--wait <duration>", "how long to wait for the delivery").argParser(duration).default(10_000, "10s"),
    )
    .addHelpText(
      "after",
      `
KEY is @OTHER:NAME.NAMESPACE; the value is encrypted for @OTHER. Nothing is stored but on the way.
It goes on being delivered after the wait: queued and errored mean not yet. VALUE - reads it from standard input.`,
    );
}

function addMonitor(register: Register): void {
  register<[string, string | undefined], { since?: number; count?: number }>(
    "monitor <atsign> [regex]",
    "prints notifications as they arrive, until Ctrl-C",
    async (session, [name, regex], { since, count = Number.POSITIVE_INFINITY }) => {
      await using client = await session.client(atSignOf(name));
      const { interrupted: signal } = session;
      const after = since === undefined ? undefined : Date.now() - since;
      const onLost = () => session.note("at: the connection was lost; connecting again");
      let left = count;
      for await (const notification of client.monitor({ regex, after, signal, onLost, selfNotifications: true })) {
        const { time, from, key, value, operation } = notification;
        const line = [new Date(time).toISOString(), from, operation, key, value ?? ""].join("   ");
        session.result(notification, `${printable(line)}\n`);
        if (--left === 0) break;
      }
    },
  )
    .addOption(new Option("--since <duration>", "first those that arrived within this time").argParser(duration))
    .addOption(new Option("--count <number>", "end after so many").argParser(positive))
    .addHelpText("after", "\nThe regular expression looks at the key and at the sender's name.");
}

function addInfo(register: Register): void {
  register<[string], object>(
    "info <atsign>",
    "says where the atServer is, whether it answers and whether the atSign is activated; needs no keys",
    async (session, [name]) => {
      const inspection = await inspect(session.connecting(atSignOf(name)));
      const { atSign, address, activated, server } = inspection;
      const lines = [
        `${atSign}   ${formatAddress(address)}   ${activated ? "activated" : "not activated"}`,
        ...Object.entries(server).map(([member, value]) => printable(`${member}: ${String(value)}`)),
      ];
      session.result(inspection, `${lines.join("\n")}\n`);
    },
  );
}

function positive(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("It must be a whole number above 0.");
}
