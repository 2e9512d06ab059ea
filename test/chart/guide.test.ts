import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { blocksOf, guideDirectory, pages, scriptOf, textOf } from "./guide.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const blocks = pages().flatMap(blocksOf);
const tests = new Set(blocks.flatMap((block) => block.test ?? []));

describe("the guide", () => {
  test.each(pages())("%s leads to pages, files and headings that exist", (page) => {
    const links = [...textOf(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
    for (const [link, path = "", heading] of links) {
      const file = path === "" ? join(guideDirectory, page) : join(guideDirectory, path);
      expect([link, existsSync(file)]).toEqual([link, true]);
      if (heading !== undefined) expect([link, headings(file)]).toEqual([link, expect.arrayContaining([heading])]);
    }
  });

  test("has commands for every step, to be run on a cluster", () => {
    expect([...tests].sort()).toEqual([
      "certificates",
      "directory",
      "everything",
      "install",
      "own",
      "quickstart",
      "rollback",
      "root",
      "tenants",
      "troubleshooting",
      "uninstall",
      "upgrade",
    ]);
  });

  test.each([...tests])("has commands of %s that a shell understands", (name) => {
    const { status, stderr } = spawnSync("bash", ["-n"], { input: scriptOf(name), encoding: "utf8", timeout: 10_000 });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test("applies files that exist", () => {
    const files = blocks.flatMap(({ commands }) =>
      [...commands.matchAll(/ -f (docs\/\S+)/g)].map(([, file = ""]) => file),
    );
    expect(files).toContain("docs/examples/alice.yaml");
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test("explains every reason of every condition, and none that there is not", () => {
    const source = readFileSync(join(root, "operator/src/tenant/conditions.ts"), "utf8");
    const published = /^const volumeObstacles = .*?^} as const;/ms.exec(source)?.[0].replace(/\/\*.*?\*\//gs, "") ?? "";
    const reasons = new Set([...published.matchAll(/"(\w+)"/g)].map(([, reason]) => reason));
    const rows = textOf("troubleshooting.md").matchAll(/^\| [A-Z][\w, ]+ \| `(\w+)` \|/gm);
    expect([...rows].map(([, reason]) => reason).sort()).toEqual([...reasons].sort());
  });

  test("says of every value that it names one that the chart has", () => {
    const schema = JSON.parse(readFileSync(join(root, "helm/atrium/values.schema.json"), "utf8"));
    const named = pages().flatMap((page) =>
      [
        ...textOf(page).matchAll(
          /(?:--set |`)((?:images|operator|gateway|directory|redis|networkPolicy|serviceMonitor|tracing)\.[A-Za-z.]+)/g,
        ),
      ].map(([, name = ""]) => name),
    );
    expect(named).toContain("gateway.drainSeconds");
    const values = named.filter((name) => !name.endsWith(".internal"));
    expect(values.filter((name) => !isValue(schema, name.split(".")))).toEqual([]);
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

function isValue(schema: Schema, [first, ...rest]: readonly string[]): boolean {
  if (first === undefined) return true;
  const next = schema.properties?.[first];
  return next !== undefined && isValue(next, rest);
}

/** As GitHub names them in links. */
function headings(file: string): readonly string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
