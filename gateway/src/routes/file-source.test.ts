import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, test } from "@jest/globals";
import { fileSource } from "./file-source.ts";
import { type Route, RouteTable } from "./table.ts";

/** A file of routes, and a table that is kept like it. */
function open(content?: string) {
  const directory = mkdtempSync(join(tmpdir(), "routes-"));
  const path = join(directory, "routes.json");
  if (content !== undefined) writeFileSync(path, content);
  const table = new RouteTable();
  const source = fileSource({ path, table, log: silent, periodMs: 5 });
  return {
    table,
    source,
    write: (text: string) => writeFileSync(path, text),
    changed: (host: string) => new Promise<void>((resolve) => table.whenChanged(host, resolve)),
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

const route = (host: string, epoch = 1) => ({
  host,
  state: "Serving",
  address: "127.0.0.1",
  port: 6465,
  uid: "u",
  epoch,
});

describe("a file of routes", () => {
  test("is read at once, and again when it changes", async () => {
    await using file = open(
      JSON.stringify([route("A.test"), { host: "b.test", state: "Suspended", uid: "u", epoch: 2 }]),
    );
    expect(file.table.ready).toBe(true);
    expect(file.table.get("a.test")).toEqual({
      host: "a.test",
      state: "Serving",
      upstream: { host: "127.0.0.1", port: 6465 },
      uid: "u",
      epoch: 1,
    } satisfies Route);
    expect(file.table.get("b.test")?.state).toBe("Suspended");
    const changed = file.changed("c.test");
    file.write(JSON.stringify([route("c.test")]));
    await changed;
    expect([file.table.size, file.table.get("c.test")?.epoch]).toEqual([1, 1]);
  });

  test("may come later", async () => {
    await using file = open();
    expect([file.table.ready, file.source.connected]).toEqual([false, false]);
    const changed = file.changed("a.test");
    file.write("[]");
    await changed;
    expect([file.table.ready, file.source.connected]).toEqual([true, true]);
  });

  test.each([
    ["half of it", '[{"host":"b.te'],
    ["no list", "{}"],
    ["a wrong route", '[{"host":"b.test"}]'],
    ["one host twice", JSON.stringify([route("b.test"), route("b.test")])],
  ])("does not count while it is wrong: %s", async (_what, content) => {
    await using file = open(JSON.stringify([route("a.test")]));
    file.write(content);
    await new Promise((resolve) => setTimeout(resolve, 25));
    expect(file.source.connected).toBe(false);
    expect(file.table.get("a.test")).toBeDefined();
    const changed = file.changed("c.test");
    file.write(JSON.stringify([route("c.test")]));
    await changed;
    expect([file.source.connected, file.table.size]).toEqual([true, 1]);
  });
});
