import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
/** Downloads included. */
const installMs = 300_000;

/**
 * The Python of a virtual environment that has what `requirements.txt` pins, and nothing else; made once, in
 * `ATRIUM_CACHE` or the user's cache directory.
 *
 * @throws {Error} when it cannot be made, with what pip said
 */
export function pythonWithSdk(): string {
  const { ATRIUM_CACHE: chosen, XDG_CACHE_HOME: userCaches = join(homedir(), ".cache") } = process.env;
  const version = execFileSync("python3", ["--version"], { encoding: "utf8" });
  const pin = createHash("sha256").update(version).update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const directory = join(chosen ?? join(userCaches, "atrium"), `python-sdk-${pin}`);
  const python = join(directory, "bin", "python");
  // The marker comes last: what was interrupted is made anew.
  const complete = join(directory, "complete");
  if (existsSync(complete)) return python;
  process.stderr.write("Atrium: installing the official Python SDK into a virtual environment (once) …\n");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const run = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], timeout: installMs });
  run("python3", ["-m", "venv", directory]);
  run(python, ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", requirements]);
  const marker = `${complete}.${randomUUID()}`;
  mkdirSync(marker);
  renameSync(marker, complete);
  return python;
}
