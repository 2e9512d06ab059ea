import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";

/** How to reach an API server and as whom. */
export interface Credentials {
  getCurrentCluster(): { readonly server: string } | null;
  /** adds what authenticates to the options of a request */
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

interface InCluster {
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT */
  readonly host: string;
  readonly port: string;
  /** where the kubelet keeps `token` and `ca.crt` */
  readonly directory?: string;
  readonly monotonic?: () => number;
}

/** The kubelet replaces a token when a fifth of its life is left: minutes. */
const rereadMs = 10_000;

/** Those of the pod's service account. Token and CA change while it runs, and are read again. */
export function inClusterCredentials({
  host,
  port,
  directory = "/var/run/secrets/kubernetes.io/serviceaccount",
  monotonic = () => performance.now(),
}: InCluster): Credentials {
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const read = async () => {
    const [token, ca] = await Promise.all(["token", "ca.crt"].map((name) => readFile(join(directory, name), "utf8")));
    return { atMs: monotonic(), authorization: `Bearer ${token?.trim()}`, ca };
  };
  let last: ReturnType<typeof read> | undefined;
  let current: Awaited<ReturnType<typeof read>> | undefined;
  return {
    getCurrentCluster: () => ({ server }),
    async applyToHTTPSOptions(options) {
      if (current === undefined || monotonic() - current.atMs >= rereadMs) {
        // One reads, however many ask.
        last ??= read().finally(() => {
          last = undefined;
        });
        current = await last;
      }
      options.ca = current.ca;
      options.headers = { ...options.headers, authorization: current.authorization } as typeof options.headers;
    },
  };
}

/**
 * Those of a kubeconfig, for an operator that runs outside of its cluster.
 *
 * @throws {Error} when it cannot be read, or asks for what is not supported
 */
export function kubeconfigCredentials(file: string): Credentials {
  const config = new KubeConfig();
  config.loadFromFile(file);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${file}: no current context`);
  if (cluster.proxyUrl !== undefined) throw new Error(`${file}: proxy-url is not supported`);
  return config;
}
