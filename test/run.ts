/**
 * `npm test [-- PATTERN …]`: gets what the tests need beyond npm, runs `npm run check` and then every test, and ends with
 * one line, `N passed, N failed, N skipped`. With patterns, only the test files whose paths match, without the check.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { check } from "./check.ts";
import { buildAll, clusterPackages } from "./cluster/binaries.ts";
import { installPackages, installPrerequisites } from "./kit/install.ts";

const root = resolve(fileURLToPath(import.meta.url), "../..");

/** What jest writes with --json, as far as it is read here. */
interface JestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: { name: string; assertionResults: { status: string; fullName: string }[] }[];
}

/**
 * As in jest.config.js, since the argument takes its place. There is one cluster on a machine: its tests run one after the
 * other. They wait for most of their time, so all others run beside them.
 */
const neverTests = ["/node_modules/", "/dist/", "/\\.atrium/"];
const clusterTests = "/test/e2e/(?:cluster/|guide\\.)";

/** @returns a report of each of the two parts; undefined for one that left none */
function runTests(patterns: readonly string[]): Promise<(JestReport | undefined)[]> {
  const without = (pattern: string) => [...neverTests, pattern].map((each) => `--testPathIgnorePatterns=${each}`);
  return Promise.all([
    runJest([...patterns, ...without(clusterTests)]),
    runJest([...patterns, ...without(`^(?!.*${clusterTests})`), "--runInBand"]),
  ]);
}

async function runJest(args: readonly string[]): Promise<JestReport | undefined> {
  const directory = mkdtempSync(join(tmpdir(), "atrium-test-"));
  try {
    const report = join(directory, "report.json");
    const jest = join(root, "node_modules/jest/bin/jest.js");
    const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
    const output = ["--json", `--outputFile=${report}`, "--passWithNoTests"];
    const child = spawn(process.execPath, [...flags, jest, ...output, ...args], {
      cwd: root,
      // jest repeats its report on standard output; people read the reporter's lines on standard error. Two cannot share a terminal.
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.pipe(process.stderr, { end: false });
    await once(child, "close");
    return JSON.parse(readFileSync(report, "utf8"));
  } catch (error) {
    process.stderr.write(`jest left no report: ${error instanceof Error ? error.message : error}\n`);
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function skippedTests(report: JestReport): string[] {
  return report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "pending").map(({ fullName }) => fullName),
  );
}

/** What the tests of a cluster need: five to ten minutes the first time, nothing afterwards. */
async function prepareCluster(): Promise<void> {
  installPackages(clusterPackages);
  try {
    await buildAll((progress) => process.stderr.write(`Atrium: ${progress}\n`));
  } catch (error) {
    process.stderr.write(
      `Atrium: tests that need a cluster will fail: ${error instanceof Error ? error.message : error}\n`,
    );
  }
}

async function main(patterns: readonly string[]): Promise<number> {
  if (patterns.includes("--help")) {
    process.stdout.write(`npm test                 install what is missing, check the sources, run every test
npm test -- PATTERN …    run the test files whose paths match, nothing else
ATRIUM_INSTALL=0         install nothing; what cannot run then is reported as skipped
CI=true                  a skipped test is a failure
`);
    return 0;
  }
  installPrerequisites();
  await prepareCluster();
  const checked = patterns.length === 0 ? check() : { failed: [], all: [] };
  const reports = await runTests(patterns);
  const skipped = reports.flatMap((report) => (report === undefined ? [] : skippedTests(report)));

  for (const step of checked.failed) process.stdout.write(`FAILED npm run check: ${step}\n`);
  for (const name of skipped) process.stdout.write(`SKIPPED ${name}\n`);
  const strict = process.env.CI === "true" && skipped.length > 0;
  if (strict) process.stdout.write("CI=true: every test must run; what is missing is named above\n");

  const sum = (count: (report: JestReport) => number, ifNone: number) =>
    reports.reduce((total, report) => total + (report === undefined ? ifNone : count(report)), 0);
  const passed = sum(({ numPassedTests }) => numPassedTests, 0) + checked.all.length - checked.failed.length;
  const failed =
    sum(({ numFailedTests, numRuntimeErrorTestSuites }) => numFailedTests + numRuntimeErrorTestSuites, 1) +
    checked.failed.length;
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
  return failed > 0 || passed === 0 || strict ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
