import { relative } from "node:path";
import { exitCode, terminated } from "@atrium/runtime/lifecycle.ts";
import { type Options, parseOptions } from "./options.ts";
import { type LocalPlatform, startPlatform } from "./platform.ts";
import { killChildren } from "./process.ts";
import { Report } from "./report.ts";
import { StartError } from "./start-error.ts";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Who reads the lines may stop doing so (`npm start | head`); the platform goes on.
process.stdout.on("error", () => undefined);

async function run(options: Options): Promise<number> {
  const ended = terminated();
  // Also when a second signal ends this process at once: nothing is left running.
  process.once("exit", killChildren);
  let report: (() => void) | undefined;
  await using platform = await startPlatform(options, { onEvent: print, onChange: () => report?.() });
  const comesFirst = await Promise.race([platform.settled.then(() => "settled" as const), ended]);
  if (comesFirst === "settled") {
    const { directory, gateway, caFile } = platform;
    print(
      `Atrium is up      directory ${directory.host}:${directory.port}   gateway :${gateway.port}   CA ${shorter(caFile)}`,
    );
    const lines = new Report(gateway.port);
    report = () => lines.lines(platform.view()).forEach(print);
    report();
    for (const line of advice(options, platform)) print(line);
  }
  const end = await ended;
  report = undefined;
  print("stopping …");
  // Ctrl-C is how it is meant to end.
  return end === "SIGINT" ? 0 : exitCode(end);
}

/** What to know besides the addresses. */
function advice(options: Options, { directory, caFile, caIsNew, view }: LocalPlatform): string[] {
  const hosts = view().map(({ host }) => host);
  const address = options.listen === "0.0.0.0" || options.listen === "::" ? "127.0.0.1" : options.listen;
  const names = [...new Set([directory.host, ...options.directoryNames, ...hosts])].filter(
    (name) => name !== "localhost",
  );
  return [
    ...(hosts.length === 0
      ? [`There is no Atsign: drop a manifest into ${shorter(options.data)}/atsigns, or start with --atsign @name.`]
      : []),
    ...(caIsNew ? [`The CA was made anew, since the names changed: clients must read ${shorter(caFile)} again.`] : []),
    ...(names.length === 0
      ? []
      : [`Clients of other languages need one line in /etc/hosts:\n  ${address} ${names.join(" ")}`]),
  ];
}

function shorter(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

try {
  process.exitCode = await run(parseOptions(process.argv.slice(2)));
} catch (error) {
  // A system call that failed says what and where; everything else is a fault of ours, and needs its stack.
  const isPlain = error instanceof StartError || (error instanceof Error && "syscall" in error);
  if (!isPlain) throw error;
  process.stderr.write(`Atrium: ${error.message}\n`);
  process.exitCode = 1;
}
