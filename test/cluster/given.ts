import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaries } from "./binaries.ts";
import { type InstalledPlatform, installChart, uninstallChart } from "./platform.ts";
import { type Tools, toolsOf } from "./tools.ts";

const programs = ["kubectl", "helm"] as const;
/** The first Kubernetes that the resources and policies of the chart are for. */
const oldest = { major: 1, minor: 31 };

/** What a given cluster has of Atrium, and how it is reached. */
export interface GivenPlatform extends InstalledPlatform {
  /** files */
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly helm: string;
}

/**
 * Installs the platform in a cluster that somebody else has made, or upgrades it there. The cluster must be able to pull the images.
 *
 * @param set `name=value` of the chart
 * @throws {Error} that says what to do
 */
export async function installGiven(
  kubeconfig: string,
  { zone, set, say }: { zone: string; set: readonly string[]; say: (progress: string) => void },
): Promise<GivenPlatform> {
  return await withTools(kubeconfig, say, async (tools) => {
    checkVersion(tools);
    const platform = await installChart(tools, { zone, set, say });
    return { ...platform, kubeconfig, kubectl: tools.kubectlFile, helm: tools.helmFile };
  });
}

/** @throws {Error} that says what to do */
export async function uninstallGiven(kubeconfig: string, say: (progress: string) => void): Promise<void> {
  await withTools(kubeconfig, say, async (tools) => uninstallChart(tools));
}

async function withTools<T>(
  kubeconfig: string,
  say: (progress: string) => void,
  use: (tools: Tools) => Promise<T>,
): Promise<T> {
  try {
    accessSync(kubeconfig, constants.R_OK);
  } catch (cause) {
    throw new Error(`ATRIUM_KUBECONFIG: ${kubeconfig} cannot be read`, { cause });
  }
  const { kubectl: kubectlFile, helm: helmFile } = await binaries(programs, say);
  const home = mkdtempSync(join(tmpdir(), "atrium-given-"));
  try {
    return await use(toolsOf({ kubectlFile, helmFile, kubeconfig }, home));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function checkVersion(tools: Tools): void {
  const { serverVersion } = JSON.parse(askVersion(tools)) as { serverVersion?: { major: string; minor: string } };
  const [major, minor] = [serverVersion?.major ?? "", serverVersion?.minor ?? ""].map((part) =>
    Number.parseInt(part, 10),
  );
  const isNew = Number(major) > oldest.major || (major === oldest.major && Number(minor) >= oldest.minor);
  if (!isNew) {
    throw new Error(
      `the cluster runs Kubernetes ${major}.${minor}; Atrium needs ${oldest.major}.${oldest.minor} or newer`,
    );
  }
}

function askVersion(tools: Tools): string {
  try {
    return tools.kubectl("version", "--output=json", "--request-timeout=10s");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`ATRIUM_KUBECONFIG: the API server of ${tools.kubeconfig} does not answer (${why})`, { cause });
  }
}
