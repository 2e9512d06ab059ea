import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onPath } from "../kit/install.ts";

/** One Go module of `go/`: what is built of it, and the names that the result goes by. */
interface Module {
  /** a folder of `go/` with a pinned `go.mod` and `go.sum` */
  readonly folder: string;
  readonly package: string;
  /** the program looks at the name by which it was called; or simply its own name */
  readonly names: readonly string[];
  readonly linkerFlags?: string;
}

/** Debian packages that a cluster is made of, by a file that shows that they are there. */
export const clusterPackages: Readonly<Record<string, string>> = {
  containerd: "containerd",
  runc: "runc",
  buildah: "buildah",
  nft: "nftables",
  conntrack: "conntrack",
  "redis-server": "redis-server",
  "/usr/lib/cni/bridge": "containernetworking-plugins",
  ip: "iproute2",
};

const kubernetesVersion = "1.35.4";

const modules: readonly Module[] = [
  {
    folder: "kubernetes",
    package: ".",
    names: [
      ...["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"],
    ],
    linkerFlags: versionFlags(kubernetesVersion),
  },
  { folder: "helm", package: "helm.sh/helm/v3/cmd/helm", names: ["helm"] },
  { folder: "coredns", package: "github.com/coredns/coredns", names: ["coredns"] },
  { folder: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", names: ["kwok"] },
  { folder: "pause", package: ".", names: ["pause"] },
];

const sources = fileURLToPath(new URL("go/", import.meta.url));
/** On two cores Kubernetes takes five minutes. */
const buildDeadlineMs = 40 * 60_000;

/**
 * The file of a program, which is built when the cache does not have it: `ATRIUM_CACHE`, by default the user's cache
 * directory. What was pinned differently has another place there.
 *
 * @param say is told what takes long
 * @throws {Error} that says what to install, or what the compiler said
 */
export async function binary(name: string, say: (progress: string) => void): Promise<string> {
  const module = modules.find(({ names }) => names.includes(name));
  if (module === undefined) throw new Error(`there is no program ${name}`);
  const directory = join(cacheDirectory(), "bin", `${module.folder}-${pinOf(module)}`);
  if (!existsSync(directory)) await build(module, directory, say);
  return join(directory, name);
}

/**
 * Builds whatever the cache does not have, so that no test has to wait for it.
 *
 * @throws {Error} that says what to install, or what the compiler said
 */
export async function buildAll(say: (progress: string) => void): Promise<void> {
  for (const { names } of modules) for (const name of names.slice(0, 1)) await binary(name, say);
}

/** All of them, one after the other: each build uses all processors. @returns their files by name */
export async function binaries<Name extends string>(
  names: readonly Name[],
  say: (progress: string) => void,
): Promise<Readonly<Record<Name, string>>> {
  const files: Partial<Record<Name, string>> = {};
  for (const name of names) files[name] = await binary(name, say);
  return files as Record<Name, string>;
}

/** For what is made once and used by every run. */
export function cacheDirectory(): string {
  const { ATRIUM_CACHE: chosen, XDG_CACHE_HOME: userCaches = join(homedir(), ".cache") } = process.env;
  return chosen ?? join(userCaches, "atrium");
}

async function build(module: Module, directory: string, say: (progress: string) => void): Promise<void> {
  if (!onPath("go")) {
    throw new Error(
      `Go is not installed, and ${module.names.join(", ")} must be built. See https://go.dev/doc/install`,
    );
  }
  say(`building ${module.names.join(", ")} (once; some minutes) …`);
  const began = performance.now();
  // Under its name only when it is whole, so that an interrupted build, or two at once, leave nothing half done.
  const temporary = `${directory}.${randomUUID()}`;
  mkdirSync(temporary, { recursive: true });
  try {
    const [first = "", ...others] = module.names;
    const flags = ["-trimpath", "-ldflags", `-s -w ${module.linkerFlags ?? ""}`, "-o", join(temporary, first)];
    await go(["build", ...flags, module.package], join(sources, module.folder));
    for (const name of others) symlinkSync(first, join(temporary, name));
    if (!existsSync(directory)) renameSync(temporary, directory);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  say(`built ${module.folder} in ${Math.round((performance.now() - began) / 1000)} s`);
}

function go(args: readonly string[], directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", args, {
      cwd: directory,
      env: { ...process.env, CGO_ENABLED: "0" },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: buildDeadlineMs,
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`go ${args[0]} ended with ${signal ?? code}:\n${said}`)),
    );
  });
}

/** Changes with everything that the result depends on. */
function pinOf({ folder, linkerFlags = "" }: Module): string {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch} ${linkerFlags}`);
  const files = globSync("*", { cwd: join(sources, folder) }).sort();
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(sources, folder, file)));
  return hash.digest("hex").slice(0, 16);
}

function versionFlags(version: string): string {
  const [major, minor] = version.split(".");
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  return Object.entries(values)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(" ");
}
