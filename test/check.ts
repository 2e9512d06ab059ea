/**
 * `npm run check`: everything about the sources that a machine can judge without running them.
 * Each step is a program with an exit code; the last one is the import rules of ARCHITECTURE.md.
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");

/** Which of our packages each package may import. An app (exports nothing) is in nobody's list. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  runtime: [],
  sdk: ["protocol"],
  "server-image": ["protocol", "runtime", "sdk"],
  directory: ["protocol", "runtime"],
  gateway: ["protocol", "runtime"],
  operator: ["protocol", "runtime"],
  test: ["protocol", "runtime", "sdk"],
};

/** Tests of every package may use what starts real parts. */
const kits = ["test/kit", "test/cluster"].map((folder) => resolve(root, folder) + sep);
const isTest = (path: string): boolean => /\.test\.ts$|\/testing\//.test(path);

/** Relative imports that leave their package, and imports of our packages that the table above does not have. */
function importFaults(): string[] {
  const faults: string[] = [];
  for (const [name, allowed] of Object.entries(mayImport)) {
    const home = resolve(root, name);
    for (const file of globSync("**/*.ts", { cwd: home, exclude: ["**/node_modules/**"] })) {
      const path = resolve(home, file);
      for (const [, specifier = ""] of readFileSync(path, "utf8").matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)) {
        if (!mayUse(specifier, { path, home, allowed }))
          faults.push(`${relative(root, path)} must not import ${specifier}`);
      }
    }
  }
  return faults;
}

function mayUse(
  specifier: string,
  { path, home, allowed }: { path: string; home: string; allowed: readonly string[] },
): boolean {
  const ours = /^@atrium\/([^/]+)/.exec(specifier)?.[1];
  if (ours !== undefined) return allowed.includes(ours);
  if (!specifier.startsWith(".")) return true; // Biome knows what the package declares
  const target = resolve(dirname(path), specifier);
  return target.startsWith(home + sep) || (isTest(path) && kits.some((kit) => target.startsWith(kit)));
}

function run(command: string, args: readonly string[]): boolean {
  const { status, error } = spawnSync(resolve(root, "node_modules/.bin", command), args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    // knip and biome are Node programs; they run on the Node that runs this.
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  if (error !== undefined) process.stderr.write(`${command}: ${error.message}\n`);
  return status === 0;
}

const steps: Readonly<Record<string, () => boolean>> = {
  types: () => run("tsc", ["-p", "."]),
  "format and lint": () => run("biome", ["ci", "--colors=off", "--error-on-warnings", "."]),
  "dead code": () => run("knip", ["--no-progress"]),
  imports: () => {
    const faults = importFaults();
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    return faults.length === 0;
  },
};

/** @returns the names of the steps that failed, and of all */
export function check(): { failed: string[]; all: string[] } {
  const failed = Object.entries(steps)
    .filter(([name, step]) => {
      process.stderr.write(`check: ${name} …\n`);
      return !step();
    })
    .map(([name]) => name);
  return { failed, all: Object.keys(steps) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { failed } = check();
  process.stderr.write(failed.length === 0 ? "check: clean\n" : `check: failed: ${failed.join(", ")}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
