import { duplexPair } from "node:stream";
import { expect, test } from "@jest/globals";
import { Dialogue } from "./dialogue.ts";

test.each([
  ["short", "lookup:a@bob"],
  ["long", `notify:@bob:a@alice:${"v".repeat(300_000)}`],
  ["long, of pairs of units that stand across the pieces", `x${"😀".repeat(100_000)}`],
  ["long, of pairs of units that do not", "😀".repeat(100_000)],
])("a command that is %s arrives whole", async (_what, command) => {
  const [ours, theirs] = duplexPair();
  const dialogue = new Dialogue(ours, "@bob");
  const asked = dialogue.ask(command, 5_000);
  const chunks: Buffer[] = [];
  for await (const chunk of theirs) {
    chunks.push(chunk);
    if (chunk.at(-1) === 0x0a) break;
  }
  expect(Buffer.concat(chunks).toString() === `${command}\n`).toBe(true);
  dialogue.close();
  await expect(asked).rejects.toThrow("closed the connection");
});

test("a long command to one who does not read ends with its deadline, and leaves nothing behind", async () => {
  const [ours] = duplexPair();
  const dialogue = new Dialogue(ours, "@bob");
  await expect(dialogue.ask("v".repeat(1_000_000), 50)).rejects.toThrow("did not answer in 50 ms");
  expect(dialogue.usable).toBe(false);
  expect(ours.listenerCount("drain")).toBe(0);
});
