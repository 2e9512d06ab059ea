import { writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { SettingsError } from "@atrium/runtime/config.ts";

import { announce, type End, exitCode, terminated } from "@atrium/runtime/lifecycle.ts";
import { type Log, logger } from "@atrium/runtime/log.ts";
import { AccessCounts } from "./access-counts.ts";
import { repeatActivation } from "./activation.ts";
import { BlockList } from "./block-list.ts";
import { type Config, readConfig } from "./config.ts";
import { Counts } from "./counts.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Enrollments } from "./enrollment/enrollments.ts";
import { Passcodes } from "./enrollment/passcodes.ts";
import { Registrar } from "./enrollment/registrar.ts";
import { sweepExpired } from "./expiry.ts";
import { serveHealth } from "./health.ts";
import type { Identity } from "./identity/identity.ts";
import { openIdentity } from "./identity/open.ts";
import { defaultLimits } from "./limits.ts";
import { lookOut } from "./lookout.ts";
import { relieveMemory } from "./memory-relief.ts";
import { metricsText } from "./metrics.ts";
import { NewestCommits } from "./newest-commits.ts";
import { Notifications } from "./notifications/notifications.ts";
import { BriefRecords } from "./outbound/brief-records.ts";
import { dialer } from "./outbound/dial.ts";
import { DirectoryClient } from "./outbound/directory.ts";
import { PeerKeys } from "./outbound/peer-keys.ts";
import { Peers } from "./outbound/peers.ts";
import { Pool } from "./outbound/pool.ts";
import { plugChainLeak } from "./peer-certificate.ts";
import { refreshDaily } from "./refresh.ts";
import { type AtServer, serve } from "./server.ts";
import { divide } from "./shares.ts";
import { ensureSigningKeys } from "./signing-keys.ts";
import { openDiskStore } from "./store/disk.ts";
import { StaleEpochError } from "./store/store.ts";
import { verbs } from "./verbs/index.ts";
import type { Parts } from "./verbs/verb.ts";

/** How the process ends by itself. A signal has the code that signals have. */
const exitCodes = { Failed: 1, StaleEpoch: 76, IdentityRefused: 77, BadSettings: 78 } as const;

async function run(
  config: Config,
  log: Log,
  ended: Promise<End>,
  stopping: AbortSignal,
): Promise<End | "IdentityRefused"> {
  const monotonic = () => performance.now();
  const now = Date.now;
  const startedMs = monotonic();
  const { atSign, host, limits } = { ...config, limits: { ...defaultLimits, maxLineBytes: config.maxLineBytes } };
  await using store = await openDiskStore({
    directory: config.data,
    epoch: config.epoch,
    log,
    signal: stopping,
  });
  void store.stale.then((error) => {
    // At once: whatever this process would still do, a newer one is doing already.
    log.fatal({ err: error }, "another process has taken over the data");
    reportEnd({ reason: "StaleEpoch", message: error.message });
    process.exit(exitCodes.StaleEpoch);
  });
  using _lookout = lookOut(store);

  if (plugChainLeak() === undefined)
    log.warn("this Node is unknown: connections of other atServers may leave memory behind");
  const counts = new Counts();
  using relief = relieveMemory(() => counts.activity);
  const shares = divide(config.maxHeldBytes, config.maxLineBytes, () => relief.makeRoom());
  let identity: Identity | undefined;
  let server: AtServer | undefined;
  let pool: Pool | undefined;
  const connections = () => ({ inbound: server?.connections ?? 0, outbound: pool?.size ?? 0 });

  const access = new AccessCounts({ owner: atSign, now });
  const blockList = new BlockList({ store, atSign, now });
  let dispatcher: Dispatcher | undefined;

  await using health = await serveHealth({
    listen: config.healthListen,
    live: {
      store: () => {
        store.check();
        return true;
      },
    },
    ready: {
      listening: () => server !== undefined && !stopping.aborted,
      store: () => store.writable,
      certificate: () => identity !== undefined && identity.current.expiresAtMs > now(),
    },
    metrics: metricsText({
      counts,
      store,
      connections,
      verbRuns: () => dispatcher?.runs() ?? [],
      heldBytes: () => shares.takenBytes,
      certificateExpiresAtMs: () => identity?.current.expiresAtMs ?? 0,
    }),
  });

  await using source = await openIdentity(config, log, stopping);
  identity = source;
  await repeatActivation(store, source, log);
  await ensureSigningKeys(store, atSign, now);

  const { platformCa, zones, privateAddresses } = config;
  const { dial, dialKnown } = dialer({ identity: source, platformCa, zones, privateAddresses });
  await using outbound = new Pool({ dial, large: { budget: shares.commands, onLarge: (bytes) => relief.used(bytes) } });
  pool = outbound;
  const directory = new DirectoryClient({ directory: config.directory, dial: dialKnown, log, monotonic });
  await using _sweep = sweepExpired({ store, log, now });

  const proofs = new BriefRecords(monotonic);
  const peerKeys = new PeerKeys({ atSign, store, now });
  const signingKey = () => store.get(`${atSign}:signing_privatekey${atSign}`)?.value ?? "";
  const peers = new Peers({
    directory,
    pool: outbound,
    prover: { atSign, signingKey, proofs },
    onPublicKey: async (peer, payload) => notifications.recordChanged(await peerKeys.told(peer, payload), "update"),
    log,
  });
  const endConnections: Parts["endConnections"] = (test) => server?.endConnections(test);
  await using notifications = new Notifications({
    atSign,
    store,
    peers,
    budgets: shares,
    onLarge: (bytes) => relief.used(bytes),
    endConnections,
    log,
    now,
  });
  const passcodes = new Passcodes({ atSign, store, now });
  const enrollments = new Enrollments({ atSign, store, endConnections, now });
  const registrar = new Registrar({
    atSign,
    store,
    passcodes,
    notifications,
    endConnections,
    log,
    now,
    monotonic,
  });
  await using _refresh = refreshDaily({ atSign, store, peers, peerKeys, notifications, log, now });
  dispatcher = new Dispatcher(verbs, {
    enrollments,
    registrar,
    passcodes,
    peers,
    peerKeys,
    proofs,
    challenges: new BriefRecords(monotonic),
    notifications,
    atSign,
    store,
    identity: source,
    blockList,
    access,
    ownerReplies: shares.owner,
    newestCommits: new NewestCommits(store),
    inbound: () => server?.summary() ?? [],
    connections,
    endConnections,
    log,
    now,
    monotonic,
    startedMs,
  });
  await using listener = await serve({
    listen: config.listen,
    identity: source,
    maxConnections: config.maxConnections,
    atSign,
    store,
    now,
    dispatcher,
    limits,
    inputBudget: shares.commands,
    outputBudgets: shares,
    onLarge: (bytes) => relief.used(bytes),
    onAnswered: () => relief.answered(),
    onWorking: () => relief.working(),
    counts,
    log,
    monotonic,
  });
  server = listener;
  await notifications.resume();
  announce({ main: listener.address, health: health.address });
  log.info({ atSign, host, port: config.port, main: listener.address, health: health.address }, "serving");
  const end = await Promise.race([ended, source.forfeited.then(() => "IdentityRefused" as const)]);
  log.info({ end }, "stopping");
  return end;
}

/** Leaves for whoever started this process why it ended; in a pod that is the container's termination message. */
function reportEnd({ reason, message }: { reason: keyof typeof exitCodes | "Terminated"; message: string }): void {
  const { ATSERVER_EXIT_REPORT: file, ATSERVER_EPOCH: epoch } = process.env;
  if (!file) return;
  const report = { epoch: Number(epoch), reason, message: message.slice(0, 1_000) };
  try {
    writeFileSync(file, `${JSON.stringify(report)}\n`);
  } catch (error) {
    process.stderr.write(`atserver: the exit report cannot be written: ${error}\n`);
  }
}

/** @returns the exit code */
function failed(reason: keyof typeof exitCodes, message: string): number {
  reportEnd({ reason, message });
  return exitCodes[reason];
}

/** @returns the exit code */
function terminatedBy(end: End): number {
  reportEnd({ reason: "Terminated", message: end });
  return exitCode(end);
}

/** @returns the exit code */
async function main(): Promise<number> {
  const ended = terminated();
  const stopping = new AbortController();
  void ended.then(() => stopping.abort());
  let log: Log | undefined;
  try {
    const config = readConfig(process.env);
    log = logger({ name: "atserver", level: config.logLevel });
    const end = await run(config, log, ended, stopping.signal);
    if (end !== "IdentityRefused") return terminatedBy(end);
    return failed(end, "the certificate has ended, and the identity service gives no other");
  } catch (error) {
    // Told to end before it served.
    if (stopping.signal.aborted && (error as Error).name === "AbortError") return terminatedBy(await ended);
    if (error instanceof SettingsError) {
      for (const fault of error.faults) process.stderr.write(`atserver: ${fault}\n`);
      return failed("BadSettings", error.message);
    }
    log?.fatal({ err: error }, "cannot go on");
    return failed(error instanceof StaleEpochError ? "StaleEpoch" : "Failed", String(error));
  }
}

// Not by itself: the channel to a supervisor would keep the process.
process.exit(await main());
