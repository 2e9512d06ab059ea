/** `npm run soak -- NAME …`: long runs that look for rare losses. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { atServerDriver } from "./atserver-driver.ts";
import { crash } from "./crash.ts";
import type { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import { storeDriver } from "./store-driver.ts";

const help = `npm run soak -- crash [--rounds N] [--seed N] [--store]

crash      kills an atServer that writes, again and again, and compares what it kept with what it had acknowledged
  --rounds N   how many kills (1000)
  --store      the store alone, without the atServer around it: more kills in the same time
  --seed N     repeats the choices of another run; its moments depend on the machine

Ends with 0 when nothing was wrong, with 1 and the data left in place when something was, with 2 on wrong arguments.
`;

class UsageError extends Error {}

interface Options {
  readonly rounds: number;
  readonly seed: number;
  readonly store: boolean;
}

/** @returns undefined when help is wanted */
function readArguments(args: string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  if (positionals.length !== 1 || positionals[0] !== "crash") throw new UsageError("which run? crash");
  return {
    rounds: wholeNumber("--rounds", values.rounds ?? "1000"),
    seed: wholeNumber("--seed", values.seed ?? `${Date.now() % 2 ** 31}`),
    store: values.store ?? false,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        rounds: { type: "string" },
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

async function runCrash({ rounds, seed, store }: Options): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "atrium-soak-"));
  print(`crash: ${rounds} rounds, seed ${seed}, data in ${directory}`);
  const onRound = (round: number, ledger: Ledger): void => {
    if (round % 10 === 0) print(`round ${round}: ${ledger.acknowledged} writes acknowledged`);
  };
  const driver = store ? storeDriver(directory) : atServerDriver(directory);
  const ledger = await crash({ driver, rounds, random: new Random(seed), onRound });
  for (const fault of ledger.faults) print(`FAULT ${fault}`);
  print(`${ledger.acknowledged} writes acknowledged, ${ledger.faults.length} faults`);
  if (ledger.faults.length > 0) return 1;
  rmSync(directory, { recursive: true });
  return 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(args: string[]): Promise<number> {
  try {
    const options = readArguments(args);
    if (options !== undefined) return await runCrash(options);
    process.stdout.write(help);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${help}`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
