import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { activate } from "../activate.ts";
import { keyFileOf, readKeyFile } from "../atkeys.ts";
import { Client } from "../client.ts";
import { ClientError } from "../errors.ts";
import { inspect } from "../inspect.ts";
import { atSignOf } from "../names.ts";
import { findPlatform, formatAddress } from "../platform.ts";
import { parseDuration } from "./duration.ts";
import { exitCodeOf, failureOf, formatFailure, formatFailureJson, printable } from "./failure.ts";
import { readInput, readSecret } from "./input.ts";
import { Progress } from "./progress.ts";

/** What the command line touches of its process. */
export interface Surroundings {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly currentDirectory: string;
  readonly version: string;
}

interface GlobalOptions {
  readonly platform?: string;
  readonly directory?: string;
  readonly ca?: string;
  readonly keys?: string;
  readonly timeout: number;
  readonly json?: true;
  readonly quiet?: true;
}

/** What a command has at hand. */
interface Context {
  readonly options: GlobalOptions;
  readonly progress: Progress;
  /** a result: the object with --json, else the text */
  result(object: Record<string, unknown>, text: string): void;
  /** something worth knowing that is no result */
  note(text: string): void;
}

const defaultTimeoutMs = 20_000;

const generalHelp = `
Examples:
  at activate @alice --secret-file secret.txt
  at put @alice phone.demo "+1 555 0100"
  at put @alice public:nick.demo Al
  at get @alice phone.demo
  at get @bob public:nick.demo@alice
  at scan @alice '\\.demo@'

Where the platform is: --platform, or --directory with --ca, or ATRIUM_PLATFORM, or ATRIUM_DIRECTORY with
ATRIUM_CA, or .atrium/platform.json in the current directory, which \`npm start\` writes.

Environment:
  ATRIUM_PLATFORM, ATRIUM_DIRECTORY, ATRIUM_CA   as the options of these names
  ATRIUM_SECRET                                  the activation secret
  ATRIUM_PASSPHRASE                              opens a passphrase-protected key file

Output: results on standard output, everything else on standard error. With --json each result is one JSON object
in one line, and a failure is {"error": {"reason", "message", "step", "advice", "code"}} on standard error.

Exit codes:
  0  done
  1  failed: refused by the atServer, damaged data, a file that cannot be written
  2  the command line, a key, a value or the platform file is wrong
  3  not found: no such record, or no such atSign
  4  not accepted: secret, keys or key file
  5  not reached: no connection or no answer in time
  6  not trusted: the server's certificate`;

const keyHelp = `
KEY is NAME.NAMESPACE, for instance phone.demo. Only the owner can read it, and only the owner has the key to
decrypt it. public:NAME.NAMESPACE is for everybody, in clear text.`;

/** Runs `at` once. @returns the exit code */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stdout, stderr } = surroundings;
  // Before the command line is understood, faults in it have to be reported already.
  const given = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length);
  const json = given.includes("--json");
  const quiet = json || given.includes("--quiet");
  using progress = new Progress((line) => quiet || stderr.write(`at: ${line}\n`));
  const context = (options: GlobalOptions): Context => ({
    options,
    progress,
    result: (object, text) => stdout.write(json ? `${JSON.stringify(object)}\n` : text),
    note: (text) => quiet || stderr.write(`${text}\n`),
  });
  try {
    await program(surroundings, context).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = failureOf(error instanceof CommanderError ? usageError(error) : error, progress.step);
    stderr.write(json ? formatFailureJson(failure) : formatFailure(failure));
    return exitCodeOf(failure);
  }
}

function usageError(error: CommanderError): ClientError {
  // The help was shown instead of a command that is missing.
  const missing = error.code === "commander.help";
  const message = missing ? "no command was given" : error.message.replace(/^error: /, "");
  return new ClientError("invalid", message, { advice: "See at --help, or at help COMMAND.", cause: error });
}

function program(surroundings: Surroundings, context: (options: GlobalOptions) => Context): Command {
  const { stdin, stdout, environment, version } = surroundings;
  const at = new Command("at")
    .description("Stores and reads the records of an atSign, on any platform of the Atsign Protocol.")
    .version(version, "--version", "print the version")
    .option("--platform <file>", "the platform file: directory, gateway and CA in one")
    .option("--directory <host:port>", "the directory")
    .option("--ca <file>", "the CA certificates to trust, PEM; the machine's own without it")
    .option("--keys <file>", "the key file; $HOME/.atsign/keys/@NAME_key.atKeys without it")
    .addOption(
      new Option("--timeout <seconds>", "how long each step may take")
        .argParser(seconds)
        .default(defaultTimeoutMs, "20"),
    )
    .option("--json", "print results and failures as JSON")
    .option("--quiet", "print results and failures only")
    .addHelpText("after", generalHelp)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: () => undefined });

  /** A subcommand; its action gets the context, the arguments and the subcommand's own options. */
  const command = <A extends (string | undefined)[], O extends object>(
    usage: string,
    description: string,
    action: (context: Context, args: A, options: O) => Promise<void>,
  ): Command =>
    at
      .command(usage)
      .description(description)
      .action(async (...received: unknown[]) => {
        const self = received.at(-1) as Command;
        const args = received.slice(0, -2) as A;
        await action(context(self.optsWithGlobals<GlobalOptions>()), args, self.opts<O>());
      });

  const platformOf = ({ options }: Context) =>
    findPlatform({ ...options, environment, currentDirectory: surroundings.currentDirectory });

  const connected = async (own: Context, atSignText: string): Promise<Client> => {
    const atSign = atSignOf(atSignText);
    const platform = platformOf(own);
    const file = own.options.keys ?? keyFileOf(atSign, environment.HOME);
    const keys = await readKeyFile(atSign, file, environment.ATRIUM_PASSPHRASE);
    return await Client.open({ atSign, platform, keys, ...reporting(own) });
  };

  command<[string], { secret?: string; secretFile?: string }>(
    "activate <atsign>",
    "takes possession of a new atSign: makes its keys and writes the key file",
    async (own, [name], { secret, secretFile }) => {
      const atSign = atSignOf(name);
      const platform = platformOf(own);
      const file = own.options.keys ?? keyFileOf(atSign, environment.HOME);
      const proof = await readSecret({ secret, secretFile, environment, input: stdin });
      const passphrase = environment.ATRIUM_PASSPHRASE;
      await activate({ atSign, platform, secret: proof, keyFile: file, passphrase, ...reporting(own) });
      own.note(`${atSign} is yours. Its keys are in ${file}: the only copy, keep a backup.`);
      own.result({ atSign, keys: file }, "");
    },
  )
    .option(
      "--secret <secret>",
      "the activation secret; - reads it from standard input. Other users of this machine can see it",
    )
    .option("--secret-file <file>", "the file with the activation secret")
    .addHelpText(
      "after",
      "\nAn activation that was interrupted is taken up again with the key file that is there. Key files are never overwritten.",
    );

  command<[string, string, string], { ttl?: number; ttb?: number }>(
    "put <atsign> <key> <value>",
    "stores a value",
    async (own, [name, key, value], { ttl, ttb }) => {
      const text = value === "-" ? await readInput(stdin) : value;
      await using client = await connected(own, name);
      own.result({ ...(await client.put(key, text, { ttlMs: ttl, ttbMs: ttb })) }, "");
    },
  )
    .addOption(new Option("--ttl <duration>", "forget the record after this time (0: never)").argParser(duration))
    .addOption(new Option("--ttb <duration>", "show the record only after this time").argParser(duration))
    .addHelpText(
      "after",
      `${keyHelp}\nVALUE - reads it from standard input, without its last newline. Durations: 500ms, 30s, 10m, 2h, 7d.`,
    );

  command<[string, string], { unverified?: true }>(
    "get <atsign> <key>",
    "prints a value",
    async (own, [name, key], options) => {
      await using client = await connected(own, name);
      const entry = await client.get(key, options);
      own.result({ ...entry }, `${entry.value ?? ""}\n`);
    },
  )
    .option("--unverified", "a public value also when its signature does not fit")
    .addHelpText("after", `${keyHelp}\nA public record of another atSign: public:NAME.NAMESPACE@OTHER.`);

  command<[string, string | undefined], { hidden?: true }>(
    "scan <atsign> [regex]",
    "prints the keys of all records, or of those that the regular expression finds",
    async (own, [name, regex], { hidden }) => {
      await using client = await connected(own, name);
      for (const key of await client.scan({ regex, showHidden: hidden })) own.result({ key }, `${printable(key)}\n`);
    },
  ).option("--hidden", "also those whose names begin with _");

  command<[string, string], object>(
    "delete <atsign> <key>",
    "deletes a record, if it is there",
    async (own, [name, key]) => {
      await using client = await connected(own, name);
      own.result({ ...(await client.delete(key)) }, "");
    },
  ).addHelpText("after", keyHelp);

  command<[string], object>(
    "info <atsign>",
    "says where the atServer is, whether it answers and whether the atSign is activated",
    async (own, [name]) => {
      const { atSign, address, activated, server } = await inspect({
        atSign: atSignOf(name),
        platform: platformOf(own),
        ...reporting(own),
      });
      const lines = [
        `${atSign}   ${formatAddress(address)}   ${activated ? "activated" : "not activated"}`,
        ...Object.entries(server).map(([member, value]) => printable(`${member}: ${String(value)}`)),
      ];
      own.result({ atSign, address, activated, server }, `${lines.join("\n")}\n`);
    },
  );
  return at;
}

function reporting({ options, progress }: Context) {
  return { timeoutMs: options.timeout, onStep: (step: string) => progress.begin(step) };
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600))
    throw new InvalidArgumentError("It must be a number of seconds from 0.1 to 3600.");
  return value * 1000;
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("It must be a duration like 500ms, 30s, 10m, 2h or 7d.");
  return ms;
}
