import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { FaultProxy, type How } from "../../../test/kit/fault-proxy.ts";
import type { StoredNotification } from "../store/notifications.ts";
import { TestNetwork } from "../testing/network.ts";

/** Short only where they are to pass. */
const deadlines = { dialMs: 1_000, stepMs: 10_000, answerMs: 10_000 };
const shortMs = 200;
/** What the connection carries by which alice notifies bob. */
const steps = [
  "@",
  "lookup:all:publickey@bob",
  "error:",
  "from:@alice",
  "data:proof:",
  "pol",
  "@alice@",
  "notify:id:",
  "data:success",
];

let network: TestNetwork;
let alice: Awaited<ReturnType<TestNetwork["join"]>>;
let bob: Awaited<ReturnType<TestNetwork["join"]>>;
let proxy: FaultProxy;
let count = 0;

beforeAll(async () => {
  network = await TestNetwork.open();
  alice = await network.join("@alice", { deadlines });
  bob = await network.join("@bob");
  const servername = network.hostOf("@bob");
  const serving = network.pairOf("@bob");
  proxy = await FaultProxy.listen({ serving, client: alice.pair, to: bob.address, servername });
  network.list("@bob", proxy.port);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await network[Symbol.asyncDispose]();
});

/** What alice's atServer knows of it, once that is so. */
async function sent(id: string, holds: (notification: StoredNotification) => boolean): Promise<StoredNotification> {
  for (;;) {
    const notification = alice.store.notifications.byId(id);
    if (notification !== undefined && holds(notification)) return notification;
    await turn();
  }
}

function received(id: string): StoredNotification[] {
  const places = bob.store.notifications.inbox({ after: 0, limit: 10_000 });
  const all = places.map(({ time }) => bob.store.notifications.get(time));
  return all.filter((notification) => notification?.id === id) as StoredNotification[];
}

async function notify(): Promise<string> {
  const id = `fault-${++count}`;
  const owner = await alice.owner();
  expect(await owner.ask(`notify:id:${id}:@bob:x.demo@alice:value ${count}`)).toBe(`data:${id}\n@alice@`);
  owner.socket.destroy();
  return id;
}

test("the steps are the ones that faults befall here", async () => {
  proxy.fault = undefined;
  await sent(await notify(), ({ status }) => status === "delivered");
  expect(proxy.messages.map((each, i) => each.slice(0, steps[i]?.length))).toEqual(steps);
});

describe.each(steps.map((message, at) => ({ at, message })))("at $message", ({ at }) => {
  test.each<How>(["end", "reset", "half", "stall"])(
    "a connection that meets with %s fails the attempt, which is repeated, and nothing arrives twice",
    async (how) => {
      proxy.fault = { at, how };
      const { stepMs, answerMs } = deadlines;
      if (how === "stall") Object.assign(deadlines, { stepMs: shortMs, answerMs: shortMs });
      const id = await notify();
      const failed = await sent(id, ({ attempts }) => attempts > 0);
      Object.assign(deadlines, { stepMs, answerMs });
      expect(failed.status).toBe("errored");
      proxy.fault = undefined;
      alice.notifications.reached("@bob");
      const { attempts } = await sent(id, ({ status }) => status === "delivered");
      expect(attempts).toBeGreaterThan(1);
      expect(received(id)).toMatchObject([{ value: `value ${count}`, from: "@alice" }]);
    },
  );
});

test("what waited for the connection arrives in order", async () => {
  proxy.fault = { at: /^notify:/, how: "reset" };
  const ids = [await notify(), await notify(), await notify()];
  await sent(ids[0] ?? "", ({ attempts }) => attempts > 0);
  proxy.fault = undefined;
  alice.notifications.reached("@bob");
  await sent(ids[2] ?? "", ({ status }) => status === "delivered");
  const arrived = ids.flatMap((id) => received(id).map(({ time }) => time));
  expect(arrived).toHaveLength(3);
  expect(arrived).toEqual([...arrived].sort((a, b) => a - b));
});
