import { spawnSync } from "node:child_process";

/** kubectl and helm, of one cluster. */
export interface Tools {
  /** files */
  readonly kubeconfig: string;
  readonly kubectlFile: string;
  readonly helmFile: string;
  /** @returns what it wrote. @throws {Error} with what it said when it failed */
  kubectl(...args: readonly string[]): string;
  /** server-side, as one list */
  apply(...objects: readonly object[]): void;
  helm(...args: readonly string[]): string;
}

const runMs = 300_000;

/** @param home for what they keep */
export function toolsOf(
  { kubectlFile, helmFile, kubeconfig }: Pick<Tools, "kubeconfig" | "kubectlFile" | "helmFile">,
  home: string,
): Tools {
  const run = (command: string, args: readonly string[], input = "") => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      input,
      encoding: "utf8",
      timeout: runMs,
      maxBuffer: 64 * 1024 * 1024,
      env: { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig },
    });
    if (status !== 0) throw new Error(`${args.slice(0, 3).join(" ")}: ${(error?.message ?? stderr).trim()}`);
    return stdout;
  };
  return {
    ...{ kubeconfig, kubectlFile, helmFile },
    kubectl: (...args) => run(kubectlFile, args),
    apply(...objects) {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      run(kubectlFile, ["apply", "--server-side", "-f", "-"], JSON.stringify(list));
    },
    helm: (...args) => run(helmFile, args),
  };
}
