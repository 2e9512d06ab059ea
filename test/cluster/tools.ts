import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** kubectl and helm, of one cluster. */
export interface Tools {
  /** files */
  readonly kubeconfig: string;
  readonly kubectlFile: string;
  readonly helmFile: string;
  /** @returns what it wrote. @throws {Error} with what it said when it failed */
  kubectl(...args: readonly string[]): string;
  /** The same, for what takes its time: the process can do other things meanwhile, and be told to end. */
  kubectlWaits(...args: readonly string[]): Promise<string>;
  /** server-side, as one list */
  apply(...objects: readonly object[]): void;
  helm(...args: readonly string[]): string;
}

const runMs = 300_000;

/**
 * @param home for what they keep
 * @param signal ends what waits
 */
export function toolsOf(
  { kubectlFile, helmFile, kubeconfig }: Pick<Tools, "kubeconfig" | "kubectlFile" | "helmFile">,
  home: string,
  signal?: AbortSignal,
): Tools {
  const options = {
    encoding: "utf8",
    timeout: runMs,
    maxBuffer: 64 * 1024 * 1024,
    env: { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig },
  } as const;
  const failed = (args: readonly string[], why: string) => new Error(`${args.slice(0, 3).join(" ")}: ${why.trim()}`);
  const run = (command: string, args: readonly string[], input = "") => {
    const { status, stdout, stderr, error } = spawnSync(command, args, { ...options, input });
    if (status !== 0) throw failed(args, error?.message ?? stderr);
    return stdout;
  };
  return {
    ...{ kubeconfig, kubectlFile, helmFile },
    kubectl: (...args) => run(kubectlFile, args),
    async kubectlWaits(...args) {
      try {
        return (await execute(kubectlFile, args, { ...options, ...(signal && { signal }) })).stdout;
      } catch (cause) {
        const { stderr = "", message } = cause as { stderr?: string; message: string };
        throw failed(args, stderr || message);
      }
    },
    apply(...objects) {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      run(kubectlFile, ["apply", "--server-side", "-f", "-"], JSON.stringify(list));
    },
    helm: (...args) => run(helmFile, args),
  };
}
