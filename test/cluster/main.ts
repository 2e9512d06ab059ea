/** `npm run cluster [-- down]`: a Kubernetes on this machine, or a given one, with the platform in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installPackages } from "../kit/install.ts";
import { clusterPackages } from "./binaries.ts";
import { startCluster } from "./cluster.ts";
import { type GivenPlatform, installGiven, uninstallGiven } from "./given.ts";
import { platformImages } from "./images.ts";
import { holder, isAlive, lockMachine } from "./lock.ts";
import { installPlatform } from "./platform.ts";

const help = `npm run cluster [-- options]     starts a Kubernetes on this machine and installs Atrium in it
npm run cluster -- down          ends it, with all that is in it

  --zone NAME          the domain of the Atsigns' hosts (at.example.org)
  --set NAME=VALUE     a value of the chart, as helm takes it; may be repeated

With ATRIUM_KUBECONFIG=FILE the cluster of that file is used instead: Atrium is installed there, or upgraded, and \`down\` uninstalls it; what
belongs to tenants is left. It must be able to pull the images (--set images.registry=…), and to give Services an address.

Without it, it needs Linux, root and Go; missing Debian packages are installed (ATRIUM_INSTALL=0 forbids it). The first time everything is
built, which takes 5 to 10 minutes; what is built stays in ATRIUM_CACHE, by default the user's cache directory. The cluster runs until
\`down\`, or the machine's end; .atrium/cluster.json says where everything is.
`;

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const folder = join(root, ".atrium");
const platformFile = join(folder, "cluster.json");
const kubeconfig = join(folder, "kubeconfig");
const logFile = join(folder, "cluster.log");
const stopMs = 90_000;

/** What the background process tells the one in the foreground. */
type Message = { readonly progress: string } | { readonly ready: true } | { readonly failed: string };

async function main(args: string[]): Promise<number> {
  const options = {
    zone: { type: "string", default: "at.example.org" },
    set: { type: "string", multiple: true, default: [] as string[] },
    help: { type: "boolean", short: "h" },
  } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (values.help) {
    print(help);
    return 0;
  }
  if (positionals.length > 1 || !["up", "down", "serve", undefined].includes(positionals[0])) {
    throw new TypeError(`there is no ${positionals.join(" ")}`);
  }
  const given = process.env.ATRIUM_KUBECONFIG;
  if (given !== undefined && given !== "") {
    const file = resolve(given);
    return positionals[0] === "down" ? await leaveGiven(file) : await useGiven(file, values);
  }
  if (positionals[0] === "serve") return await serve(values);
  return positionals[0] === "down" ? await down() : await up(values);
}

interface Wishes {
  readonly zone: string;
  readonly set: readonly string[];
}

async function useGiven(file: string, wishes: Wishes): Promise<number> {
  const platform = await installGiven(file, { ...wishes, say: (progress) => print(`${progress}\n`) });
  mkdirSync(folder, { recursive: true });
  writePlatform(platform);
  print(next(platform));
  return 0;
}

async function leaveGiven(file: string): Promise<number> {
  print("uninstalling Atrium …\n");
  await uninstallGiven(file, (progress) => print(`${progress}\n`));
  forget();
  print("AtSigns, their volumes and the definitions are left; docs/guide/uninstall.md says how to remove them too\n");
  return 0;
}

function writePlatform(platform: GivenPlatform): void {
  writeFileSync(platformFile, `${JSON.stringify(platform, undefined, 2)}\n`);
}

async function up({ zone, set }: Wishes): Promise<number> {
  const another = "ATRIUM_KUBECONFIG names another one";
  if (process.platform !== "linux") throw new Error(`a cluster of its own runs on Linux only; ${another}`);
  if (process.getuid?.() !== 0) throw new Error(`a cluster of its own needs root; ${another}`);
  const running = holder();
  if (running !== undefined && isAlive(running.pid)) {
    throw new Error(`a cluster runs already (process ${running.pid}); npm run cluster -- down ends it`);
  }
  installPackages(clusterPackages);
  mkdirSync(folder, { recursive: true });
  const log = openSync(logFile, "a");
  const wishes = ["--zone", zone, ...set.flatMap((each) => ["--set", each])];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "serve", ...wishes], {
    cwd: root,
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  let isInterrupted = false;
  const interrupted = () => {
    isInterrupted = true;
    print("ending …\n");
    child.kill("SIGTERM");
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const failed = await outcome(child);
  if (isInterrupted) {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    print("what was started has ended\n");
    return 130;
  }
  if (failed !== undefined) {
    print(`${failed}\nThe log is in ${logFile}\n`);
    return 1;
  }
  child.disconnect();
  child.unref();
  print(next(JSON.parse(readFileSync(platformFile, "utf8"))));
  return 0;
}

/** @returns undefined once the platform is ready */
function outcome(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.on("message", (message: Message) => {
      if ("progress" in message) print(`${message.progress}\n`);
      else resolve("failed" in message ? message.failed : undefined);
    });
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? code}`));
  });
}

/** In the background: holds the cluster until it is told to end. */
async function serve({ zone, set }: Wishes): Promise<number> {
  const ended = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  const tell = (message: Message) => process.connected && process.send?.(message);
  const interruption = new AbortController();
  /** Each part of the work says that it begins: one that is not wanted any more does not. */
  const say = (progress: string) => {
    interruption.signal.throwIfAborted();
    print(`${new Date().toISOString()} ${progress}\n`);
    tell({ progress });
  };
  let isStarted = false;
  // Builds take minutes: they are ended, and all that has been started so far; the fault that this is to them ends the rest.
  process.on("SIGTERM", () => undefined);
  void ended.then(() => {
    interruption.abort(new Error("interrupted"));
    if (!isStarted) process.kill(-process.pid, "SIGTERM");
  });
  try {
    const images = await platformImages(say);
    say("starting Kubernetes …");
    await using cluster = await startCluster({ images, say, signal: interruption.signal });
    isStarted = true;
    const { kubectlFile: kubectl, helmFile: helm } = cluster;
    const interrupted = ended.then(() => undefined);
    const platform = await Promise.race([installPlatform(cluster, { images, zone, set, say }), interrupted]);
    if (platform === undefined) return 0;
    copyFileSync(cluster.kubeconfig, kubeconfig);
    writePlatform({ ...platform, kubeconfig, kubectl, helm });
    tell({ ready: true });
    await ended;
    print("ending …\n");
    forget();
    return 0;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    print(`${said}\n`);
    tell({ failed: said });
    return 1;
  }
}

async function down(): Promise<number> {
  const running = holder();
  if (running === undefined) {
    print("no cluster runs\n");
    return 0;
  }
  if (!isAlive(running.pid)) {
    const lock = await lockMachine({ ...running, pid: process.pid }, (progress) => print(`${progress}\n`));
    lock[Symbol.dispose]();
  } else {
    const command = readFileSync(`/proc/${running.pid}/cmdline`, "utf8");
    if (!command.includes(fileURLToPath(import.meta.url))) {
      throw new Error(`the cluster of process ${running.pid} was not started by this checkout's npm run cluster`);
    }
    print("ending the cluster …\n");
    process.kill(running.pid, "SIGTERM");
    const deadline = performance.now() + stopMs;
    while (isAlive(running.pid)) {
      if (performance.now() > deadline) throw new Error(`process ${running.pid} does not end; see ${logFile}`);
      await delay(100);
    }
  }
  forget();
  return 0;
}

/** What was true as long as the cluster ran. */
function forget(): void {
  for (const file of [platformFile, kubeconfig]) rmSync(file, { force: true });
}

function next({ zone, directory, gateway, kubeconfig, kubectl }: GivenPlatform): string {
  const names = `alice.${zone} bob.${zone}`;
  const hostLines =
    directory.address === gateway.host
      ? [`${gateway.host} ${directory.host} ${names}`]
      : [`${directory.address} ${directory.host}`, `${gateway.host} ${names}`];
  return `
Atrium runs. Where everything is: ${platformFile}

  export KUBECONFIG=${kubeconfig}
  ${kubectl} apply -f docs/examples/alice.yaml
  ${kubectl} get atsigns -A
  npm run at -- --platform .atrium/cluster.json --help

The directory is ${directory.host}:${directory.port}. Clients of other languages need this in /etc/hosts:
${hostLines.map((line) => `  ${line}`).join("\n")}

npm run cluster -- down ends it.
`;
}

function print(text: string): void {
  process.stdout.write(text);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const wrongUse = error instanceof TypeError;
  process.stderr.write(`${error instanceof Error ? error.message : error}\n${wrongUse ? `\n${help}` : ""}`);
  process.exitCode = wrongUse ? 2 : 1;
}
