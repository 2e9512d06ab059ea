/** `npm run conformance -- …`: compares a server with the protocol, statement by statement. */
import { GivenError, help, readArguments, UsageError } from "./arguments.ts";
import { givenTarget, type Named } from "./given.ts";
import { startLocalTarget } from "./local.ts";
import { rows } from "./rows/index.ts";
import { type Result, runRows } from "./run.ts";
import type { Given } from "./target.ts";

async function main(args: string[]): Promise<number> {
  try {
    const options = readArguments(args);
    if (options === undefined) {
      print(help);
      return 0;
    }
    const chosen = rows.filter(({ id }) => options.filter?.test(id) ?? true);
    if (options.list) {
      for (const { id, from, differs } of chosen)
        print(`${id}   ${from}${differs === undefined ? "" : "   (differs)"}`);
      return 0;
    }
    const onResult = (result: Result) => {
      if (!options.json) print(lineOf(result));
    };
    if (options.given !== undefined) {
      const target = await usable(options.given);
      return summary(await runRows(chosen, target, { reference: options.reference, onResult }), options.json);
    }
    await using local = await startLocalTarget();
    return summary(await runRows(chosen, local, { reference: options.reference, onResult }), options.json);
  } catch (error) {
    if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${help}\n`);
    else if (error instanceof GivenError) process.stderr.write(`${error.message}\n`);
    else throw error;
    return 2;
  }
}

async function usable(named: Named): Promise<Given> {
  try {
    return await givenTarget(named);
  } catch (cause) {
    throw new GivenError(cause instanceof Error ? cause.message : `${cause}`, { cause });
  }
}

function lineOf({ row, outcome, why, ms }: Result): string {
  const head = `${outcome.padEnd(7)} ${row.id} (${row.from}) ${ms} ms`;
  const reason = outcome === "differs" ? `\n        ${row.differs}` : "";
  return why === undefined ? head : `${head}${reason}\n        ${why}`;
}

function summary(results: readonly Result[], json: boolean): number {
  const count = (outcome: Result["outcome"]) => results.filter((each) => each.outcome === outcome).length;
  if (json) {
    const flat = results.map(({ row: { id, from, differs }, ...result }) => ({ id, from, ...result, differs }));
    print(JSON.stringify(flat, undefined, 1));
  } else {
    const [ok, failed, differs, needs] = (["ok", "FAIL", "differs", "needs"] as const).map(count);
    print(`${results.length} rows: ${ok} ok, ${failed} failed, ${differs} differ on purpose, ${needs} need more`);
  }
  return count("FAIL") > 0 || results.length === 0 ? 1 : 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
