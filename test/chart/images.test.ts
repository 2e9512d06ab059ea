import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { need } from "../kit/need.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const parts = ["server-image", "operator", "directory", "gateway"] as const;
type Part = (typeof parts)[number];

const scratch = mkdtempSync(join(tmpdir(), "atrium-images-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const missing = need("buildah");
const described = missing === undefined ? describe : describe.skip;

beforeAll(() => bundles("dist"));

describe("the bundles", () => {
  test("are the same bytes when they are built again, wherever that is", () => {
    const again = "another/folder/further/down";
    bundles(again);
    const files = readdirSync(join(scratch, "dist"));
    expect(files).toContain("operator.js");
    expect(readdirSync(join(scratch, again))).toEqual(files);
    for (const file of files) {
      expect([file, read(again, file).equals(read("dist", file))]).toEqual([file, true]);
    }
  });

  test.each(parts)("%s brings the licenses of what is in it, and no path of this machine", (part) => {
    const licenses = read("dist", `${part}.licenses.txt`).toString().split("\n");
    expect(licenses.filter((line) => line.startsWith("== "))).toContainEqual(
      expect.stringMatching(/^== pino .* \(MIT\)$/),
    );
    expect(licenses.filter((line) => line.includes("Permission is hereby granted")).length).toBeGreaterThan(5);
    for (const file of [`${part}.js`, `${part}.js.map`])
      expect([file, read("dist", file).includes(root)]).toEqual([file, false]);
  });
});

described("an image", () => {
  test.each(parts)("of %s has the same digest when its files are older, and have other permissions", (part) => {
    const first = digest(part);
    for (const file of readdirSync(join(scratch, "dist"))) {
      utimesSync(join(scratch, "dist", file), 1, 1);
      chmodSync(join(scratch, "dist", file), 0o600);
    }
    expect(digest(part)).toBe(first);
  });

  test.each(parts)("of %s runs Node and nothing else, as nobody, and adds its bundle to the base", (part) => {
    build(part);
    const { OCIv1: image } = JSON.parse(buildah("inspect", "--type", "image", tag(part)));
    expect(image.config.User).toBe("65532:65532");
    expect(image.config.Entrypoint[0]).toBe("node");
    expect(image.config.Entrypoint.at(-1)).toBe("/app/main.js");
    expect(image.created).toBe("1970-01-01T00:00:00Z");
    const added = statSync(join(scratch, "dist", `${part}.js`)).size;
    process.stderr.write(`image of ${part}: ${(added / 1e6).toFixed(2)} MB on top of its base\n`);
    expect(added).toBeLessThan(5_000_000);
  });

  test.each(parts)("of %s starts as its entry point says, and misses its settings", (part) => {
    build(part);
    const { OCIv1: image } = JSON.parse(buildah("inspect", "--type", "image", tag(part)));
    const [, ...args] = image.config.Entrypoint.map((each: string) =>
      each.replace("/app/main.js", join(scratch, "dist", `${part}.js`)).replace("/app", join(scratch, "dist")),
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: "utf8",
      env: {},
      timeout: 20_000,
    });
    expect(status).toBeGreaterThan(0);
    expect(`${stdout}${stderr}`).toMatch(settings[part]);
  });
});

/** What each says when it is told nothing. */
const settings: Readonly<Record<Part, RegExp>> = {
  "server-image": /ATSERVER_ATSIGN is not set/,
  operator: /OPERATOR_ZONE is not set/,
  directory: /DIRECTORY_TLS is not set/,
  gateway: /GATEWAY_ROUTES is not set/,
};

function bundles(folder: string): void {
  const { status, stderr } = spawnSync(process.execPath, ["build.js", "--to", join(scratch, folder)], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(stderr);
}

function read(folder: string, file: string): Buffer {
  return readFileSync(join(scratch, folder, file));
}

function tag(part: Part): string {
  return `localhost/atrium-${part}`;
}

/** On an empty base: what is ours is to be seen. */
function build(part: Part): void {
  const file = join(root, part, "Dockerfile");
  const args = [
    "--isolation",
    "chroot",
    "--timestamp",
    "0",
    "--build-arg",
    "BASE=scratch",
    "-t",
    tag(part),
    "-f",
    file,
  ];
  buildah("bud", "-q", ...args, join(scratch, "dist"));
}

/** Without what was built before. */
function digest(part: Part): string {
  build(part);
  const { FromImageDigest } = JSON.parse(buildah("inspect", "--type", "image", tag(part)));
  buildah("rmi", "--force", tag(part));
  expect(FromImageDigest).toMatch(/^sha256:/);
  return FromImageDigest;
}

function buildah(...args: readonly string[]): string {
  const storage = ["--storage-driver", "vfs", "--root", join(scratch, "storage"), "--runroot", join(scratch, "run")];
  const { status, stdout, stderr, error } = spawnSync("buildah", [...storage, ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status !== 0) throw error ?? new Error(`buildah ${args[0]} failed:\n${stderr}`);
  return stdout;
}
