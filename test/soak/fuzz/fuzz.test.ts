import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { type Conversation, states } from "./conversation.ts";
import { fuzz, growth } from "./fuzz.ts";
import { faultOf } from "./transcript.ts";

test("an atServer answers every line, or closes the connection, whatever it is told and by whom", async () => {
  const directory = mkdtempSync(join(tmpdir(), "atrium-fuzz-"));
  const seed = Date.now() % 2 ** 31;
  try {
    const { failure, lines, memory } = await fuzz({ directory, lines: 16_000, seed, states });
    expect({ seed, failure }).toEqual({ seed, failure: undefined });
    expect(lines).toBeGreaterThanOrEqual(16_000);
    // So short a run says little of memory: this is for what keeps all that it is told.
    expect(Math.max(...memory)).toBeLessThan(100 * 1024 * 1024);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 60_000);

function conversation(...lines: string[]): Conversation {
  return {
    state: "anonymous",
    lines: lines.map((line) => Buffer.from(line)),
    ends: lines.map(() => "\n"),
    chunks: [],
    hangsUp: false,
  };
}

const last = "@error:AT0015-Exception: public:mark@alice does not exist in keystore\n@";
const infos = conversation("info", "info");

test.each([
  ["one reply to each line", infos, `data:1\n@data:2\n${last}`, false],
  [
    "blank lines before the first command",
    conversation("", "info", ""),
    `error:AT0003-Exception: invalid command\n@data:1\n${last}`,
    false,
  ],
  ["a close with an error that closes", infos, "data:1\n@error:AT0011-Exception: x\n@", true],
  ["pol without a line", conversation("from:@bob", "pol"), `data:proof:_1@bob:2\n@@bob@${last.slice(1)}`, false],
  ["a monitor", conversation("monitor"), `notification: {"id":"-1"}\n${last.slice(1)}`, false],
  ["an exit", conversation("@exit", "info"), "", true],
])("finds no fault in %s", (_what, said, came, closed) => {
  expect(faultOf({ bytes: Buffer.from(came), closed }, said, "mark")).toBeUndefined();
});

test.each([
  ["a reply too few", infos, `data:1\n@${last.slice(1)}`, false, /^1 replies to 2 lines/],
  ["a reply too many", infos, `data:1\n@data:2\n@data:3\n${last}`, false, /^3 replies to 2 lines/],
  ["silence", infos, "data:1\n@", false, /then nothing/],
  ["a close without a reason", infos, "data:1\n@", true, /without a reason/],
  ["a line that is no reply", infos, `data:1\n@oops\n${last}`, false, /no reply/],
  ["an error that is too long", infos, `data:1\n@error:AT0003-${"x".repeat(200)}\n${last}`, false, /no proper error/],
  ["an error that clients take for data", infos, `data:1\n@error:AT0003-a data:b\n${last}`, false, /no proper error/],
  ["half a character", infos, Buffer.concat([Buffer.from("data:"), Buffer.from([0xe2, 0x0a])]), false, /not UTF-8/],
])("finds a fault in %s", (_what, said, came, closed, fault) => {
  expect(faultOf({ bytes: Buffer.from(came), closed }, said, "mark")).toMatch(fault);
});

test("growth leaves the beginning aside", () => {
  expect(growth([1, 20, 40, 50, 50, 50, 50, 51, 50])).toBe(0);
  expect(growth([1, 20, 40, 50, 51, 52, 60, 61, 62])).toBe(10);
});
