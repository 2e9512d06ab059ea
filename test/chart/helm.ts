import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binary } from "../cluster/binaries.ts";

/** Anything that the chart renders. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the fields of all kinds there are
  readonly [field: string]: any;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

export const chartDirectory = fileURLToPath(new URL("../../helm/atrium", import.meta.url));
export const releaseNamespace = "atrium-system";
/** The only value that must be given. */
export const leastValues = { zone: "at.example.org" };

const kubernetesVersion = "1.35.4";
const deadlineMs = 60_000;

export type Tool = "helm" | "kubectl";

/** Runs helm or kubectl to its end. @param input what it reads from standard input */
export async function run(tool: Tool, args: readonly string[], input = ""): Promise<Ended> {
  const file = await binary(tool, (progress) => process.stderr.write(`${progress}\n`));
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], timeout: deadlineMs });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output, errors }));
    // What ends without reading everything says why itself.
    child.stdin.on("error", () => {}).end(input);
  });
}

/** @throws {Error} with what it said, when it fails */
export async function runWell(tool: Tool, args: readonly string[], input?: string): Promise<string> {
  const { code, output, errors } = await run(tool, args, input);
  if (code !== 0) throw new Error(`${tool} ${args.join(" ")} ended with ${code}:\n${errors}${output}`);
  return output;
}

/** `helm template` or `helm lint` of the chart without a cluster. */
export function template(values: object, command: "template" | "lint" = "template"): Promise<Ended> {
  const named = command === "template" ? ["atrium"] : [];
  const args = [command, ...named, chartDirectory, "--kube-version", kubernetesVersion, "-n", releaseNamespace];
  return run("helm", [...args, "--values", "-"], JSON.stringify(values));
}

/** The chart's objects, hooks included. */
export async function render(values: object): Promise<readonly KubernetesObject[]> {
  const { code, output, errors } = await template(values);
  if (code !== 0) throw new Error(errors);
  // kubectl reads YAML as the API server will, and here writes it without asking one: each object as a line of JSON.
  const lines = await runWell(
    "kubectl",
    ["annotate", "--local", "-f", "-", "-o", 'jsonpath={@}{"\\n"}', "none-"],
    output,
  );
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
