import fc from "fast-check";
import { commands } from "./grammar.ts";
import { mutations } from "./mutations.ts";

/** As whom the connection logs in first. */
export const states = ["anonymous", "owner", "app", "peer"] as const;
export type State = (typeof states)[number];

/** What one connection sends. */
export interface Conversation {
  readonly state: State;
  /** without line ends; none has one inside */
  readonly lines: readonly Buffer[];
  /** one for each line */
  readonly ends: readonly string[];
  /** how many bytes go out at once, in turn; nothing: all */
  readonly chunks: readonly number[];
  /** ends the connection in the middle, without reading what is answered */
  readonly hangsUp: boolean;
}

const newline = 0x0a;
const noise = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
const blank = fc.constantFrom("", " ", "\t", "\u00a0").map((text) => Buffer.from(text));

const line: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 400, arbitrary: fc.tuple(commands, mutations).map(([text, mutate]) => mutate(Buffer.from(text))) },
    { weight: 40, arbitrary: noise },
    { weight: 20, arbitrary: blank },
    { weight: 1, arbitrary: fc.constant(Buffer.from("@exit")) },
  )
  .map((bytes) => (bytes.includes(newline) ? Buffer.from(bytes.filter((byte) => byte !== newline)) : bytes));

const end = fc.oneof({ weight: 8, arbitrary: fc.constant("\n") }, fc.constantFrom("\r\n", "\n\n", "\r\n\r\n", " \n"));

/** @param maxLines of one connection */
export function conversations(state: State, maxLines: number): fc.Arbitrary<Conversation> {
  return fc
    .record({
      said: fc.array(fc.tuple(line, end), { minLength: 1, maxLength: maxLines, size: "max" }),
      chunks: fc.oneof(fc.constant([]), fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 })),
      hangsUp: fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, fc.constant(true)),
    })
    .map(({ said, ...rest }) => ({
      ...rest,
      state,
      lines: said.map(([bytes]) => bytes),
      ends: said.map(([, text]) => text),
    }));
}

/** The bytes in the pieces in which they are sent. */
export function* piecesOf({ lines, ends, chunks }: Conversation): Generator<Buffer> {
  const bytes = Buffer.concat(lines.flatMap((each, index) => [each, Buffer.from(ends[index] ?? "\n")]));
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const size = chunks[turn % chunks.length] ?? bytes.length;
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

/** To be read by people: strings of JSON whose characters are the bytes, long runs of one byte shortened. */
export function show({ state, lines, ends, chunks, hangsUp }: Conversation): string {
  const said = lines.map((each, index) => `  ${shortened(JSON.stringify(`${each.toString("latin1")}${ends[index]}`))}`);
  return [`state ${state}, chunks ${JSON.stringify(chunks)}, hangs up ${hangsUp}, bytes as Latin-1:`, ...said].join(
    "\n",
  );
}

function shortened(text: string): string {
  return text.replace(/(.)\1{39,}/g, (run, [character]) => `<${character} ${run.length} times>`);
}
