/** `npm run soak -- NAME …`: long runs that look for rare losses. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { modelRun } from "../model/model-run.ts";
import { crashRun } from "./crash/crash-run.ts";
import { fuzzRun } from "./fuzz/fuzz-run.ts";
import { notifyRun } from "./notify/notify-run.ts";
import type { Run, RunOptions } from "./run.ts";

const runs: Readonly<Record<string, Run>> = { crash: crashRun, fuzz: fuzzRun, model: modelRun, notify: notifyRun };

const help = `npm run soak -- NAME [--seed N] …

${Object.entries(runs)
  .map(([name, { help }]) => `${name.padEnd(9)}${help}`)
  .join("\n\n")}

--seed N   repeats the choices of another run; its moments depend on the machine

Ends with 0 when nothing was wrong, with 1 and the data left in place when something was, with 2 on wrong arguments.
`;

class UsageError extends Error {}

interface Wanted {
  readonly name: string;
  readonly run: Run;
  readonly options: Omit<RunOptions, "directory">;
}

/** @returns undefined when help is wanted */
function readArguments(args: string[]): Wanted | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [name = "", ...more] = positionals;
  const run = Object.hasOwn(runs, name) ? runs[name] : undefined;
  if (run === undefined || more.length > 0) throw new UsageError(`which run? ${Object.keys(runs).join(", ")}`);
  const { count, flag } = run;
  const { help: _help, seed, ...others } = values;
  for (const given of Object.keys(others)) {
    if (given !== count.option && given !== flag) throw new UsageError(`${name} has no --${given}`);
  }
  const options = {
    count: wholeNumber(`--${count.option}`, values[count.option] ?? String(count.usual)),
    seed: wholeNumber("--seed", seed ?? `${Date.now() % 2 ** 31}`),
    flag: flag !== undefined && values[flag] === true,
    print,
  };
  return { name, run, options };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        rounds: { type: "string" },
        lines: { type: "string" },
        seconds: { type: "string" },
        seed: { type: "string" },
        store: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new UsageError(`${name} is a whole number, not "${text}"`);
  return Number(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function start({ name, run, options }: Wanted): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "atrium-soak-"));
  print(`${name}: ${options.count} ${run.count.option}, seed ${options.seed}, data in ${directory}`);
  const faults = await run.start({ ...options, directory });
  for (const fault of faults) print(`FAULT ${fault}`);
  print(`${faults.length} faults`);
  if (faults.length > 0) return 1;
  rmSync(directory, { recursive: true });
  return 0;
}

async function main(args: string[]): Promise<number> {
  try {
    const wanted = readArguments(args);
    if (wanted !== undefined) return await start(wanted);
    process.stdout.write(help);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${help}`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
