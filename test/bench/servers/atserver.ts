import { pathToFileURL } from "node:url";
import type { Certificates } from "../certificate.ts";
import type { Resources } from "../resources.ts";
import { bundleOf } from "./bundle.ts";
import { addressOf, type Running, startOurs } from "./process.ts";

export const atServer = { atSign: "@alice", host: "alice.at.example.org", secret: "5f".repeat(64) } as const;

interface Options {
  readonly atSign: string;
  readonly host: string;
  /** the directory that it asks; nobody without it */
  readonly directory?: string;
  /** as in ATSERVER_ZONES: where hosts are dialled */
  readonly zones?: string;
  /** a free one without it */
  readonly port?: number;
}

/**
 * How the image starts Node, and the environment it sets.
 * @see docs/decisions/0003-one-file-per-app-and-few-megabytes.md
 */
const nodeOptions = ["--single-threaded", "--max-semi-space-size=1", "--use-openssl-ca", "--expose-gc"] as const;
const allocator = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" } as const;

/** An atServer that is not activated, so that its owner can log in with the secret of {@link atServer}. */
export async function startAtServer(
  resources: Resources,
  certificates: Certificates,
  { atSign, host, directory = "127.0.0.1:9", zones = "", port = 0 }: Options = atServer,
): Promise<Running & { readonly port: number }> {
  const identity = certificates.issue({ dns: [host], client: true, activation: atServer.secret });
  const server = await startOurs({
    name: "atServer",
    command: process.execPath,
    args: ["--disable-warning=ExperimentalWarning", ...nodeOptions, bundleOf("server-image")],
    env: {
      ...allocator,
      ATSERVER_ATSIGN: atSign,
      ATSERVER_HOST: host,
      ATSERVER_PORT: "443",
      ATSERVER_DATA: resources.directory(),
      ATSERVER_EPOCH: String(Date.now()),
      ATSERVER_IDENTITY: pathToFileURL(identity.directory).href,
      ATSERVER_PLATFORM_CA: identity.caFile,
      ATSERVER_DIRECTORY: directory,
      ATSERVER_ZONES: zones,
      ATSERVER_LISTEN: `127.0.0.1:${port}`,
      ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
      ATSERVER_LOG_LEVEL: "warn",
    },
  });
  return { ...resources.use(server), port: addressOf(server.addresses, "main").port };
}
