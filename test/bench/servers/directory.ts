import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Address } from "@atrium/runtime/config.ts";
import type { Certificate, Certificates } from "../certificate.ts";
import type { Resources } from "../resources.ts";
import { bundleOf } from "./bundle.ts";
import { addressOf, type Running, startOurs } from "./process.ts";

export const directoryHost = "at.example.org";
const adminHost = "directory.atrium.internal";

/** The directory with these names in it. */
export async function startDirectory(
  resources: Resources,
  certificates: Certificates,
  names: readonly string[],
  hostOf = (name: string) => `${name}.${directoryHost}`,
): Promise<Running & { readonly port: number }> {
  const certificate = certificates.issue({ dns: [directoryHost, adminHost] });
  const directory = await startOurs({
    name: "directory",
    command: process.execPath,
    args: [bundleOf("directory")],
    env: {
      DIRECTORY_LISTEN: "127.0.0.1:0",
      DIRECTORY_ADMIN_LISTEN: "127.0.0.1:0",
      DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
      DIRECTORY_TLS: certificate.directory,
      DIRECTORY_ADMIN_CA: certificate.caFile,
      DIRECTORY_REGISTRY: "memory:",
      DIRECTORY_CELLS: "bench",
      DIRECTORY_LOG_LEVEL: "warn",
    },
  });
  const running = resources.use(directory);
  const operator = certificates.issue({ dns: ["operator.atrium.internal"], client: true });
  const hosts = names.map((name) => [name, hostOf(name)] as const);
  await register(addressOf(directory.addresses, "admin"), operator, hosts);
  return { ...running, port: addressOf(directory.addresses, "main").port };
}

async function register(
  admin: Address,
  operator: Certificate,
  hosts: readonly (readonly [name: string, host: string])[],
): Promise<void> {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    cert: readFileSync(operator.certificateFile),
    key: readFileSync(operator.keyFile),
    ca: readFileSync(operator.caFile),
    servername: adminHost,
  });
  try {
    for (const [name, host] of hosts) {
      const record = { host, port: 443, claim: `bench-${name}`, generation: 1, held: true };
      const { port } = admin;
      const put = request({ agent, port, host: "127.0.0.1", method: "PUT", path: `/v1/records/${name}` });
      put.setHeader("content-type", "application/json");
      put.end(JSON.stringify(record));
      const [response] = await once(put, "response");
      const text = (await response.toArray()).join("");
      if (response.statusCode !== 200) throw new Error(`the directory refused ${name}: ${response.statusCode} ${text}`);
    }
  } finally {
    agent.destroy();
  }
}
