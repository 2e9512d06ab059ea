/**
 * `npm run bench [-- NAME …]`: what Atrium costs, beside well-known programs that do the same work, in the same run.
 * One JSON line per figure on standard output, then a table; progress on standard error.
 */
import { parseArgs } from "node:util";
import { onPath } from "../kit/install.ts";
import type { Figure } from "./figure.ts";
import { atServerIdleConnection } from "./figures/atserver-idle-connection.ts";
import { directoryLookup } from "./figures/directory-lookup.ts";
import { gatewayConnection } from "./figures/gateway-connection.ts";
import { gatewayGigabyte } from "./figures/gateway-gigabyte.ts";
import { gatewayIdleConnection } from "./figures/gateway-idle-connection.ts";
import { gatewayRoundTrip } from "./figures/gateway-round-trip.ts";
import { idleAtServer } from "./figures/idle-atserver.ts";
import { llookup } from "./figures/llookup.ts";
import { notifyMedian, notifySlow } from "./figures/notify.ts";
import { scan } from "./figures/scan.ts";
import { syncPage } from "./figures/sync-page.ts";
import { update, updateAlone } from "./figures/update.ts";
import { operatorFigures } from "./operator/figures.ts";
import { type Line, lineOf, table } from "./report.ts";
import { Resources } from "./resources.ts";

/** Of every run that names no figure. */
const ordinary: readonly Figure[] = [
  gatewayConnection,
  gatewayRoundTrip,
  gatewayGigabyte,
  gatewayIdleConnection,
  llookup,
  update,
  updateAlone,
  scan,
  syncPage,
  notifyMedian,
  notifySlow,
  directoryLookup,
  idleAtServer,
  atServerIdleConnection,
];

/** Debian packages of the peers, by their programs. */
const peers: Readonly<Record<string, string>> = { HAProxy: "haproxy", Redis: "redis-server" };

const help = `npm run bench [-- [--list] [NAME ...]]

Measures Atrium's servers beside HAProxy and Redis on this machine, and prints one JSON line per figure and a table.
NAME is a figure, or how some begin: "gateway" means all of the gateway's. Without a name: all but "operator", about 5
minutes. "operator" runs an API server with etcd and scheduler and simulated nodes: 10,000 AtSigns take a quarter of an
hour and 8 GB.

  --list             the figures and what was promised for each
  --atsigns N        of "operator": how many AtSigns (10000)
  --namespaces N     in how many namespaces (20)
  --rest SECONDS     how long nothing may be written at rest (120)
  --help             this text

It needs Linux, and the Debian packages haproxy and redis-server; "operator" needs Go at its first run. Durable writes go to a directory under TMPDIR.
A figure that is short of its target is told in the table; the exit code is 1 only when one could not be measured.
`;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** @throws {Error} when a name begins no figure */
function select(names: readonly string[], figures: readonly Figure[]): readonly Figure[] {
  const unknown = names.find((name) => !figures.some((figure) => figure.name.startsWith(name)));
  if (unknown !== undefined) throw new Error(`there is no figure ${unknown}; npm run bench -- --list shows all`);
  return names.length === 0 ? ordinary : figures.filter(({ name }) => names.some((each) => name.startsWith(each)));
}

/** @throws {Error} that says what to install */
function requirePeers(selected: readonly Figure[]): void {
  if (process.platform !== "linux") throw new Error("the benchmarks read /proc and run on Linux only");
  const needed = selected.flatMap(({ peer }) => (peer === undefined ? [] : (peers[peer] ?? [])));
  const missing = [...new Set(needed)].filter((program) => !onPath(program));
  if (missing.length > 0)
    throw new Error(`not installed: ${missing.join(", ")}. Run: apt-get install ${missing.join(" ")}`);
}

/** @returns undefined when it could not be measured; why has been told */
async function measure(figure: Figure): Promise<Line | undefined> {
  say(`${figure.name} …`);
  try {
    await using resources = new Resources();
    const line = lineOf(figure, await figure.measure(resources, (progress) => say(`  ${progress}`)));
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return line;
  } catch (error) {
    say(`${figure.name} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** @throws {Error} when it is no whole number from 1 to 20,000 */
function sizeOf(option: string, text: string): number {
  const size = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(size >= 1 && size <= 20_000)) throw new Error(`${option} must be a whole number from 1 to 20000`);
  return size;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean" },
      list: { type: "boolean" },
      atsigns: { type: "string", default: "10000" },
      namespaces: { type: "string", default: "20" },
      rest: { type: "string", default: "120" },
    },
  });
  const sizes = {
    atSigns: sizeOf("--atsigns", values.atsigns),
    namespaces: sizeOf("--namespaces", values.namespaces),
    restSeconds: sizeOf("--rest", values.rest),
  };
  const figures = [...ordinary, ...operatorFigures(sizes)];
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.list) {
    for (const { name, title, unit, target } of figures) {
      process.stdout.write(`${name.padEnd(25)} ${title}, ${unit}: ${target.of} ${target.bound} ${target.value}\n`);
    }
    return 0;
  }
  const selected = select(positionals, figures);
  requirePeers(selected);
  const lines: Line[] = [];
  for (const figure of selected) {
    const line = await measure(figure);
    if (line !== undefined) lines.push(line);
  }
  if (lines.length > 0) {
    const titles = new Map(figures.map(({ name, title }) => [name, title]));
    process.stdout.write(`\n${table(lines, titles)}\n`);
  }
  return lines.length === selected.length ? 0 : 1;
}

// What was started ends with this process, also when it is interrupted.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

try {
  process.exitCode = await main();
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
