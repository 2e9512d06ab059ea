import { pathToFileURL } from "node:url";
import type { Certificates } from "../certificate.ts";
import type { Resources } from "../resources.ts";
import { bundleOf } from "./bundle.ts";
import { addressOf, type Running, startOurs } from "./process.ts";

export const atServer = { atSign: "@alice", host: "alice.at.example.org", secret: "5f".repeat(64) } as const;

/**
 * How the image starts Node, and the environment it sets.
 * @see docs/decisions/0003-one-file-per-app-and-few-megabytes.md
 */
const nodeOptions = ["--single-threaded", "--max-semi-space-size=1", "--use-openssl-ca", "--expose-gc"] as const;
const allocator = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" } as const;

/** An atServer that is not activated, so that its owner can log in with the secret. */
export async function startAtServer(
  resources: Resources,
  certificates: Certificates,
): Promise<Running & { readonly port: number }> {
  const identity = certificates.issue({ dns: [atServer.host], client: true, activation: atServer.secret });
  const server = await startOurs({
    name: "atServer",
    command: process.execPath,
    args: ["--disable-warning=ExperimentalWarning", ...nodeOptions, bundleOf("server-image")],
    env: {
      ...allocator,
      ATSERVER_ATSIGN: atServer.atSign,
      ATSERVER_HOST: atServer.host,
      ATSERVER_PORT: "443",
      ATSERVER_DATA: resources.directory(),
      ATSERVER_EPOCH: String(Date.now()),
      ATSERVER_IDENTITY: pathToFileURL(identity.directory).href,
      ATSERVER_PLATFORM_CA: identity.caFile,
      // Nobody is asked: nothing here is looked up at another atServer.
      ATSERVER_DIRECTORY: "127.0.0.1:9",
      ATSERVER_LISTEN: "127.0.0.1:0",
      ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
      ATSERVER_LOG_LEVEL: "warn",
    },
  });
  return { ...resources.use(server), port: addressOf(server.addresses, "main").port };
}
