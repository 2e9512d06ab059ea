import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AtSign } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import type { AtSignResource } from "../at-sign-resource.ts";
import { scratch } from "../testing/scratch.ts";
import { type ManifestMemory, type Manifests, openManifests } from "./manifests.ts";

function manifest(atSign: string, { name = atSign, more = "" } = {}): string {
  return `apiVersion: atrium.dev/v1alpha1\nkind: AtSign\nmetadata: { name: ${name} }\nspec: { atSign: "@${atSign}"${more} }\n`;
}

function memory(): ManifestMemory {
  const texts = new Map<string, string>();
  return {
    all: () => [...texts].map(([file, text]) => ({ file, text })),
    keep: (file, text) => void texts.set(file, text),
    drop: (file) => void texts.delete(file),
  };
}

interface Opened extends Disposable {
  readonly directory: string;
  readonly manifests: Manifests;
  readonly problems: string[];
  /** names and policies, as they are now */
  present(): string[];
  write(file: string, text: string): void;
  remove(file: string): void;
  /** after the next change */
  changed(): Promise<string[]>;
  /** Waits for a line about a file. */
  problem(pattern: RegExp): Promise<void>;
}

function open(
  directory: string,
  options: {
    memory?: ManifestMemory;
    initial?: AtSign[];
    objection?: (resource: AtSignResource) => string | undefined;
    onChange?: () => void;
  } = {},
): Opened {
  const problems: string[] = [];
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resume of waiting.splice(0)) resume();
  };
  const manifests = openManifests({
    directory,
    initial: options.initial ?? [],
    memory: options.memory ?? memory(),
    objection: options.objection ?? (() => undefined),
    onChange() {
      options.onChange?.();
      wake();
    },
    onProblem(line) {
      problems.push(line.replace(`${directory}/`, ""));
      wake();
    },
    graceMs: 40,
    pollMs: 20,
  });
  const next = () => new Promise<void>((resolve) => waiting.push(resolve));
  const present = () => [...manifests.present.values()].map(({ spec }) => `${spec.atSign} ${spec.runPolicy}`).sort();
  return {
    directory,
    manifests,
    problems,
    present,
    write: (file, text) => writeFileSync(join(directory, file), text),
    remove: (file) => rmSync(join(directory, file)),
    async changed() {
      await next();
      return present();
    },
    async problem(pattern) {
      while (!problems.some((line) => pattern.test(line))) await next();
    },
    [Symbol.dispose]: () => manifests[Symbol.dispose](),
  };
}

describe("a directory of manifests", () => {
  test("begins with some, and never again", () => {
    using home = scratch();
    const directory = join(home.path, "atsigns");
    {
      using first = open(directory, { initial: ["@alice", "@💚"] });
      expect(first.present()).toEqual(["@alice Always", "@💚 Always"]);
      expect(readdirSync(directory).sort()).toEqual(["alice.yaml", expect.stringMatching(/^x-[a-z2-7]{26}\.yaml$/)]);
    }
    for (const file of readdirSync(directory)) rmSync(join(directory, file));
    using second = open(directory, { initial: ["@alice"] });
    expect(second.present()).toEqual([]);
  });

  test("tells what comes, changes and goes", async () => {
    using home = scratch();
    using it = open(home.path);
    it.write("a.yaml", manifest("alice"));
    expect(await it.changed()).toEqual(["@alice Always"]);
    it.write("b.yml", manifest("bob"));
    expect(await it.changed()).toEqual(["@alice Always", "@bob Always"]);
    it.write("a.yaml", manifest("alice", { more: ", runPolicy: Suspended" }));
    expect(await it.changed()).toEqual(["@alice Suspended", "@bob Always"]);
    it.remove("a.yaml");
    expect(await it.changed()).toEqual(["@bob Always"]);
    expect(it.problems).toEqual([]);
  });

  test("does not mind what is no manifest", async () => {
    using home = scratch();
    using it = open(home.path);
    for (const file of ["notes.txt", ".hidden.yaml", "alice.yaml.swp", "alice.yaml~"]) it.write(file, "???");
    it.write("a.yaml", manifest("alice"));
    expect(await it.changed()).toEqual(["@alice Always"]);
    expect(it.problems).toEqual([]);
  });

  test("says once what is wrong with a file, and takes up the others", async () => {
    using home = scratch();
    mkdirSync(join(home.path, "directory.yaml"));
    writeFileSync(join(home.path, "a.yaml"), "kind: AtSing");
    writeFileSync(join(home.path, "b.yaml"), manifest("bob"));
    writeFileSync(join(home.path, "huge.yaml"), "x".repeat(70_000));
    using it = open(home.path);
    expect(it.present()).toEqual(["@bob Always"]);
    expect(it.problems).toEqual([
      expect.stringMatching(/^a\.yaml: .*kind/),
      "directory.yaml: is not a file",
      "huge.yaml: has more than 65536 bytes",
    ]);
    it.write("c.yaml", manifest("carol"));
    expect(await it.changed()).toEqual(["@bob Always", "@carol Always"]);
    expect(it.problems).toHaveLength(3);
  });

  test("keeps what a damaged file said", async () => {
    using home = scratch();
    using it = open(home.path);
    it.write("a.yaml", manifest("alice"));
    await it.changed();
    it.write("a.yaml", manifest("alice", { more: ", color: red" }));
    await it.problem(/^a\.yaml: unknown field spec\.color; @alice stays as it was$/);
    it.write("a.yaml", manifest("dave", { name: "alice" }));
    await it.problem(/^a\.yaml: spec\.atSign cannot be changed from @alice: .*; @alice stays as it was$/);
    it.write("a.yaml", manifest("alice", { name: "other" }));
    await it.problem(/^a\.yaml: metadata\.name and namespace cannot be changed from default\/alice; /);
    expect(it.present()).toEqual(["@alice Always"]);
  });

  test("keeps what a file said that was damaged while nobody looked", () => {
    using home = scratch();
    const kept = memory();
    {
      using before = open(home.path, { memory: kept });
      before.write("a.yaml", manifest("alice"));
      before.write("b.yaml", manifest("bob"));
      before.write("c.yaml", manifest("carol"));
      before.manifests.add("@dave"); // looks at once
      expect(before.present()).toHaveLength(4);
    }
    writeFileSync(join(home.path, "a.yaml"), "");
    rmSync(join(home.path, "b.yaml"));
    using after = open(home.path, { memory: kept });
    expect(after.present()).toEqual(["@alice Always", "@carol Always", "@dave Always"]);
    expect(after.problems).toEqual(["a.yaml: is not an AtSign resource; @alice stays as it was"]);
  });

  test("gives an atSign, or a name, to the first who has it, and to the next when that one goes", async () => {
    using home = scratch();
    using it = open(home.path);
    it.write("z.yaml", manifest("alice"));
    await it.changed();
    it.write("a.yaml", manifest("alice", { name: "second" }));
    await it.problem(/^a\.yaml: @alice is already in z\.yaml$/);
    it.write("b.yaml", manifest("bob", { name: "alice" }));
    await it.problem(/^b\.yaml: the AtSign default\/alice is already in z\.yaml$/);
    expect(it.manifests.present.get("@alice")?.metadata.name).toBe("alice");
    it.remove("z.yaml");
    for (let now = it.present(); now.length !== 2; ) now = await it.changed();
    expect(it.present()).toEqual(["@alice Always", "@bob Always"]);
    expect(it.manifests.present.get("@alice")?.metadata.name).toBe("second");
  });

  test("takes up later what somebody objects to now", async () => {
    using home = scratch();
    let objection: string | undefined = "not yet";
    using it = open(home.path, { objection: () => objection });
    it.write("a.yaml", manifest("alice"));
    await it.problem(/^a\.yaml: not yet$/);
    objection = undefined;
    expect(await it.changed()).toEqual(["@alice Always"]);
  });

  test("does not withdraw what an editor moves away and back, or gives another name", async () => {
    using home = scratch();
    using it = open(home.path);
    it.write("a.yaml", manifest("alice"));
    it.write("b.yaml", manifest("bob"));
    while (it.present().length < 2) await it.changed();
    const seen: number[] = [];
    renameSync(join(home.path, "a.yaml"), join(home.path, "renamed.yaml"));
    renameSync(join(home.path, "b.yaml"), join(home.path, "b.yaml~"));
    seen.push((await it.changed()).length);
    it.write("b.yaml", manifest("bob", { more: ", runPolicy: Suspended" }));
    while (!it.present().includes("@bob Suspended")) seen.push((await it.changed()).length);
    expect(Math.min(...seen)).toBe(2);
    it.remove("renamed.yaml");
    expect(await it.changed()).toEqual(["@bob Suspended"]);
  });

  test("withdraws nothing because it cannot be read", async () => {
    using home = scratch();
    const directory = join(home.path, "atsigns");
    using it = open(directory, { initial: ["@alice"] });
    renameSync(directory, join(home.path, "elsewhere"));
    await it.problem(/^manifests are not taken up: .*ENOENT/);
    expect(it.present()).toEqual(["@alice Always"]);
    renameSync(join(home.path, "elsewhere"), directory);
    it.write("b.yaml", manifest("bob"));
    expect(await it.changed()).toEqual(["@alice Always", "@bob Always"]);
  });

  test("tells again what could not be taken up", async () => {
    using home = scratch();
    let faults = 1;
    using it = open(home.path, {
      onChange() {
        if (faults-- > 0) throw new Error("the disk is full");
      },
    });
    await it.problem(/^manifests are not taken up: the disk is full$/);
    it.write("a.yaml", manifest("alice"));
    for (faults = 2; faults >= 0; ) await it.changed();
    expect(it.present()).toEqual(["@alice Always"]);
  });

  test("adds an atSign that none names, and overwrites nothing", () => {
    using home = scratch();
    using it = open(home.path);
    writeFileSync(join(home.path, "alice.yaml"), "mine");
    it.manifests.add("@bob");
    it.manifests.add("@bob");
    it.manifests.add("@alice");
    expect(it.present()).toEqual(["@bob Always"]);
    expect(readFileSync(join(home.path, "alice.yaml"), "utf8")).toBe("mine");
    expect(it.problems.at(-1)).toMatch(/^@alice is not added: alice\.yaml is there already/);
    expect(readdirSync(home.path).sort()).toEqual(["alice.yaml", "bob.yaml"]);
  });
});
