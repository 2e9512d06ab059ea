import { duplexPair } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { askDirectory } from "./directory.ts";

/** Asks a directory that says `greeting`, and `answer` to the first line. */
function ask(greeting: string, answer: string) {
  const [mine, directory] = duplexPair();
  const lines: string[] = [];
  directory.write(greeting);
  directory.on("data", (chunk: Buffer) => {
    lines.push(chunk.toString());
    if (lines.length === 1) directory.write(answer);
  });
  return { lines, result: askDirectory(mine, "@alice", 100, "d.example:64") };
}

describe("the directory", () => {
  test("is asked without @, and thanked", async () => {
    const { lines, result } = ask("@", "alice.at.example.org:443\r\n@");
    expect(await result).toEqual({ host: "alice.at.example.org", port: 443 });
    expect(lines).toEqual(["alice\n", "@exit\n"]);
  });

  test.each([
    ["null\r\n@", { reason: "not_found", message: "the directory at d.example:64 does not know @alice" }],
    ["nothing\r\n@", { reason: "corrupt" }],
    ["a b:1\r\n@", { reason: "corrupt" }],
    ["alice.example:0\r\n@", { reason: "corrupt" }],
    [`${"a".repeat(600)}:1\r\n@`, { reason: "corrupt" }],
    ["", { reason: "timeout", message: "the directory did not answer within 0.1 s" }],
  ])("that answers %j gives no address", async (answer, expected) => {
    await expect(ask("@", answer).result).rejects.toMatchObject(expected);
  });

  test("that is being stopped is worth another try", async () => {
    const refusal = ask("Stop in progress. Can't accept new requests.\n", "").result;
    await expect(refusal).rejects.toMatchObject({ reason: "unreachable" });
  });
});
