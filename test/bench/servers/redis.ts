import type { Certificate } from "../certificate.ts";
import type { Resources } from "../resources.ts";
import { freePort, type Running, startPeer } from "./process.ts";

interface Options {
  readonly certificate: Certificate;
  /** the append-only file, written and synced before each answer */
  readonly durable?: boolean;
}

/** Redis with TLS 1.3 on one port and nothing on a plain one. */
export async function startRedis(
  resources: Resources,
  { certificate, durable = false }: Options,
): Promise<Running & { readonly port: number }> {
  const port = await freePort();
  const settings: Readonly<Record<string, string>> = {
    port: "0",
    "tls-port": String(port),
    bind: "127.0.0.1",
    "tls-cert-file": certificate.certificateFile,
    "tls-key-file": certificate.keyFile,
    "tls-auth-clients": "no",
    "tls-protocols": "TLSv1.3",
    dir: resources.directory(),
    save: "",
    appendonly: durable ? "yes" : "no",
    appendfsync: "always",
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return {
    ...resources.use(await startPeer({ name: "redis-server", command: "redis-server", args }, port)),
    port,
  };
}
