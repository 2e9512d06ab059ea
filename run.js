// Runs one of Atrium's TypeScript entry points on the Node version that Atrium is built for, whatever Node the
// machine has (20 or newer): installs what package-lock.json names if it is not there yet, then hands over to the
// Node binary of the dev dependency `node`. Plain JavaScript without dependencies, because nothing is installed yet.
//
//   node run.js ENTRY [ARGUMENT ...]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(fileURLToPath(import.meta.url));
const modules = join(root, "node_modules");
const node = join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");

const args = process.argv.slice(2);

const [entry, ...rest] = args;
if (entry === undefined) fail("usage: node run.js ENTRY [ARGUMENT ...]");

install();
run(entry, rest);

/** Installs once per lock file: the stamp holds the hash of the lock file that node_modules was made from. */
function install() {
  const stamp = join(modules, ".atrium-lock");
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  if (process.env.ATRIUM_INSTALL === "0") {
    fail("node_modules is missing or out of date, and ATRIUM_INSTALL=0 forbids to install it. Run: npm ci");
  }
  process.stderr.write("Atrium: installing node modules (npm ci) …\n");
  // npm hands its own command line on in npm_config_* and npm_* variables; a nested npm must not obey those.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(command|lifecycle|package)/.test(name)),
  );
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    env,
    // Standard output belongs to the command that is about to run.
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (npm.error !== undefined) fail(`npm could not be started: ${npm.error.message}`);
  if (npm.status !== 0) fail("npm ci failed; its messages are above. Is the npm registry reachable?");
  if (!existsSync(node))
    fail("the npm package `node` brought no binary: its install script did not run. Run: npm rebuild node");
  writeFileSync(stamp, lock);
}

/**
 * Starts the entry point and passes every signal on exactly once: the child has a process group of its own, so that a
 * terminal's Ctrl-C reaches it through here only. The channel tells it when this process is gone.
 */
function run(file, parameters) {
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", join(root, file), ...parameters], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    detached: process.platform !== "win32",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`${node} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0);
    if (child.connected) child.disconnect();
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) process.removeAllListeners(name);
  });
}

/** @returns {never} */
function fail(message) {
  process.stderr.write(`Atrium: ${message}\n`);
  process.exit(1);
}
