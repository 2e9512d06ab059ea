import { setTimeout as delay } from "node:timers/promises";
import { type Fault, FaultProxy } from "../../kit/fault-proxy.ts";
import { type AtServerClient, dataOf } from "../atserver-client.ts";
import type { AtServerProcess } from "../atserver-process.ts";
import { MonitorLog } from "../monitor.ts";
import { Network } from "../network.ts";
import { Random } from "../random.ts";

export interface NotifyOptions {
  readonly directory: string;
  /** how long to send */
  readonly seconds: number;
  readonly seed: number;
  readonly onSecond?: (tally: Tally) => void;
}

export interface Tally {
  /** notifications that the sender's atServer took */
  acknowledged: number;
  delivered: number;
  expired: number;
  /** connections that a fault befell */
  befallen: number;
  readonly faults: string[];
}

interface Sent {
  readonly id: string;
  readonly sender: number;
  readonly count: number;
  readonly lives: "long" | "short";
}

const senders = 4;
const pauseMs = 30;
const lives = { long: 86_400_000, short: 1_500 } as const;
/** What a client is told while too many wait: it was not taken. */
const full = /^error:AT0024-/;
const fullMs = 500;
/** Rarely, since all that waits waits on. */
const stalls = 0.04;
/** For what is left when there are no faults any more; the longest pause of the sender is a minute. */
const restMs = 90_000;

/**
 * Lets clients of @alice notify @bob while the connections between their atServers are ended, reset, stalled, slowed and
 * cut in the middle, at random places of what they say to each other, in both directions.
 */
export async function notifyThroughFaults({ directory, seconds, seed, onSecond }: NotifyOptions): Promise<Tally> {
  using network = await Network.open(directory);
  await using alice = network.home("@alice").start();
  await using bob = network.home("@bob").start();
  await using toAlice = await proxyTo("@alice", alice, "@bob", network);
  await using toBob = await proxyTo("@bob", bob, "@alice", network);
  await using monitor = await MonitorLog.open(bob);
  const tally: Tally = { acknowledged: 0, delivered: 0, expired: 0, befallen: 0, faults: [] };
  const sent: Sent[] = [];
  const over = AbortSignal.timeout(seconds * 1000);
  const troubling = [toBob, toAlice].map((proxy, index) => trouble(proxy, new Random(seed + index), over, tally));
  const sending = Array.from({ length: senders }, (_, sender) =>
    send(alice, sender, new Random(~seed - sender), over, sent),
  );
  const ticking = setInterval(() => {
    onSecond?.({ ...tally, acknowledged: sent.length, delivered: monitor.received.length });
  }, 1000);
  try {
    await Promise.all([...troubling, ...sending]);
    tally.acknowledged = sent.length;
    await settle({ alice, bob, monitor, sent, tally });
  } finally {
    clearInterval(ticking);
  }
  tally.delivered = monitor.received.length;
  return tally;
}

type AtSign = `@${string}`;

/** A proxy that others find in the place of `server`, and that calls it as `caller`. */
async function proxyTo(atSign: AtSign, server: AtServerProcess, caller: AtSign, network: Network): Promise<FaultProxy> {
  const proxy = await FaultProxy.listen({
    serving: network.certificate(atSign),
    client: network.certificate(caller),
    to: await server.address("main"),
    servername: server.host,
  });
  network.list(atSign, proxy.port);
  return proxy;
}

/** Changes the fault again and again; most of the time there is none. */
async function trouble(proxy: FaultProxy, random: Random, over: AbortSignal, tally: Tally): Promise<void> {
  while (!over.aborted) {
    const calm = random.chance(0.5);
    proxy.fault = calm ? undefined : faultOf(random);
    await delay(50 + random.below(calm ? 1_500 : 300));
    tally.befallen += proxy.befallen;
  }
  proxy.fault = undefined;
}

function faultOf(random: Random): Fault {
  const how = random.chance(stalls) ? "stall" : pick(["end", "reset", "half", "bytewise"] as const, random);
  // A handshake cannot be halved.
  if (random.chance(0.1)) return { at: "connect", how: how === "half" || how === "bytewise" ? "reset" : how };
  if (random.chance(0.4))
    return { at: pick([/^notify:/, /^data:success/, /^from:/, /^pol/, /^data:proof/], random), how };
  return { at: random.below(14), how };
}

function pick<T>(all: readonly T[], random: Random): T {
  return all[random.below(all.length)] as T;
}

/** One client of @alice: one notification after the other, some of which are not worth delivering for long. */
async function send(
  alice: AtServerProcess,
  sender: number,
  random: Random,
  over: AbortSignal,
  sent: Sent[],
): Promise<void> {
  using client: AtServerClient = await alice.login();
  for (let count = 0; !over.aborted; count++) {
    const id = `${sender}-${count}`;
    const life = random.chance(0.2) ? "short" : "long";
    const value = `${id}:${"x".repeat(random.chance(0.03) ? random.below(200_000) : random.below(200))}`;
    const reply = await client.ask(
      `notify:id:${id}:ttln:${lives[life]}:isEncrypted:false:@bob:note.soak@alice:${value}`,
    );
    if (full.test(reply)) {
      await delay(fullMs);
      continue;
    }
    if (dataOf(reply) !== id) throw new Error(`the atServer said ${reply}`);
    sent.push({ id, sender, count, lives: life });
    await delay(random.below(2 * pauseMs));
  }
}

interface Settling {
  readonly alice: AtServerProcess;
  readonly bob: AtServerProcess;
  readonly monitor: MonitorLog;
  readonly sent: readonly Sent[];
  readonly tally: Tally;
}

/** Waits for what may still arrive, and compares. */
async function settle({ alice, bob, monitor, sent, tally }: Settling): Promise<void> {
  using bobsClient = await bob.login();
  // Heard of, @bob is tried at once and not when the pause is over.
  dataOf(await bobsClient.ask("notify:id:nudge:@alice:nudge.soak@bob:x"));
  const awaited = new Set(sent.filter((each) => each.lives === "long").map(({ id }) => id));
  let looked = 0;
  await monitor.until((received) => {
    for (; looked < received.length; looked++) awaited.delete(received[looked]?.id ?? "");
    return awaited.size === 0;
  }, restMs);
  checkArrivals(monitor, sent, tally.faults);
  const arrived = new Set(monitor.received.map(({ id }) => id));
  using client = await alice.login();
  for (const { id, lives } of sent.filter(({ id }) => !arrived.has(id))) {
    const status = dataOf(await client.ask(`notify:status:${id}`));
    // Some time after it has expired, nothing is known of it any more.
    if (status === "expired" || (status === "null" && lives === "short")) tally.expired++;
    else tally.faults.push(`${id} did not arrive, and is ${status}`);
  }
}

/** Nothing twice, nothing else, nothing changed, and those of one sender in its order. */
function checkArrivals({ received }: MonitorLog, sent: readonly Sent[], faults: string[]): void {
  const known = new Map(sent.map((each) => [each.id, each]));
  const last = new Map<number, number>();
  for (const { id, value } of received) {
    const each = known.get(id);
    if (each === undefined || value?.startsWith(`${id}:`) !== true) {
      faults.push(`${id} was not sent so`);
      continue;
    }
    const before = last.get(each.sender) ?? -1;
    if (each.count <= before) faults.push(`${id} came after ${each.sender}-${before}`);
    last.set(each.sender, Math.max(before, each.count));
  }
}
