import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { maxValueBytes } from "../value.ts";
import { readInput, readSecret } from "./input.ts";

const place = mkdtempSync(join(tmpdir(), "input-"));
const file = join(place, "secret");
writeFileSync(file, "from a file\n");

afterAll(() => rmSync(place, { recursive: true }));

async function* pieces(...parts: (string | Buffer)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

describe("standard input", () => {
  test.each([
    ["x", "x"],
    ["x\n", "x"],
    ["x\n\n", "x\n"],
    ["x\r\n", "x\r"],
    ["", ""],
    [" grüße ", " grüße "],
  ])("%j is %j", async (input, text) => {
    expect(await readInput(pieces(input))).toBe(text);
  });

  test("may come in pieces that cut a letter", async () => {
    const bytes = Buffer.from("ü");
    expect(await readInput(pieces(bytes.subarray(0, 1), bytes.subarray(1)))).toBe("ü");
  });

  test("is refused when it is no text, or without end", async () => {
    await expect(readInput(pieces(Buffer.from([0xff])))).rejects.toMatchObject({
      reason: "invalid",
      message: /not UTF-8/,
    });
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(1 << 20, 65);
    })();
    await expect(readInput(endless)).rejects.toMatchObject({ reason: "invalid", message: /longer than/ });
    expect(await readInput(pieces(Buffer.alloc(maxValueBytes, 65), "\n"))).toHaveLength(maxValueBytes);
  });
});

describe("the secret", () => {
  const nothing = { environment: {}, input: pieces() };

  test("may come in four ways", async () => {
    expect(await readSecret({ ...nothing, secret: " given " })).toBe("given");
    expect(await readSecret({ ...nothing, secretFile: file })).toBe("from a file");
    expect(await readSecret({ ...nothing, secret: "-", input: pieces("piped\n") })).toBe("piped");
    expect(await readSecret({ ...nothing, environment: { ATRIUM_SECRET: "set" } })).toBe("set");
    expect(await readSecret({ ...nothing, environment: { ATRIUM_SECRET: "set" }, secret: "given" })).toBe("given");
  });

  test.each([
    [{}, { reason: "invalid", message: "there is no activation secret" }],
    [{ secret: "" }, { reason: "invalid" }],
    [{ secret: "-" }, { reason: "invalid" }],
    [
      { secret: "a", secretFile: "b" },
      { reason: "invalid", message: /cannot be given both/ },
    ],
    [{ secretFile: join(place, "none") }, { reason: "local", message: /cannot be read \(ENOENT\)/ }],
  ])("cannot come from %j", async (sources, expected) => {
    await expect(readSecret({ environment: {}, input: pieces(), ...sources })).rejects.toMatchObject(expected);
  });
});
