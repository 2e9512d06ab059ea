import { relative } from "node:path";
import type { AtSign } from "@atrium/protocol";
import { exitCode, terminated } from "@atrium/runtime/lifecycle.ts";
import { logger } from "@atrium/runtime/log.ts";
import { parseOptions } from "./options.ts";
import { directoryHost, type LocalPlatform, startPlatform } from "./platform.ts";
import { killChildren } from "./process.ts";
import { StartError } from "./start-error.ts";
import type { TenantView } from "./tenants.ts";

const options = parseOptions(process.argv.slice(2));
const log = logger({ name: "operator", level: process.env.ATRIUM_LOG_LEVEL === "debug" ? "debug" : "silent" });

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What can be said of an Atsign in one line. */
function describe({ atSign, host, activated, activationSecret, conditions }: TenantView, port: number): string {
  const ready = conditions.find(({ type }) => type === "Ready");
  const trouble =
    ready !== undefined && !ready.status ? `   ${ready.reason}${ready.message ? `: ${ready.message}` : ""}` : "";
  const activation =
    activationSecret === undefined || activated
      ? "activated"
      : `not activated   npm run at -- activate ${atSign} --secret ${activationSecret}`;
  return `${atSign}   ${host}:${port}   ${activation}${trouble}`;
}

/** Prints a line for each change of an Atsign, once all were told of. */
function reporter(platform: () => LocalPlatform | undefined): () => void {
  const told = new Map<AtSign, string>();
  return () => {
    const now = platform();
    if (now === undefined) return;
    const present = now.view();
    for (const view of present) {
      const line = describe(view, now.gateway.port);
      if (told.get(view.atSign) !== line) print(line);
      told.set(view.atSign, line);
    }
    for (const atSign of told.keys()) {
      if (present.some((view) => view.atSign === atSign)) continue;
      told.delete(atSign);
      print(`${atSign}   withdrawn`);
    }
  };
}

async function run(): Promise<number> {
  const ended = terminated();
  // Also when a second signal ends this process at once: nothing is left running.
  process.once("exit", killChildren);
  let platform: LocalPlatform | undefined;
  let shown: LocalPlatform | undefined;
  const report = reporter(() => shown);
  await using running = await startPlatform(options, { log, onEvent: print, onChange: report });
  platform = running;
  const first = await Promise.race([running.settled, ended]);
  if (first === undefined) {
    const { directory, gateway, caFile } = platform;
    print(
      `Atrium is up      directory ${directoryHost(options)}:${directory.port}   gateway :${gateway.port}   CA ${shorter(caFile)}`,
    );
    shown = platform;
    report();
    print(`For clients of other languages, /etc/hosts needs one line:\n  ${hostsLine(platform)}`);
    if (platform.caIsNew)
      print(`The CA was made anew, since the names changed: clients must read ${shorter(caFile)} again.`);
  }
  const end = await ended;
  shown = undefined;
  print("stopping …");
  return end === "SIGINT" ? 0 : exitCode(end);
}

function hostsLine(platform: LocalPlatform): string {
  const hosts = platform.view().map(({ host }) => host);
  const address = options.listen === "0.0.0.0" ? "127.0.0.1" : options.listen;
  return [address, ...new Set([directoryHost(options), ...options.directoryNames, ...hosts])]
    .filter((name) => name !== "localhost")
    .join(" ");
}

function shorter(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

try {
  process.exitCode = await run();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`Atrium: ${error.message}\n`);
  process.exitCode = 1;
}
