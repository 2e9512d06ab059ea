import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "@jest/globals";
import { scratch } from "../testing/scratch.ts";
import { openState } from "./state.ts";

const alice = {
  atSign: "@alice",
  owner: "default/alice",
  epoch: 1_795_413_600_123,
  deletionPolicy: "Retain",
  activationIssued: true,
} as const;

describe("what a platform remembers", () => {
  test("is there at the next start", () => {
    using home = scratch();
    const data = join(home.path, "new", "directory");
    let id: string;
    {
      using first = openState(data);
      id = first.platformId;
      first.save({ ...alice, epoch: 1 });
      first.save(alice);
      first.save({ ...alice, atSign: "@bob" });
      first.remove("@bob");
      first.manifests.keep("a.yaml", "one");
      first.manifests.keep("a.yaml", "two");
      first.manifests.keep("b.yaml", "three");
      first.manifests.drop("b.yaml");
    }
    using second = openState(data);
    expect(second.platformId).toBe(id);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(second.tenants()).toEqual([alice]);
    expect(second.tenant("@alice")).toEqual(alice);
    expect(second.tenant("@bob")).toBeUndefined();
    expect(second.manifests.all()).toEqual([{ file: "a.yaml", text: "two" }]);
  });

  test("belongs to one platform at a time", () => {
    using home = scratch();
    const first = openState(home.path);
    expect(() => openState(home.path)).toThrow(`another Atrium is running on ${home.path}.`);
    first[Symbol.dispose]();
    openState(home.path)[Symbol.dispose]();
  });

  test("is not used when it is damaged, and damage is found at once", () => {
    using home = scratch();
    const file = join(home.path, "state.sqlite");
    {
      using state = openState(home.path);
      for (let number = 0; number < 100; number += 1) state.save({ ...alice, atSign: `@a${number}` });
      for (let number = 0; number < 100; number += 1) state.manifests.keep(`${number}.yaml`, "text".repeat(50));
    }
    const good = readFileSync(file);
    const pages = good.length / 4_096;
    expect(pages).toBeGreaterThan(5);
    for (let page = 0; page < pages; page += 1) {
      // Behind the file's own header: a file without it is not taken for a database at all.
      const start = page === 0 ? 100 : page * 4_096;
      const bad = Buffer.from(good);
      bad.fill(0xaa, start, (page + 1) * 4_096);
      writeFileSync(file, bad);
      expect(() => openState(home.path)).toThrow(`${file} is damaged.`);
    }
    writeFileSync(file, good.subarray(0, 3 * 4_096));
    expect(() => openState(home.path)).toThrow(`${file} is damaged.`);
    // Nothing was left open that would keep the next one out.
    writeFileSync(file, good);
    using state = openState(home.path);
    expect(state.tenants()).toHaveLength(100);
  });

  test("is not touched when it is not ours", () => {
    using home = scratch();
    const file = join(home.path, "state.sqlite");
    const other = new DatabaseSync(file);
    other.exec("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')");
    other.close();
    expect(() => openState(home.path)).toThrow("was written by another version of Atrium");
    const again = new DatabaseSync(file);
    expect(again.prepare("SELECT text FROM notes").all()).toMatchObject([{ text: "mine" }]);
    again.close();
    writeFileSync(file, "x".repeat(4_096));
    expect(() => openState(home.path)).toThrow(/cannot be used: .*not a database/);
    expect(readdirSync(home.path)).toEqual(["state.sqlite"]);
  });
});
