import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onPath } from "./install.ts";

/** What some tests need of the machine, and how to see whether it is there: undefined, or what is missing. */
const checks = {
  "redis-server": () => program("redis-server"),
  buildah: () => program("buildah"),
  openssl: () => program("openssl"),
  python3: mayMakePythonEnvironments,
  tmpfs: mayMountTmpfs,
} as const satisfies Readonly<Record<string, () => string | undefined>>;

/**
 * Asks for a prerequisite of a test. When it is missing, the reason is also written to standard error, which
 * `npm test` shows.
 *
 *     const missing = need("tmpfs");
 *     (missing ? test.skip : test)("…", …);
 *
 * @returns undefined when it is available, else the reason why not
 */
export function need(what: keyof typeof checks): string | undefined {
  const reason = checks[what]();
  if (reason !== undefined) process.stderr.write(`SKIPPED ${what}: ${reason}\n`);
  return reason;
}

/** Debian has the module in a package of its own. */
function mayMakePythonEnvironments(): string | undefined {
  const { status } = spawnSync("python3", ["-c", "import ensurepip, venv"], { stdio: "ignore", timeout: 10_000 });
  return status === 0 ? undefined : "python3 with its venv module is not installed (Debian: python3-venv)";
}

function program(name: string): string | undefined {
  return onPath(name) ? undefined : `the program ${name} is not on the PATH`;
}

/** Tries it: root in a container may still not mount. */
function mayMountTmpfs(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can mount";
  const directory = mkdtempSync(join(tmpdir(), "atrium-mount-"));
  try {
    const mounted = mount("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory);
    return mounted ?? mount("umount", directory);
  } finally {
    rmdirSync(directory);
  }
}

/** @returns undefined when the command succeeded, else what it said */
function mount(command: string, ...args: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", timeout: 10_000 });
  if (status === 0) return undefined;
  return error?.message ?? (stderr.trim() || `${command} failed`);
}
