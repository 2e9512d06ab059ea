import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "@jest/globals";
import { logOutput } from "./log-output.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A descriptor that takes so many bytes at a time; -1 when it is full, undefined when nobody reads any more. */
function descriptor(takes: (number | undefined)[] = []) {
  const written: string[] = [];
  const write = (_fd: number, bytes: Uint8Array): number => {
    const take = takes.length > 0 ? takes.shift() : bytes.length;
    if (take === undefined) throw Object.assign(new Error("nobody reads"), { code: "EPIPE" });
    if (take < 0) throw Object.assign(new Error("full"), { code: "EAGAIN" });
    written.push(Buffer.from(bytes.subarray(0, take)).toString());
    return Math.min(take, bytes.length);
  };
  return { written, write };
}

describe("a log's output", () => {
  test("writes the lines of one turn together", async () => {
    const { written, write } = descriptor();
    const output = logOutput(1, write);
    output.write("one\n");
    output.write("two\n");
    expect(written).toEqual([]);
    await turn();
    output.write("three\n");
    await turn();
    expect(written).toEqual(["one\ntwo\n", "three\n"]);
  });

  test("goes on where a slow reader made it stop", async () => {
    const { written, write } = descriptor([2, -1, -1]);
    const output = logOutput(1, write);
    output.write("grüße\n");
    output.flush();
    output.flush();
    output.write("more\n");
    output.flush();
    expect(written).toEqual(["gr", "üße\nmore\n"]);
  });

  test("tries again by itself", async () => {
    const { written, write } = descriptor([-1]);
    logOutput(1, write).write("one\n");
    await turn();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toEqual(["one\n"]);
  });

  test("keeps a bounded amount for a reader that stands still", () => {
    const { written, write } = descriptor([-1]);
    const output = logOutput(1, write);
    const line = `${"x".repeat(1_023)}\n`;
    for (let count = 0; count < 2_000; count += 1) output.write(line);
    output.flush();
    output.write(line);
    output.flush();
    expect(written.join("")).toHaveLength(1 << 20);
  });

  test("is silent once its reader is gone", () => {
    const { written, write } = descriptor([undefined]);
    const output = logOutput(1, write);
    output.write("one\n");
    output.flush();
    output.write("two\n");
    output.flush();
    expect(written).toEqual([]);
  });

  test("does not keep a process that nobody reads from its end", async () => {
    const source = `
      import { logger } from ${JSON.stringify(new URL("log.ts", import.meta.url).href)};
      process.stdin.once("data", () => { logger({ name: "test" }).info("last words"); process.exit(7); });
      process.stderr.write("ready");
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", source]);
    await once(child.stderr, "data");
    child.stdout.destroy();
    await once(child.stdout, "close");
    child.stdin.write("go");
    expect(await once(child, "exit")).toEqual([7, null]);
  });

  test("has the last words of a process", async () => {
    const source = `
      import { logger } from ${JSON.stringify(new URL("log.ts", import.meta.url).href)};
      logger({ name: "test" }).info("last words");
      process.exit(7);
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", source]);
    const [words] = await once(child.stdout, "data");
    expect(JSON.parse(words)).toMatchObject({ level: "info", name: "test", msg: "last words" });
  });
});
