import { once } from "node:events";
import { freePort } from "../../kit/ports.ts";
import { Certificates } from "../certificate.ts";
import type { Comparison, Figure } from "../figure.ts";
import { Owner } from "../owner.ts";
import type { Resources } from "../resources.ts";
import { startAtServer } from "../servers/atserver.ts";
import { startDirectory } from "../servers/directory.ts";

const warmUp = 200;
const count = 2_000;
const rounds = 3;
const arrivalMs = 10_000;

/** From the first byte of `notify` to the line at the recipient's monitor, one after the other. */
export const notifyMedian: Figure = {
  name: "notify-p50",
  title: "atServer: notification from its sender to the recipient's monitor, median",
  unit: "ms",
  target: { of: "ours", bound: "≤", value: 5 },
  measure: (resources, say) => latencies(resources, say, 0.5),
};

export const notifySlow: Figure = {
  ...notifyMedian,
  name: "notify-p99",
  title: "atServer: notification from its sender to the recipient's monitor, 99th percentile",
  target: { of: "ours", bound: "≤", value: 20 },
  measure: (resources, say) => latencies(resources, say, 0.99),
};

async function latencies(resources: Resources, say: (progress: string) => void, share: number): Promise<Comparison> {
  const certificates = new Certificates(resources);
  const [alice, bob] = await startPair(resources, certificates);
  const { caFile } = certificates;
  const logIn = (port: number, name: string) => {
    return Owner.logIn({ port, atSign: `@${name}`, host: hostOf(name), caFile });
  };
  using alicesOwner = await logIn(alice, "alice");
  using bobsOwner = await logIn(bob, "bob");
  const [sender, recipient] = [alicesOwner.socket, bobsOwner.socket];
  const broken = once(sender, "error").then(([error]) => Promise.reject(error));
  let arrived: (() => void) | undefined;
  recipient.on("data", (chunk: Buffer) => {
    if (chunk.includes('"from":"@alice"')) arrived?.();
  });
  recipient.write("monitor\n");
  const send = async (index: number) => {
    const began = performance.now();
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    sender.write(`notify:id:n-${process.pid}-${index}:@bob:bench.demo@alice:${"v".repeat(100)}\n`);
    const timer = setTimeout(() => sender.destroy(new Error(`nothing arrived in ${arrivalMs / 1000} s`)), arrivalMs);
    await Promise.race([arrival, broken]);
    clearTimeout(timer);
    return performance.now() - began;
  };
  let index = 0;
  while (index < warmUp) await send(index++);
  const ours: { value: number }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const times: number[] = [];
    while (times.length < count) times.push(await send(index++));
    const value = times.toSorted((a, b) => a - b)[Math.floor(count * share)] ?? Number.NaN;
    ours.push({ value });
    say(`round ${round} of ${rounds}: ${value.toPrecision(3)} ms`);
  }
  const conditions = `${count} notifications of 100 bytes each round, durable at both ends, TLS between all parts`;
  return { ours, peer: [], conditions };
}

/** The atServers of @alice and @bob, who find one another. */
async function startPair(resources: Resources, certificates: Certificates): Promise<[number, number]> {
  const ports = { alice: await freePort(), bob: await freePort() };
  const { port } = await startDirectory(resources, certificates, Object.keys(ports), hostOf);
  const zones = Object.entries(ports).map(([name, at]) => `${zoneOf(name)}=127.0.0.1:${at}`);
  for (const [name, at] of Object.entries(ports)) {
    const options = {
      atSign: `@${name}`,
      host: hostOf(name),
      port: at,
      directory: `127.0.0.1:${port}`,
      zones: zones.join(","),
    };
    await startAtServer(resources, certificates, options);
  }
  return [ports.alice, ports.bob];
}

/** Of one each: a zone is dialled at one address. */
function zoneOf(name: string): string {
  return `${name}.example.org`;
}

function hostOf(name: string): string {
  return `atserver.${zoneOf(name)}`;
}
