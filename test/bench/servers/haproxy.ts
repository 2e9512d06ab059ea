import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "@atrium/runtime/config.ts";
import type { Resources } from "../resources.ts";
import { freePort, type Running, startPeer } from "./process.ts";

/**
 * HAProxy as people put it in front of TLS servers: TCP mode, the SNI looked up in a map file, one thread because ours
 * is one thread, everything else as it comes.
 */
export async function startHaproxy(
  resources: Resources,
  routes: Readonly<Record<string, Address>>,
): Promise<Running & { readonly port: number }> {
  const directory = resources.directory();
  const port = await freePort();
  const entries = Object.entries(routes);
  writeFileSync(join(directory, "sni.map"), entries.map(([host], index) => `${host} server-${index}\n`).join(""));
  writeFileSync(
    join(directory, "haproxy.cfg"),
    `global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 15m
  timeout server 15m
frontend tls
  bind 127.0.0.1:${port} backlog 4096
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend %[req.ssl_sni,lower,map(${join(directory, "sni.map")})]
${entries.map(([, { host, port }], index) => `backend server-${index}\n  server upstream ${host}:${port}`).join("\n")}
`,
  );
  const args = ["-db", "-f", join(directory, "haproxy.cfg")];
  return { ...resources.use(await startPeer({ name: "haproxy", command: "haproxy", args }, port)), port };
}
