import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Debian packages that the tests need, by the program that shows that they are there. */
const packages: Readonly<Record<string, string>> = {
  "redis-server": "redis-server",
  openssl: "openssl",
  python3: "python3-venv",
};

/** @param program its name, or a path to it */
export function onPath(program: string): boolean {
  if (program.startsWith("/")) return existsSync(program);
  return (process.env.PATH ?? "").split(":").some((directory) => existsSync(`${directory}/${program}`));
}

/**
 * Installs the Debian packages that are missing, where that is possible: as root, with apt, and not forbidden by
 * `ATRIUM_INSTALL=0`. Says so before. What stays missing is found again, and named, by the tests that need it.
 */
export function installPrerequisites(): void {
  installPackages(packages);
}

/** @param packages as {@link installPrerequisites} has them */
export function installPackages(packages: Readonly<Record<string, string>>): void {
  const missing = Object.keys(packages).filter((program) => !onPath(program));
  if (missing.length === 0) return;
  const names = missing.map((program) => packages[program] ?? program);
  if (process.env.ATRIUM_INSTALL === "0" || process.getuid?.() !== 0 || !onPath("apt-get")) {
    process.stderr.write(`Atrium: not installed: ${names.join(", ")}; tests that need them are skipped\n`);
    return;
  }
  process.stderr.write(`Atrium: installing ${names.join(", ")} with apt-get (ATRIUM_INSTALL=0 forbids it) …\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "-q"],
    ["install", "-y", "-q", "--no-install-recommends", ...names],
  ]) {
    const { status } = spawnSync("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"], timeout: 600_000 });
    if (status !== 0) {
      process.stderr.write(`Atrium: apt-get ${args[0]} failed; tests that need ${names.join(", ")} are skipped\n`);
      return;
    }
  }
}
