import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { namespace as system } from "../../cluster/platform.ts";
import { Hosting, manifest } from "./hosted.ts";

/** Also seen with two minutes; most of what can go wrong does at once. */
const outageMs = 30_000;

let hosting: Hosting;

beforeAll(async () => {
  hosting = await Hosting.start((progress) => process.stderr.write(`${progress}\n`));
  hosting.namespace("customer");
  hosting.apply("customer", "@alice");
  hosting.apply("customer", "@bob");
  await hosting.activate("customer", "@alice");
  await hosting.activate("customer", "@bob");
}, 600_000);

afterAll(async () => {
  await hosting?.[Symbol.asyncDispose]();
}, 120_000);

/** Ends a pod of the platform as a crash does, without its leave. */
function killPods(component: string, count: number): void {
  const names = hosting.cluster
    .kubectl("-n", system, "get", "pods", "-l", `app.kubernetes.io/component=${component}`, "-o", "name")
    .trim()
    .split("\n");
  expect(names.length).toBeGreaterThanOrEqual(count);
  hosting.cluster.kubectl("-n", system, "delete", ...names.slice(0, count), "--grace-period=0", "--force");
}

/** Writes, and keeps an account of what was acknowledged, through whatever happens meanwhile. */
async function writeThrough(happens: () => Promise<void>): Promise<{ lost: number; failed: number; written: number }> {
  let over = false;
  let failed = 0;
  const acknowledged = new Map<string, string>();
  const writer = async (number: number) => {
    for (let round = 0; !over; round++) {
      try {
        await using alice = await hosting.client("@alice");
        for (let turn = 0; turn < 20 && !over; turn++) {
          const key = `through-${number}.demo`;
          const value = `${round}-${turn}`;
          await alice.put(key, value);
          acknowledged.set(key, value);
        }
      } catch {
        failed++;
        await delay(100);
      }
    }
  };
  const writers = Promise.all([1, 2, 3, 4].map(writer));
  await happens();
  over = true;
  await writers;
  let lost = 0;
  await using alice = await hosting.client("@alice");
  for (const [key, value] of acknowledged) if ((await alice.get(key)).value !== value) lost++;
  return { lost, failed, written: acknowledged.size };
}

async function served(name: string, withinMs: number): Promise<number> {
  const began = performance.now();
  for (;;) {
    try {
      await using client = await hosting.client(name);
      await client.scan();
      return Math.round(performance.now() - began);
    } catch (error) {
      if (performance.now() - began > withinMs) throw error;
      await delay(100);
    }
  }
}

describe("what is acknowledged stays, and what runs goes on", () => {
  test.each(["gateway", "directory", "operator"])(
    "while a replica of the %s is killed",
    async (component) => {
      const { lost, written } = await writeThrough(async () => {
        killPods(component, 1);
        await delay(3_000);
      });
      expect(written).toBe(4);
      expect(lost).toBe(0);
      hosting.cluster.kubectl("-n", system, "rollout", "status", `deployment/atrium-${component}`, "--timeout=90s");
    },
    120_000,
  );

  test("while the API server is away: connections go on, and new ones come", async () => {
    await using before = await hosting.client("@alice");
    await hosting.cluster.controlPlane.apiServer.stop();
    try {
      await before.put("away.demo", "1");
      const deadline = performance.now() + outageMs;
      while (performance.now() < deadline) {
        await using after = await hosting.client("@bob");
        await after.put("away.demo", "1");
        await delay(1_000);
      }
    } finally {
      await hosting.cluster.controlPlane.restartApiServer();
    }
    await hosting.until("customer", "@alice", "Ready", "Serving");
  }, 120_000);

  test("when the registry is wiped: the records come back, and no answer is false meanwhile", async () => {
    await wipeRegistry();
    expect(await served("@alice", 30_000)).toBeLessThan(30_000);
    await hosting.until("customer", "@alice", "Listed", "Listed", 30_000);
    expect(await served("@bob", 30_000)).toBeLessThan(30_000);
  }, 120_000);

  test("when all operators are killed while thirty Atsigns are made in five namespaces", async () => {
    const namespaces = [1, 2, 3, 4, 5].map((number) => `tenant-${number}`);
    for (const name of namespaces) hosting.namespace(name);
    const all = namespaces.flatMap((name, index) =>
      Array.from({ length: 6 }, (_none, number) => [name, `@made${index}x${number}`] as const),
    );
    const began = performance.now();
    hosting.cluster.apply(...all.map(([name, atSign]) => manifest(name, atSign)));
    await delay(1_500);
    killPods("operator", 2);
    for (const [name, atSign] of all) await hosting.until(name, atSign, "Ready", "Serving", 180_000);
    process.stderr.write(`thirty Atsigns served after ${Math.round((performance.now() - began) / 1000)} s\n`);
    const pods = namespaces.map((name) => hosting.cluster.kubectl("-n", name, "get", "pods", "-o", "name").trim());
    for (const names of pods) expect(names.split("\n")).toHaveLength(6);
  }, 240_000);

  test("a namespace that is deleted with its Atsigns goes, and its data stays", async () => {
    hosting.cluster.kubectl("delete", "namespace", "tenant-1", "--timeout=120s");
    const volumes: { items: { spec: { claimRef?: { namespace: string } }; status: { phase: string } }[] } = JSON.parse(
      hosting.cluster.kubectl("get", "pv", "-o", "json"),
    );
    const kept = volumes.items.filter(({ spec }) => spec.claimRef?.namespace === "tenant-1");
    expect(kept.map(({ status }) => status.phase)).toEqual(Array.from({ length: 6 }, () => "Released"));
  }, 180_000);
});

async function wipeRegistry(): Promise<void> {
  const get = (...args: readonly string[]) => hosting.cluster.kubectl("-n", system, "get", ...args);
  const host = get("pod", "atrium-redis-0", "-o", "jsonpath={.status.podIP}");
  const password = Buffer.from(get("secret", "atrium-redis", "-o", "jsonpath={.data.password}"), "base64").toString();
  const redis = new Redis({ host, port: 6379, password });
  await redis.flushall();
  redis.disconnect();
}
