import { setTimeout as delay } from "node:timers/promises";
import { ClientError, inspect, parseAtSign } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { namespace as system } from "../../cluster/platform.ts";
import { eventually, Hosting, manifest } from "./hosted.ts";

const outageMs = 120_000;
/** So many Atsigns are in the namespace that is deleted. */
const inDeleted = 20;

let hosting: Hosting;

beforeAll(async () => {
  hosting = await Hosting.start((progress) => process.stderr.write(`${progress}\n`));
  hosting.namespace("customer");
  hosting.apply("customer", "@alice");
  hosting.apply("customer", "@bob");
  // No directory is asked for this one before the registry is wiped: none remembers it.
  hosting.apply("customer", "@carol");
  await hosting.activate("customer", "@alice");
  await hosting.activate("customer", "@bob");
  await hosting.until("customer", "@carol", "Ready", "Serving");
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

/** @returns whether it is served. @throws {Error} when the directory says that there is no such Atsign */
async function isServed(name: string): Promise<boolean> {
  try {
    await inspect({ atSign: parseAtSign(name), platform: hosting.platform });
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.reason === "not_found") throw error;
    return false;
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

  test("when the registry is wiped: the records come back, and no answer is false meanwhile", async () => {
    const names = ["@alice", "@bob", "@carol"];
    const redis = openRegistry();
    await redis.flushall();
    await eventually("the records are there again, and found", 30_000, async () => {
      const served = await Promise.all(names.map(isServed));
      const [records = ""] = await redis.keys("*:names");
      return served.every(Boolean) && (await redis.hlen(records)) === names.length;
    });
    redis.disconnect();
    for (const name of names) await hosting.until("customer", name, "Listed", "Listed", 30_000);
  }, 120_000);

  test("when the leading operator is ended while Atsigns are made: another goes on, and starts nothing again", async () => {
    const { before, all } = await makeUnderLeader("ended");
    hosting.cluster.kubectl("-n", system, "delete", "pod", before, "--wait=false");
    await eventually("another leads", 30_000, () => ![before, ""].includes(leader()));
    await allMade("ended", all);
    expect(eventsOf("ended", "Replaced")).toBe("");
  }, 240_000);

  test("when the leading operator stands still while Atsigns are made, and goes on when another leads", async () => {
    const { before, all } = await makeUnderLeader("halted");
    const halted = processOf(before);
    process.kill(halted, "SIGSTOP");
    try {
      await eventually("another leads", 30_000, () => ![before, ""].includes(leader()));
    } finally {
      process.kill(halted, "SIGCONT");
    }
    await allMade("halted", all);
  }, 240_000);

  test("when the leading operator is killed while Atsigns are made: it leads again, or another does", async () => {
    const { before, all } = await makeUnderLeader("killed");
    process.kill(processOf(before), "SIGKILL");
    await allMade("killed", all);
  }, 240_000);

  test("when all operators are killed while thirty Atsigns are made in five namespaces", async () => {
    const sizes = new Map([
      ["tenant-1", inDeleted],
      ["tenant-2", 4],
      ["tenant-3", 2],
      ["tenant-4", 2],
      ["tenant-5", 2],
    ]);
    for (const name of sizes.keys()) hosting.namespace(name);
    const all = [...sizes].flatMap(([name, size]) =>
      Array.from({ length: size }, (_none, number) => [name, `@${name}x${number}`] as const),
    );
    const began = performance.now();
    hosting.cluster.apply(...all.map(([name, atSign]) => manifest(name, atSign)));
    await delay(1_500);
    killPods("operator", 2);
    for (const [name, atSign] of all) await hosting.until(name, atSign, "Ready", "Serving", 180_000);
    process.stderr.write(`thirty Atsigns served after ${Math.round((performance.now() - began) / 1000)} s\n`);
    for (const [name, size] of sizes) expect(podsIn(name)).toHaveLength(size);
  }, 240_000);

  test("a namespace that is deleted with twenty Atsigns goes, and its data stays", async () => {
    hosting.cluster.kubectl("delete", "namespace", "tenant-1", "--timeout=120s");
    const volumes: { items: { spec: { claimRef?: { namespace: string } }; status: { phase: string } }[] } = JSON.parse(
      hosting.cluster.kubectl("get", "pv", "-o", "json"),
    );
    const kept = volumes.items.filter(({ spec }) => spec.claimRef?.namespace === "tenant-1");
    expect(kept.map(({ status }) => status.phase)).toEqual(Array.from({ length: inDeleted }, () => "Released"));
  }, 180_000);

  // Last: Kubernetes' own controllers need a minute and more until they watch again.
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
    // They also take the node for lost until they have seen that it reports.
    await hosting.until("customer", "@alice", "Ready", "Serving", 240_000);
  }, 480_000);
});

/** @returns once some of the Atsigns are begun, and others are not */
async function makeUnderLeader(namespace: string): Promise<{ before: string; all: readonly string[] }> {
  const before = leader();
  hosting.namespace(namespace);
  const all = Array.from({ length: 8 }, (_none, number) => `@${namespace}${number}`);
  hosting.cluster.apply(...all.map((atSign) => manifest(namespace, atSign)));
  await eventually("some have pods", 60_000, () => podsIn(namespace).length > 2);
  return { before, all };
}

/** Each has one pod, which the AtSign names. */
async function allMade(namespace: string, all: readonly string[]): Promise<void> {
  for (const atSign of all) await hosting.until(namespace, atSign, "Ready", "Serving", 120_000);
  const named = all.map((atSign) => hosting.get(namespace, atSign).status?.pod?.uid ?? "");
  expect(podsIn(namespace).toSorted()).toEqual(named.toSorted());
  hosting.cluster.kubectl("-n", system, "rollout", "status", "deployment/atrium-operator", "--timeout=90s");
}

/** @returns the pod that holds the Lease; nothing when none does */
function leader(): string {
  return hosting.cluster.kubectl(
    "-n",
    system,
    "get",
    "lease",
    "atrium-operator",
    "-o",
    "jsonpath={.spec.holderIdentity}",
  );
}

function processOf(pod: string): number {
  const [found, ...others] = hosting.cluster.processes((environment) =>
    environment.includes(`OPERATOR_POD_NAME=${pod}`),
  );
  if (found === undefined || others.length > 0) throw new Error(`the processes of ${pod} are ${[found, ...others]}`);
  return found;
}

/** @returns the UIDs */
function podsIn(namespace: string): string[] {
  const found = hosting.cluster.kubectl("-n", namespace, "get", "pods", "-o", "jsonpath={.items[*].metadata.uid}");
  return found.split(" ").filter((uid) => uid !== "");
}

function eventsOf(namespace: string, reason: string): string {
  const wanted = ["--field-selector", `reason=${reason}`, "-o", "jsonpath={.items[*].note}{.items[*].message}"];
  return hosting.cluster.kubectl("-n", namespace, "get", "events", ...wanted);
}

function openRegistry(): Redis {
  const get = (...args: readonly string[]) => hosting.cluster.kubectl("-n", system, "get", ...args);
  const host = get("pod", "atrium-redis-0", "-o", "jsonpath={.status.podIP}");
  const password = Buffer.from(get("secret", "atrium-redis", "-o", "jsonpath={.data.password}"), "base64").toString();
  return new Redis({ host, port: 6379, password });
}
