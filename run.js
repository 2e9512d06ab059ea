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

const [entry, ...rest] = process.argv.slice(2);
if (entry === undefined) fail("usage: node run.js ENTRY [ARGUMENT ...]");
if (Number.parseInt(process.versions.node, 10) < 20) fail(`Node 20 or newer is needed, this is ${process.version}`);

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
  // The Node that runs everything is a dev dependency, which npm leaves out where NODE_ENV is "production".
  const npm = spawnSync("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
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
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  for (const signal of signals)
    process.on(
      signal,
      withoutEcho(() => child.kill(signal)),
    );
  const watch = whenParentsGo(() => child.kill("SIGTERM"));
  child.on("error", (error) => fail(`${node} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0);
    clearInterval(watch);
    if (child.connected) child.disconnect();
    for (const name of signals) process.removeAllListeners(name);
  });
}

/** A terminal's Ctrl-C comes from the terminal and, where npm needs no shell between us, from npm as well. */
function withoutEcho(handle) {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - last > 250) handle();
    last = now;
  };
}

/**
 * npm runs scripts in a shell; most shells do not pass on the signal that ends them, and nobody passes on a kill -9.
 * Started by npm, we end with it.
 */
function whenParentsGo(onGone) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  const grandparent = parentOfShell(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && parentOfShell(parent) === grandparent) return;
    clearInterval(timer);
    onGone();
  }, 500);
  return timer;
}

/** The parent of a process that is a shell; undefined when it is none, or this system cannot tell. */
function parentOfShell(pid) {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return /^(?:sh|dash|bash|zsh|busybox)$/.test(name) ? parent : undefined;
  } catch {
    return undefined; // not Linux
  }
}

/** @returns {never} */
function fail(message) {
  process.stderr.write(`Atrium: ${message}\n`);
  process.exit(1);
}
