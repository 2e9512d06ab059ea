import { readFileSync } from "node:fs";
import { type Address, SettingsError } from "@atrium/runtime/config.ts";
import { serveHealth } from "@atrium/runtime/health.ts";
import { announce, exitCode, terminated } from "@atrium/runtime/lifecycle.ts";
import { type Log, logger } from "@atrium/runtime/log.ts";
import { watchTlsFiles } from "@atrium/runtime/tls-files.ts";
import { serveAdmin } from "./admin/server.ts";
import { type Config, readConfig } from "./config.ts";
import { Lookups } from "./lookups.ts";
import { declareMetrics } from "./metrics.ts";
import { memoryRegistry } from "./registry/memory.ts";
import { redisRegistry } from "./registry/redis.ts";
import type { Registry } from "./registry.ts";
import { type ServerSettings, serve } from "./server.ts";
import { newTally } from "./tally.ts";
import { UnknownNames } from "./unknown-names.ts";
import { openUpstream, type UpstreamSettings } from "./upstream.ts";

const unknownNamesMaxDelayMs = 2_000;
const maxAddresses = 100_000;
const maxUpstreamQuestions = 64;
const maxUpstreamNames = 50_000;

/** @returns the exit code */
async function run(config: Config, log: Log): Promise<number> {
  const ended = terminated();
  const tally = newTally();
  await using tlsFiles = watchTlsFiles({ directory: config.tls, log });
  await using namedTlsFiles =
    config.namedTls === undefined ? undefined : watchTlsFiles({ directory: config.namedTls, log });
  await using registry = openRegistry(config, log);
  const upstream = config.upstream && openUpstream(upstreamSettings(config, config.upstream), log);
  const lookups = new Lookups({ registry, upstream, tally });
  const unknownNames = new UnknownNames({
    burst: config.unknownBurst,
    perSecond: config.unknownPerSecond,
    maxDelayMs: unknownNamesMaxDelayMs,
    maxAddresses,
  });
  let [draining, hasBegun] = [false, false];
  const metrics = declareMetrics({
    tally,
    registry,
    certificateExpiresAtMs: () =>
      Math.min(tlsFiles.current.expiresAtMs, namedTlsFiles?.current.expiresAtMs ?? Number.POSITIVE_INFINITY),
  });
  await using health = await serveHealth({
    listen: config.healthListen,
    live: {},
    // Not whether the registry is whole now: every replica would be taken out at once, with all that they remember.
    ready: { registry: () => (hasBegun ||= registry.complete), draining: () => !draining },
    metrics: () => metrics.metrics(),
  });
  await using admin = await serveAdmin({ listen: config.adminListen, tlsFiles, caFile: config.adminCa, registry, log });
  await using server = await serve({
    settings: serverSettings(config),
    tlsFiles,
    namedTlsFiles,
    lookups,
    unknownNames,
    tally,
    log,
  });
  announce({ main: server.address, admin: admin.address, health: health.address });
  log.info({ main: server.address, admin: admin.address, health: health.address }, "listening");

  const end = await ended;
  draining = true;
  log.info({ end }, "ending");
  return exitCode(end);
}

function openRegistry(config: Config, log: Log): Registry {
  const { registry: url, cells, redisPasswordFile, redisCa } = config;
  if (url.protocol === "memory:") return memoryRegistry({ cells });
  const redis = {
    url,
    password: redisPasswordFile && readFileSync(redisPasswordFile, "utf8").trim(),
    ca: redisCa && readFileSync(redisCa, "utf8"),
    prefix: config.redisPrefix,
    timeoutMs: config.redisTimeoutMs,
  };
  return redisRegistry({ redis, cells, maxRemembered: config.maxCachedNames, log });
}

function upstreamSettings(config: Config, address: Address): UpstreamSettings {
  return {
    address,
    ca: config.upstreamCa === undefined ? undefined : readFileSync(config.upstreamCa, "utf8"),
    deadlineMs: config.upstreamTimeoutMs,
    rememberMs: config.upstreamTtlMs,
    maxRemembered: maxUpstreamNames,
    maxQuestions: maxUpstreamQuestions,
  };
}

function serverSettings(config: Config): ServerSettings {
  return {
    listen: config.listen,
    connections: { total: config.maxConnections, perAddress: config.maxConnectionsPerAddress },
    handshakeTimeoutMs: config.handshakeTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
    drainMs: config.drainMs,
  };
}

/** What cannot be started has one line to say, and the exit code 1. */
async function main(): Promise<number> {
  let log = logger({ name: "directory" });
  try {
    const config = readConfig(process.env);
    log = logger({ name: "directory", level: config.logLevel });
    return await run(config, log);
  } catch (error) {
    const faults = error instanceof SettingsError ? { faults: error.faults } : { error };
    log.fatal(faults, "cannot run");
    return 1;
  }
}

process.exit(await main());
