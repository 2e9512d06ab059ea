import {
  address,
  integer,
  oneOf,
  optionalAddress,
  optionalText,
  readSettings,
  setting,
  text,
} from "@atrium/runtime/config.ts";
import { logLevels } from "@atrium/runtime/log.ts";

export type Config = ReturnType<typeof readConfig>;

/** @throws {SettingsError} */
export function readConfig(environment: Readonly<Record<string, string | undefined>>) {
  return readSettings(settings, environment);
}

const settings = {
  listen: address("DIRECTORY_LISTEN", { fallback: { host: "0.0.0.0", port: 64 } }),
  tls: text("DIRECTORY_TLS"),
  /** directory with certificate.pem and key.pem for clients that ask for one of its names */
  namedTls: optionalText("DIRECTORY_NAMED_TLS"),
  adminListen: address("DIRECTORY_ADMIN_LISTEN", { fallback: { host: "0.0.0.0", port: 8443 } }),
  adminCa: text("DIRECTORY_ADMIN_CA"),
  healthListen: address("DIRECTORY_HEALTH_LISTEN", { fallback: { host: "0.0.0.0", port: 9464 } }),
  logLevel: oneOf("DIRECTORY_LOG_LEVEL", logLevels, { fallback: "info" }),

  registry: setting("DIRECTORY_REGISTRY", parseRegistry),
  redisPasswordFile: optionalText("DIRECTORY_REDIS_PASSWORD_FILE"),
  redisCa: optionalText("DIRECTORY_REDIS_CA"),
  /** prefix of every key; several directories may share a Redis */
  redisPrefix: setting("DIRECTORY_REDIS_PREFIX", parsePrefix, { fallback: "atrium" }),
  redisTimeoutMs: integer("DIRECTORY_REDIS_TIMEOUT_MS", { min: 50, max: 2_500, fallback: 500 }),
  cells: setting("DIRECTORY_CELLS", parseCells),
  maxCachedNames: integer("DIRECTORY_MAX_CACHED_NAMES", { min: 2, max: 10_000_000, fallback: 200_000 }),

  upstream: optionalAddress("DIRECTORY_UPSTREAM"),
  upstreamCa: optionalText("DIRECTORY_UPSTREAM_CA"),
  upstreamTimeoutMs: integer("DIRECTORY_UPSTREAM_TIMEOUT_MS", { min: 100, max: 30_000, fallback: 2_500 }),
  upstreamTtlMs: integer("DIRECTORY_UPSTREAM_TTL_MS", { max: 3_600_000, fallback: 600_000 }),

  maxConnections: integer("DIRECTORY_MAX_CONNECTIONS", { min: 1, fallback: 10_000 }),
  maxConnectionsPerAddress: integer("DIRECTORY_MAX_CONNECTIONS_PER_ADDRESS", { min: 1, fallback: 256 }),
  handshakeTimeoutMs: integer("DIRECTORY_HANDSHAKE_TIMEOUT_MS", { min: 100, max: 120_000, fallback: 10_000 }),
  idleTimeoutMs: integer("DIRECTORY_IDLE_TIMEOUT_MS", { min: 1_000, max: 86_400_000, fallback: 900_000 }),
  drainMs: integer("DIRECTORY_DRAIN_MS", { max: 60_000, fallback: 5_000 }),
  unknownBurst: integer("DIRECTORY_UNKNOWN_BURST", { min: 1, max: 1_000_000, fallback: 20 }),
  unknownPerSecond: integer("DIRECTORY_UNKNOWN_PER_SECOND", { min: 1, max: 1_000_000, fallback: 2 }),
};

function parseRegistry(value: string): URL {
  const url = URL.parse(value);
  const known = url !== null && (value === "memory:" || (/^rediss?:$/.test(url.protocol) && url.hostname !== ""));
  if (!known) throw new Error("must be memory:, redis://HOST:PORT or rediss://HOST:PORT");
  if (url.password !== "") throw new Error("must not have the password, which belongs into a file");
  return url;
}

function parsePrefix(value: string): string {
  if (!/^[a-z0-9._-]{1,64}$/.test(value)) throw new Error("must be 1 to 64 of a-z 0-9 . _ -");
  return value;
}

function parseCells(value: string): readonly string[] {
  const cells = [...new Set(value.split(",").map((cell) => cell.trim()))];
  if (cells.some((cell) => !/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/.test(cell))) {
    throw new Error("must be a comma-separated list of the names of cells");
  }
  return cells;
}
