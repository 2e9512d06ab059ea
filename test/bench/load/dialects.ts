import { cramDigest } from "@atrium/protocol";
import type { Conversation } from "./conversation.ts";

/** How to speak to one kind of server. */
export interface Dialect {
  /** the last byte of every reply, which no reply has elsewhere at the end of a packet */
  readonly end: string;
  /** the first byte of a good reply to `request` */
  readonly start: string;
  /** brings a new connection to where requests are accepted */
  begin(conversation: Conversation): Promise<void>;
  /** fills in what the requests read, once */
  prepare(conversation: Conversation): Promise<void>;
  /** the next request, as bytes */
  request(): Buffer;
}

type Parameters = Readonly<Record<string, string>>;

/** Few enough to be in every cache, enough not to be one row. */
const keyCount = 1_000;
const value = "v".repeat(100);
/** Entries of the commit log in one reply. */
const syncPage = 25;

export const dialects = {
  redis(parameters: Parameters): Dialect {
    const set = (index: number) => command("SET", `key${index}`, parameters.value ?? value);
    const get = (index: number) => command("GET", `key${index}`);
    const read = parameters.operation === "get";
    return {
      end: "\n",
      start: read ? "$" : "+",
      begin: async () => undefined,
      prepare: (conversation) => each((index) => conversation.ask(set(index)), "+OK"),
      request: inTurn(read ? get : set),
    };
  },

  atserver(parameters: Parameters): Dialect {
    const { atSign = "", secret = "", operation, entries = "0" } = parameters;
    const lastStart = Number(entries) - syncPage;
    const sync = () => Buffer.from(`sync:from:${Math.floor(Math.random() * lastStart) - 1}:limit:${syncPage}\n`);
    const update = (index: number) => Buffer.from(`update:key${index}.bench${atSign} ${value}\n`);
    const llookup = (index: number) => Buffer.from(`llookup:key${index}.bench${atSign}\n`);
    return {
      end: "@",
      start: "d",
      async begin(conversation) {
        await conversation.next();
        const challenge = (await conversation.ask(`from:${atSign}\n`)).replace(/^data:/, "").split("\n")[0] ?? "";
        const answer = await conversation.ask(`cram:${cramDigest(secret, challenge)}\n`);
        if (!answer.startsWith("data:success")) throw new Error(`the login failed: ${answer}`);
      },
      prepare: async (conversation) => {
        if (operation !== "sync") await each((index) => conversation.ask(update(index)), "data:");
      },
      request: inTurn(operation === "update" ? update : operation === "sync" ? sync : llookup),
    };
  },

  /** The names are there already: only an operator may add some. */
  directory(parameters: Parameters): Dialect {
    const names = (parameters.names ?? "").split(",");
    return {
      end: "@",
      start: parameters.start ?? "",
      begin: async (conversation) => void (await conversation.next()),
      prepare: async () => undefined,
      request: inTurn((index) => Buffer.from(`${names[index % names.length]}\n`)),
    };
  },
} as const satisfies Readonly<Record<string, (parameters: Parameters) => Dialect>>;

/** In Redis's protocol, RESP 2. */
function command(...words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
}

/** Serialised once: the load shall cost little beside the server. */
function inTurn(request: (index: number) => Buffer): () => Buffer {
  const requests = Array.from({ length: keyCount }, (_, index) => request(index));
  let turn = Math.floor(Math.random() * keyCount);
  return () => {
    turn = (turn + 1) % keyCount;
    return requests[turn] ?? Buffer.of();
  };
}

async function each(ask: (index: number) => Promise<string>, start: string): Promise<void> {
  for (let index = 0; index < keyCount; index += 1) {
    const reply = await ask(index);
    if (!reply.startsWith(start)) throw new Error(`unexpected reply: ${reply.slice(0, 200)}`);
  }
}
