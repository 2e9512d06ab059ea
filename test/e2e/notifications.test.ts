import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { AtServerClient } from "../soak/atserver-client.ts";
import { AtServerHome } from "../soak/atserver-process.ts";

let scratch = "";
let home: AtServerHome;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-notifications-"));
  home = new AtServerHome({ directory: scratch });
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

async function next(monitor: AtServerClient): Promise<{ id: string; value: string; epochMillis: number }> {
  const line = await monitor.line();
  expect(line).toMatch(/^notification: \{/);
  return JSON.parse(line.slice("notification: ".length));
}

/** Those that are no statistics, as many as are wanted. */
async function told(monitor: AtServerClient, count: number): Promise<Awaited<ReturnType<typeof next>>[]> {
  const found: Awaited<ReturnType<typeof next>>[] = [];
  while (found.length < count) {
    const one = await next(monitor);
    if (one.id !== "-1") found.push(one);
  }
  return found;
}

test("a monitor over TLS is told at once, answered in between, and resumes after the atServer was killed", async () => {
  let resumeAfter = 0;
  {
    await using server = home.start();
    using monitor = await server.login();
    using client = await server.login();
    monitor.socket.write("monitor:selfNotifications\n");
    expect(await next(monitor)).toMatchObject({ id: "-1" });
    for (let id = 0; id < 20; id++)
      expect(await client.ask(`notify:id:${id}:@alice:a.b@alice:v${id}`)).toBe(`data:${id}`);
    const first = await told(monitor, 20);
    expect(first.map(({ value }) => value)).toEqual(Array.from({ length: 20 }, (_, id) => `v${id}`));
    expect(await monitor.ask("noop:0")).toBe("data:ok");
    resumeAfter = first[9]?.epochMillis ?? 0;
  }
  await using server = home.start();
  using monitor = await server.login();
  using client = await server.login();
  monitor.socket.write(`monitor:selfNotifications:${resumeAfter} .*\n`);
  await client.ask("notify:id:later:@alice:a.b@alice:later");
  const resumed = await told(monitor, 11);
  expect(resumed.map(({ id }) => id)).toEqual([...Array.from({ length: 10 }, (_, id) => String(id + 10)), "later"]);
  expect(await monitor.ask("noop:0")).toBe("data:ok");
});

test("what was acknowledged and not delivered is there after the atServer was killed, in its order", async () => {
  const ids = Array.from({ length: 50 }, (_, id) => String(id));
  {
    await using server = home.start();
    using client = await server.login();
    const replies = Promise.all(ids.map((id) => client.ask(`notify:id:${id}:@bob:a.b@alice:v${id}`)));
    expect(await replies).toEqual(ids.map((id) => `data:${id}`));
  }
  await using server = home.start();
  using client = await server.login();
  const statuses = await Promise.all(ids.map((id) => client.ask(`notify:status:${id}`)));
  // Nobody answers for @bob here: the first is tried again and again, the others wait for it.
  expect(new Set(statuses.slice(1))).toEqual(new Set(["data:queued"]));
  expect(statuses[0]).toMatch(/^data:(?:queued|errored)$/);
  const fetched = await client.ask("notify:fetch:49");
  expect(JSON.parse(fetched.slice("data:".length))).toMatchObject({ atValue: "v49", toAtSign: "@bob" });
});

test("a notification of ten million bytes reaches a monitor whole", async () => {
  await using server = home.start();
  using monitor = await server.login();
  using client = await server.login();
  monitor.socket.write("monitor:selfNotifications\n");
  const value = "v".repeat(10_000_000);
  expect(await client.ask(`notify:id:1:@alice:a.b@alice:${value}`)).toBe("data:1");
  expect(await client.ask("notify:id:2:@alice:a.b@alice:small")).toBe("data:2");
  const [large, small] = await told(monitor, 2);
  expect(large?.value === value).toBe(true);
  expect(small?.value).toBe("small");
});
