import type { AtSign } from "@atrium/protocol";
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import type { Enrollment } from "../connection.ts";
import { type TestClient, testServer } from "../testing/atserver.ts";

/** 2026-01-01, when the clock of these tests stands still. */
const start = Date.UTC(2026, 0);

type Server = ReturnType<typeof testServer>;

afterEach(() => {
  jest.useRealTimers();
});

function server(): Server {
  return testServer({ askAs: async () => "success" });
}

/** Reads a monitor line by line. */
class Monitor {
  readonly client: TestClient;
  #rest = "";

  constructor(client: TestClient) {
    this.client = client;
  }

  async line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const more = await this.client.read();
      if (more === undefined) throw new Error("the connection has ended");
      this.#rest += more;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  async next(): Promise<{ id?: unknown; value?: unknown }> {
    const line = await this.line();
    expect(line).toMatch(/^notification: \{/);
    return JSON.parse(line.slice("notification: ".length));
  }

  /** The next one that is no statistics. */
  async told(): Promise<{ id?: unknown }> {
    for (;;) {
      const next = await this.next();
      if (next.id !== "-1") return next;
    }
  }

  /** Shows that nothing comes: what is asked for now is the next that is answered. */
  async nothingMore(): Promise<void> {
    this.client.send("noop:0\n");
    expect(await this.line()).toBe("data:ok");
  }
}

/** A monitor that has been told that it is one. */
async function monitor(on: Server, command = "monitor"): Promise<Monitor> {
  const watching = new Monitor(await on.owner());
  watching.client.send(`${command}\n`);
  expect(await watching.next()).toMatchObject({ id: "-1" });
  return watching;
}

async function peer(on: Server, atSign: AtSign): Promise<TestClient> {
  const client = await on.anonymous();
  client.session.connection.becomePeer(atSign);
  return client;
}

describe("a monitor", () => {
  test("is answered by a line of statistics at once, and has no prompts from then on", async () => {
    const on = server();
    const client = await on.owner();
    const watching = new Monitor(client);
    client.send("monitor\n");
    expect(await watching.line()).toBe(
      `notification: {"id":"-1","from":"@alice","to":"@alice","key":"statsNotification.@alice","value":"-1","operation":"update","epochMillis":${start},"messageType":"MessageType.key","isEncrypted":false,"metadata":null}`,
    );
    client.send("noop:0\n");
    expect(await client.read()).toBe("data:ok\n");
    client.send("llookup:nothing@alice\n");
    expect(await client.read()).toBe("error:AT0015-key not found : nothing@alice does not exist in keystore\n");
  });

  test("is told of what arrives, whole", async () => {
    const on = server();
    const watching = await monitor(on);
    const bob = await peer(on, "@bob");
    await bob.ask("notify:id:1:messageType:key:isEncrypted:true:ivNonce:n==:@alice:a.b@bob:v");
    expect(await watching.line()).toBe(
      `notification: {"id":"1","from":"@bob","to":"@alice","key":"@alice:a.b@bob","value":"v","operation":"update","epochMillis":${start},"messageType":"MessageType.key","isEncrypted":true,"metadata":{"sharedKeyEnc":null,"pubKeyCS":null,"dataSignature":null,"encKeyName":null,"encAlgo":null,"ivNonce":"n==","skeEncKeyName":null,"skeEncAlgo":null,"availableAt":null,"expiresAt":null,"pubKeyHash":null,"appMetadata":null,"ttl":null,"ttb":null,"ttr":null,"ccd":null,"isBinary":null,"encoding":null}}`,
    );
    await bob.ask("notify:id:1:@alice:a.b@bob:v");
    await watching.nothingMore();
  });

  test("is told of the owner's own only if it asked for them, and never of those sent", async () => {
    const on = server();
    const plain = await monitor(on);
    const own = await monitor(on, "monitor:selfNotifications");
    const client = await on.owner();
    await client.ask("notify:id:1:@alice:a.b@alice:v");
    await client.ask("notify:id:2:@bob:a.b@alice:v");
    expect(await own.next()).toMatchObject({ id: "1", from: "@alice", to: "@alice", key: "@alice:a.b@alice" });
    await own.nothingMore();
    await plain.nothingMore();
  });

  test.each([
    ["wavi", ["1", "4"]],
    ["^@alice:b.buzz@carol$", ["2"]],
    ["^bob$", ["1", "3"]],
    ["carol|text", ["2", "3"]],
    [".*", ["1", "2", "3", "4"]],
  ])("with the expression %s is told of what has it in key or sender", async (regex, ids) => {
    const on = server();
    const watching = await monitor(on, `monitor:selfNotifications ${regex}`);
    const bob = await peer(on, "@bob");
    const carol = await peer(on, "@carol");
    await bob.ask("notify:id:1:@alice:a.wavi@bob");
    await carol.ask("notify:id:2:@alice:b.buzz@carol");
    await bob.ask("notify:id:3:messageType:text:@alice:a text");
    await (await on.owner()).ask("notify:id:4:@alice:a.wavi@alice");
    for (const id of ids) expect(await watching.next()).toMatchObject({ id });
    await watching.nothingMore();
  });

  test("with an expression that is none is refused, and closed", async () => {
    const on = server();
    const client = await on.owner();
    client.send("monitor (\n");
    expect(await client.readAll()).toMatch(/^error:AT0011-/);
  });

  test("is told from a time on of what arrived after it, then of what arrives, each once and in order", async () => {
    const on = server();
    const bob = await peer(on, "@bob");
    for (let id = 0; id < 100; id++) await bob.ask(`notify:id:${id}:@alice:a@bob:${id}`);
    const watching = await monitor(on, `monitor:${start + 9} .*`);
    for (let id = 100; id < 200; id++) bob.send(`notify:id:${id}:@alice:a@bob:${id}\n`);
    for (let id = 10; id < 200; id++)
      expect(await watching.next()).toMatchObject({ id: String(id), epochMillis: start + id });
    await watching.nothingMore();
    const all = await monitor(on, "monitor:0");
    expect(await all.next()).toMatchObject({ id: "0" });
    const later = await monitor(on, `monitor:${start + 199}`);
    await later.nothingMore();
    // As a client asks whose clock is ahead.
    const ahead = await monitor(on, `monitor:${start + 86_400_000}`);
    await bob.ask("notify:id:200:@alice:a@bob:v");
    expect(await ahead.next()).toMatchObject({ id: "200" });
  });

  test("is not told again of what has expired or was removed", async () => {
    const on = server();
    const bob = await peer(on, "@bob");
    await bob.ask("notify:id:1:ttln:1000:@alice:a@bob");
    await bob.ask("notify:id:2:@alice:a@bob");
    await bob.ask("notify:id:3:@alice:a@bob");
    await (await on.owner()).ask("notify:remove:2");
    on.clock.advance(1_000);
    const watching = await monitor(on, "monitor:0");
    expect(await watching.next()).toMatchObject({ id: "3" });
    await watching.nothingMore();
  });

  test("that is asked for again has its new wishes, and is told of nothing twice", async () => {
    const on = server();
    const watching = await monitor(on, "monitor wavi");
    watching.client.send("monitor buzz\n");
    expect(await watching.next()).toMatchObject({ id: "-1" });
    const bob = await peer(on, "@bob");
    await bob.ask("notify:id:1:@alice:a.wavi@bob");
    await bob.ask("notify:id:2:@alice:a.buzz@bob");
    expect(await watching.next()).toMatchObject({ id: "2" });
    await watching.nothingMore();
  });

  test("of an enrolled app is told of what it may read, and of enrolments if it may manage them", async () => {
    const on = server();
    const watch = async (enrollment: Enrollment) => {
      const watching = await monitor(on, "monitor:selfNotifications");
      watching.client.session.connection.becomeOwner(enrollment);
      return watching;
    };
    const reading = await on.enroll({ wavi: "r" });
    const managing = await on.enroll({ __manage: "rw" });
    const doingAll = await on.enroll({ "*": "rw" });
    const wavi = await watch(reading);
    const manager = await watch(managing);
    const all = await watch(doingAll);
    const bob = await peer(on, "@bob");
    await bob.ask("notify:id:1:@alice:a.wavi@bob");
    await bob.ask("notify:id:2:@alice:a.buzz@bob");
    await bob.ask("notify:id:3:messageType:text:@alice:hello");
    await (await on.owner()).ask("notify:id:4:@alice:7d.new.enrollments.__manage@alice:{}");
    for (const [watching, ids] of [
      [wavi, ["1"]],
      [manager, ["4"]],
      [all, ["1", "2", "3"]],
    ] as const) {
      for (const id of ids) expect(await watching.next()).toMatchObject({ id });
      await watching.nothingMore();
    }
  });

  test("of an enrolled app ends with the enrolment", async () => {
    const on = server();
    const app = await on.enroll({ "*": "rw" });
    const client = await on.anonymous();
    client.session.connection.becomeOwner(app);
    client.send("monitor\n");
    const watching = new Monitor(client);
    await watching.next();
    await on.store.write((tx) => tx.delete(`${app.id}.new.enrollments.__manage@alice`, null));
    await (await peer(on, "@bob")).ask("notify:id:1:@alice:a@bob");
    expect(await client.readAll()).toBe("");
  });

  test("ends with the login", async () => {
    const on = server();
    const watching = await monitor(on);
    watching.client.session.connection.becomeAnonymous();
    await (await peer(on, "@bob")).ask("notify:id:1:@alice:a@bob");
    await watching.nothingMore();
  });

  test("that does not read costs no memory, and misses nothing when it reads again", async () => {
    const on = testServer({ limits: { unreadMs: 60_000 } });
    const watching = await monitor(on);
    watching.client.socket.pause();
    const bob = await peer(on, "@bob");
    const value = "v".repeat(1_000);
    for (let id = 0; id < 500; id++) await bob.ask(`notify:id:${id}:@alice:a@bob:${value}`);
    expect(watching.client.server.writableLength).toBeLessThan(100_000);
    watching.client.socket.resume();
    for (let id = 0; id < 500; id++) expect(await watching.told()).toMatchObject({ id: String(id) });
    await watching.nothingMore();
  });

  test("that is asked for again and again by a client that does not read costs no memory", async () => {
    const on = testServer({ limits: { unreadMs: 60_000 } });
    const watching = await monitor(on);
    watching.client.socket.pause();
    for (let times = 0; times < 5_000; times++) watching.client.send("monitor\n");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(watching.client.server.writableLength).toBeLessThan(100_000);
    watching.client.server.destroy();
  });

  test("is answered in between while much is told", async () => {
    const on = server();
    const bob = await peer(on, "@bob");
    for (let id = 0; id < 300; id++) await bob.ask(`notify:id:${id}:@alice:a@bob:v`);
    const watching = await monitor(on);
    watching.client.send("monitor:0\n");
    watching.client.send("noop:0\n");
    const lines: string[] = [];
    while (lines.at(-1) !== "data:ok") lines.push(await watching.line());
    expect(lines.length).toBeLessThan(150);
    for (let id = lines.length - 2; id < 300; id++) expect(await watching.next()).toMatchObject({ id: String(id) });
  });

  test("gets large notifications one after the other when there is memory for one", async () => {
    const on = testServer({ heldBytes: 300_000 });
    const watching = [await monitor(on, "monitor:selfNotifications"), await monitor(on, "monitor:selfNotifications")];
    const client = await on.owner();
    const value = "v".repeat(200_000);
    for (let id = 0; id < 3; id++) await client.ask(`notify:id:${id}:@alice:a@alice:${value}`);
    for (const each of watching) {
      for (let id = 0; id < 3; id++) expect(await each.told()).toMatchObject({ id: String(id), value });
    }
  });

  test("gets a large one in one line, and answers only behind it", async () => {
    const on = server();
    const watching = await monitor(on, "monitor:selfNotifications");
    watching.client.socket.pause();
    const value = '"é😀'.repeat(200_000);
    await (await on.owner()).ask(`notify:id:1:@alice:a@alice:${value}`);
    // It has begun.
    while (watching.client.server.writableLength < 10_000) await new Promise((resolve) => setImmediate(resolve));
    watching.client.send("noop:0\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(watching.client.server.writableLength).toBeLessThan(1_000_000);
    watching.client.socket.resume();
    expect((await watching.next()).value === value).toBe(true);
    expect(await watching.line()).toBe("data:ok");
  });

  test("that is closed in the middle of a large one is forgotten", async () => {
    const on = server();
    const watching = await monitor(on, "monitor:selfNotifications");
    watching.client.socket.pause();
    await (await on.owner()).ask(`notify:id:1:@alice:a@alice:${"v".repeat(1_000_000)}`);
    const closed = new Promise((resolve) => watching.client.server.once("close", resolve));
    watching.client.session.end();
    watching.client.socket.resume();
    expect((await watching.client.readAll()).length).toBeLessThan(1_000_000);
    watching.client.socket.end();
    await closed;
    expect(on.notifications.monitors).toBe(0);
  });

  test("is closed when the store fails, so that its client comes back", async () => {
    const on = server();
    const watching = await monitor(on);
    const bob = await peer(on, "@bob");
    const failing = jest.spyOn(on.store.notifications, "inbox").mockImplementation(() => {
      throw new Error("no");
    });
    await bob.ask("notify:id:1:@alice:a@bob");
    expect(await watching.client.readAll()).toBe("");
    failing.mockRestore();
  });
});

describe("statistics", () => {
  test("tell of the newest commit after each change, whatever the expression", async () => {
    const on = server();
    const watching = await monitor(on, "monitor nothing");
    const client = await on.owner();
    await client.ask("update:a@alice v");
    expect(await watching.next()).toMatchObject({ id: "-1", value: "0", operation: "update" });
    await client.ask("update:meta:a@alice:ttl:5");
    expect(await watching.next()).toMatchObject({ value: "1", operation: "update" });
    await client.ask("delete:a@alice");
    expect(await watching.next()).toMatchObject({ value: "2", operation: "delete" });
    await client.ask("update:privatekey:at_pkam_publickey k");
    await watching.nothingMore();
    const bob = await peer(on, "@bob");
    await bob.ask("notify:id:1:ttr:-1:ccd:true:@alice:a@bob:v");
    expect(await watching.next()).toMatchObject({ value: "3", operation: "update" });
    await bob.ask("notify:id:2:delete:@alice:a@bob");
    expect(await watching.next()).toMatchObject({ value: "4", operation: "delete" });
    await watching.nothingMore();
  });

  test("of many changes may be one line, and the last says the newest", async () => {
    const on = server();
    const watching = await monitor(on);
    const clients = await Promise.all(Array.from({ length: 10 }, () => on.owner()));
    for (let round = 0; round < 20; round++) {
      await Promise.all(clients.map((client, index) => client.ask(`update:k${index}@alice v${round}`)));
    }
    const values: number[] = [];
    while (values.at(-1) !== 199) values.push(Number((await watching.next()).value));
    expect(values.length).toBeLessThanOrEqual(200);
    expect(values).toEqual([...new Set(values)].sort((a, b) => a - b));
  });

  test("come every 15 seconds, also without a change, and not to who is gone", async () => {
    jest.useFakeTimers({ doNotFake: ["setImmediate", "clearImmediate", "nextTick", "queueMicrotask"] });
    const on = server();
    const watching = await monitor(on);
    for (let times = 0; times < 3; times++) {
      jest.advanceTimersByTime(14_999);
      await watching.nothingMore();
      jest.advanceTimersByTime(1);
      expect(await watching.next()).toMatchObject({ id: "-1" });
    }
    watching.client.socket.end();
    await new Promise((resolve) => watching.client.server.once("close", resolve));
    expect(on.notifications.monitors).toBe(0);
  });
});
