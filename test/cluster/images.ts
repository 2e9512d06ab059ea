import { spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { binary, cacheDirectory } from "./binaries.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** An image in a file, as `ctr image import` takes it. */
export interface Image {
  /** with a tag that changes with its content */
  readonly name: string;
  /** a docker-archive, not compressed */
  readonly archive: string;
}

/** Parts of the platform by the names of their images. */
const parts = {
  "atrium-atserver": "server-image",
  "atrium-operator": "operator",
  "atrium-directory": "directory",
  "atrium-gateway": "gateway",
} as const;

export type PlatformImages = Readonly<Record<keyof typeof parts | "pause" | "redis", Image>>;

const keptArchives = 3;
/** From the making of an archive to its last use in the same run. */
const inUseMs = 60 * 60_000;

export const registry = "localhost/atrium";

/**
 * All images that a cluster with the platform needs, out of what is on this machine: there is no registry to pull from.
 * Each is made when the cache does not have it for the same content.
 *
 * @param say is told what takes long
 * @throws {Error} that says what failed
 */
export async function platformImages(say: (progress: string) => void): Promise<PlatformImages> {
  const [pause, bundles] = [await binary("pause", say), buildBundles()];
  try {
    const base = baseContext();
    const ofParts = Object.entries(parts).map(([name, part]) => [name, partImage(name, part, { base, bundles, say })]);
    return {
      ...(Object.fromEntries(ofParts) as Record<keyof typeof parts, Image>),
      pause: image("pause", { [pause]: "/pause" }, 'ENTRYPOINT ["/pause"]', say),
      redis: image("redis", { ...withLibraries(program("redis-server")), ...users() }, "USER 65532:65532", say),
    };
  } finally {
    rmSync(bundles, { recursive: true, force: true });
  }
}

/** What `npm run build` makes. @returns its directory */
function buildBundles(): string {
  const directory = mkdtempSync(join(tmpdir(), "atrium-dist-"));
  run(process.execPath, ["build.js", "--to", directory], { cwd: root });
  return directory;
}

/** Node and its libraries: where each file of this machine goes in an image. */
function baseContext(): Record<string, string> {
  return { ...withLibraries(process.execPath, "/usr/bin/node"), ...users() };
}

function partImage(
  name: string,
  part: string,
  { base, bundles, say }: { base: Record<string, string>; bundles: string; say: (progress: string) => void },
): Image {
  const dockerfile = join(root, part, "Dockerfile");
  const files = [dockerfile, ...globSync("{package.json,*.js,*.txt}", { cwd: bundles }).sort()].filter((file) => {
    const of = basename(file);
    return file === dockerfile || of === "package.json" || of.startsWith(`${part}.`) || of.startsWith("tracing");
  });
  const hash = createHash("sha256").update(contentOf(base));
  for (const file of files)
    hash.update(basename(file)).update(readFileSync(file.startsWith("/") ? file : join(bundles, file)));
  return cached(name, hash.digest("hex").slice(0, 12), say, (storage, tag) => {
    const baseTag = "localhost/atrium-base";
    buildContext(storage, baseTag, base, "USER 65532:65532");
    storage.build(["--build-arg", `BASE=${baseTag}`, "-t", tag, "-f", dockerfile, bundles]);
  });
}

function image(
  name: string,
  files: Readonly<Record<string, string>>,
  more: string,
  say: (progress: string) => void,
): Image {
  const version = createHash("sha256").update(contentOf(files)).update(more).digest("hex").slice(0, 12);
  return cached(name, version, say, (storage, tag) => buildContext(storage, tag, files, more));
}

function contentOf(files: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  for (const [file, target] of Object.entries(files)) {
    hash.update(`\0${target}\0`).update(existsSync(file) ? readFileSync(file) : file);
  }
  return hash.digest("hex");
}

interface Storage {
  readonly directory: string;
  /** `buildah bud` with these arguments */
  build(args: readonly string[]): void;
}

function cached(
  name: string,
  version: string,
  say: (progress: string) => void,
  make: (storage: Storage, tag: string) => void,
): Image {
  const tag = `${registry}/${name}:${version}`;
  const archive = join(cacheDirectory(), "images", `${name}-${version}.tar`);
  if (existsSync(archive)) {
    const now = new Date();
    utimesSync(archive, now, now);
    return { name: tag, archive };
  }
  say(`making the image ${name} …`);
  mkdirSync(dirname(archive), { recursive: true });
  const directory = mkdtempSync(join(tmpdir(), "atrium-image-"));
  const buildah = (...args: readonly string[]) => {
    const where = ["--root", join(directory, "storage"), "--runroot", join(directory, "run")];
    run("buildah", ["--storage-driver", "vfs", ...where, ...args]);
  };
  try {
    const build = (args: readonly string[]) =>
      buildah("bud", "-q", "--isolation", "chroot", "--timestamp", "0", ...args);
    make({ directory, build }, tag);
    // Under its name only when it is whole.
    const temporary = `${archive}.${randomUUID()}`;
    buildah("push", "-q", tag, `docker-archive:${temporary}:${tag}`);
    renameSync(temporary, archive);
    removeOlder(name, dirname(archive));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { name: tag, archive };
}

/** Each is some 130 MB; those of the last few sources are worth it, and those that somebody may be about to bring somewhere. */
function removeOlder(name: string, directory: string): void {
  const archives = globSync(`${name}-*.tar`, { cwd: directory }).map((file) => join(directory, file));
  const newestFirst = archives.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const file of newestFirst.slice(keptArchives)) {
    if (Date.now() - statSync(file).mtimeMs > inUseMs) rmSync(file, { force: true });
  }
}

function buildContext(
  { directory, build }: Storage,
  tag: string,
  files: Readonly<Record<string, string>>,
  more: string,
): void {
  const context = join(directory, `context-${basename(tag).replace(/\W/g, "-")}`);
  for (const [file, target] of Object.entries(files)) {
    const path = join(context, "root", target);
    mkdirSync(dirname(path), { recursive: true });
    if (existsSync(file)) {
      copyFileSync(realpathSync(file), path);
      chmodSync(path, statSync(file).mode & 0o111 ? 0o755 : 0o644);
    } else writeFileSync(path, file);
  }
  mkdirSync(join(context, "root/tmp"), { recursive: true });
  chmodSync(join(context, "root/tmp"), 0o1777);
  writeFileSync(join(context, "Dockerfile"), `FROM scratch\nCOPY root/ /\n${more}\n`);
  build(["-t", tag, context]);
}

/** One user that is not root; a key that is no file is the content itself. */
function users(): Record<string, string> {
  return { "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n": "/etc/passwd" };
}

/** A program and the shared libraries that it is linked with, each in its own place. */
function withLibraries(file: string, target = `/usr/bin/${basename(file)}`): Record<string, string> {
  const said = run("ldd", [file]);
  const libraries = [...said.matchAll(/(\/\S+) \(0x/g)].map(([, library = ""]) => library);
  return { [file]: target, ...Object.fromEntries(libraries.map((library) => [library, library])) };
}

/** @throws {Error} that names what is to be installed */
function program(name: string): string {
  for (const directory of (process.env.PATH ?? "").split(":")) {
    const file = join(directory, name);
    if (existsSync(file)) return file;
  }
  throw new Error(`${name} is not installed (Debian: ${name})`);
}

function run(command: string, args: readonly string[], { cwd = root }: { cwd?: string } = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 300_000 });
  if (status === 0) return stdout;
  const what = `${relative("/", command)} ${args.find((arg) => !arg.startsWith("-")) ?? ""}`;
  throw new Error(`${what} failed:\n${(error?.message ?? stderr).slice(-2_000)}`);
}
