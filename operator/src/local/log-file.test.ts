import { mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { scratch } from "../testing/scratch.ts";
import { openLogFile } from "./log-file.ts";

describe("a log file", () => {
  test("goes on where it was, for its owner only", () => {
    using home = scratch();
    const file = join(home.path, "a.log");
    for (const text of ["one\n", "two\n"]) {
      using log = openLogFile(file);
      log.write(Buffer.from(text));
    }
    expect(readFileSync(file, "utf8")).toBe("one\ntwo\n");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("is bounded, and loses the oldest", () => {
    using home = scratch();
    const file = join(home.path, "a.log");
    using log = openLogFile(file, 1_000);
    for (let line = 0; line < 1_000; line += 1) log.write(`line ${line}\n`);
    expect(statSync(file).size).toBeLessThan(1_100);
    expect(statSync(`${file}.1`).size).toBeLessThan(1_100);
    const kept = readFileSync(`${file}.1`, "utf8") + readFileSync(file, "utf8");
    expect(kept).toMatch(/^line \d+\n(?:line \d+\n)*line 999\n$/);
    expect(kept.split("\n").length).toBeGreaterThan(100);
  });

  test("does not end what writes, when it cannot be written", () => {
    using home = scratch();
    const directory = join(home.path, "log");
    mkdirSync(directory);
    const file = join(directory, "a.log");
    using log = openLogFile(file, 10);
    log.write("more than ten\n");
    rmSync(directory, { recursive: true });
    log.write("lost\n");
    mkdirSync(directory);
    log.write("there again\n");
    expect(readFileSync(file, "utf8")).toBe("there again\n");
    log[Symbol.dispose]();
    log.write("after the end\n");
    expect(readFileSync(file, "utf8")).not.toContain("after the end");
  });
});
