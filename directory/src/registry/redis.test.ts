import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { need } from "../../../test/kit/need.ts";
import { redis, type TestRedis } from "../../../test/kit/redis.ts";
import type { NameRecord, Registry } from "../registry.ts";
import { RegistryAway } from "../registry.ts";
import { complete, eventually, replica } from "../testing/registries.ts";
import { tlsDirectory } from "../testing/tls-directory.ts";

const onRedis = need("redis-server") === undefined ? test : test.skip;

function record(name: string, generation = 1, host = `${name}.at.example.org`, claim = `claim-${name}`): NameRecord {
  return { name, claim, generation, address: { host, port: 443 } };
}

function listed(host: string) {
  return { kind: "listed", address: { host, port: 443 } };
}

/** As the wire asks: memory first. */
async function lookUp(registry: Registry, name: string) {
  return registry.recall(name) ?? (await registry.find(name));
}

async function completeReplica(server: TestRedis): Promise<Registry> {
  const registry = replica(server.url);
  await complete(registry);
  return registry;
}

describe("replicas of one registry", () => {
  onRedis("see each other's changes within a second, from memory", async () => {
    await using server = await redis();
    await using one = await completeReplica(server);
    await using other = await completeReplica(server);
    for (const name of ["alice", "bob"]) expect(await lookUp(other, name)).toEqual({ kind: "absent" });

    const steps: readonly [() => Promise<unknown>, string, unknown][] = [
      [() => one.put(record("alice")), "alice", listed("alice.at.example.org")],
      [() => one.put(record("alice", 2, "moved.example.org")), "alice", listed("moved.example.org")],
      [() => one.put({ ...record("alice", 3), address: undefined }), "alice", { kind: "parked" }],
      [() => one.put(record("bob")), "bob", listed("bob.at.example.org")],
      [() => one.release(record("bob")), "bob", { kind: "absent" }],
    ];
    for (const [change, name, expected] of steps) {
      await change();
      const changedAtMs = performance.now();
      await eventually(async () => isEqual(await lookUp(other, name), expected));
      expect(performance.now() - changedAtMs).toBeLessThan(1_000);
    }
    // What comes out of memory comes without a question to Redis.
    const before = await readsOf(server);
    for (let i = 0; i < 100; i += 1) await lookUp(other, "alice");
    expect(await readsOf(server)).toBe(before);
  });

  onRedis("do not keep what a change has overtaken while it was read", async () => {
    await using server = await redis();
    await using one = await completeReplica(server);
    await using other = await completeReplica(server);
    for (let generation = 1; generation <= 200; generation += 1) {
      const name = `n${generation}`;
      const [, , found] = await Promise.all([
        one
          .put(record(name, 1, `${name}.one.example.org`))
          .then(() => one.put(record(name, 2, `${name}.two.example.org`))),
        other.find(name),
        other.find(name),
      ]);
      expect(["absent", "listed"]).toContain(found.kind);
    }
    for (let generation = 1; generation <= 200; generation += 1) {
      const name = `n${generation}`;
      const changed = listed(`${name}.two.example.org`);
      await eventually(async () => isEqual(await lookUp(other, name), changed), 1_000);
    }
  });

  onRedis("begin anew when changes were trimmed before they saw them", async () => {
    await using server = await redis();
    await using proxy = await faultProxy(server.port);
    await using one = await completeReplica(server);
    await using other = replica(`redis://127.0.0.1:${proxy.port}`);
    await complete(other);
    await one.put(record("alice"));
    await eventually(async () => (await lookUp(other, "alice")).kind === "listed");

    await proxy.cut();
    await eventually(() => other.away);
    await one.put(record("alice", 2, "moved.example.org"));
    await one.put(record("bob"));
    await server.ask((client) => client.xtrim("{test}:changes", "MAXLEN", 1));
    const { id } = await one.state();
    proxy.mend();
    await eventually(() => !other.away);
    expect(await lookUp(other, "alice")).toEqual(listed("moved.example.org"));
    expect(await one.state()).toMatchObject({ id, complete: true });
  });

  onRedis("make one registry of an empty Redis", async () => {
    await using server = await redis();
    const replicas = Array.from({ length: 5 }, () => replica(server.url));
    try {
      await eventually(() => replicas.every((each) => !each.away));
      const ids = await Promise.all(replicas.map(async (each) => (await each.state()).id));
      expect(new Set(ids).size).toBe(1);
    } finally {
      for (const each of replicas) await each[Symbol.asyncDispose]();
    }
  });
});

describe("while Redis is away", () => {
  onRedis("addresses come from memory, and everything else is unsure", async () => {
    await using server = await redis();
    await using registry = await completeReplica(server);
    await registry.put(record("alice"));
    await registry.put({ ...record("parked"), address: undefined });
    await registry.put(record("carol"));
    for (const name of ["alice", "bob", "parked"]) await lookUp(registry, name);

    await server.kill();
    await eventually(() => registry.away);
    expect(await lookUp(registry, "alice")).toEqual(listed("alice.at.example.org"));
    for (const name of ["bob", "parked", "carol"]) expect(await lookUp(registry, name)).toEqual({ kind: "unsure" });
    await expect(registry.put(record("dave"))).rejects.toThrow(RegistryAway);
    await expect(registry.read("alice")).rejects.toThrow(RegistryAway);
    await expect(registry.state()).rejects.toThrow(RegistryAway);
  });

  onRedis("an answer that takes too long is none, and nobody waits for the next", async () => {
    await using server = await redis();
    await using registry = await completeReplica(server);
    await registry.put(record("alice"));
    await lookUp(registry, "alice");
    server.pause();
    const startedAtMs = performance.now();
    expect(await registry.find("bob")).toEqual({ kind: "unsure" });
    expect(performance.now() - startedAtMs).toBeLessThan(1_500);
    await eventually(() => registry.away);
    expect(registry.recall("alice")).toEqual(listed("alice.at.example.org"));
    expect(registry.recall("carol")).toEqual({ kind: "unsure" });
    server.resume();
    await eventually(() => !registry.away);
    expect(await lookUp(registry, "bob")).toEqual({ kind: "absent" });
  });

  onRedis("commands that Redis holds back are not waited for", async () => {
    await using server = await redis();
    await using registry = await completeReplica(server);
    await registry.put(record("alice"));
    await server.ask((client) => client.call("CLIENT", "PAUSE", "1500", "ALL"));
    await expect(registry.put(record("bob"))).rejects.toThrow(RegistryAway);
    await eventually(async () => (await lookUp(registry, "bob")).kind !== "unsure");
    // Whether the write was done is for the writer to find out; what is answered is what Redis has.
    const stored = await registry.read("bob");
    expect((await lookUp(registry, "bob")).kind).toBe(stored === undefined ? "absent" : "listed");
  });

  onRedis.each([
    ["another protocol", () => Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["yes to everything", () => Buffer.from("+OK\r\n")],
    ["nothing", () => Buffer.from("*-1\r\n")],
    ["numbers", () => Buffer.from(":1\r\n:2\r\n:3\r\n")],
    ["an answer of the right form to another question", () => Buffer.from(frame(["0", "ok", "1", "1", "0-0", ""]))],
    ["an endless string", () => Buffer.concat([Buffer.from("$900000000\r\n"), Buffer.alloc(65_536, "x")])],
    ["noise", () => Buffer.from([0xff, 0x00, 0x0a, 0x0d, 0x24, 0x39, 0x0d, 0x0a])],
  ])("%s is no answer", async (_name, garbage) => {
    await using server = await redis();
    await using proxy = await faultProxy(server.port);
    await using registry = replica(`redis://127.0.0.1:${proxy.port}`);
    await complete(registry);
    await registry.put(record("alice"));
    await lookUp(registry, "alice");

    proxy.answer(garbage);
    const found = await registry.find("bob");
    expect(found).toEqual({ kind: "unsure" });
    await expect(registry.put(record("carol"))).rejects.toThrow(RegistryAway);
    await eventually(() => registry.away);
    expect(await lookUp(registry, "alice")).toEqual(listed("alice.at.example.org"));
    proxy.mend();
    await eventually(async () => isEqual(await lookUp(registry, "bob"), { kind: "absent" }));
  });

  onRedis("it is reached when it comes, also when it was not there at the start", async () => {
    await using server = await redis();
    await server.kill();
    await using registry = replica(server.url);
    expect(await lookUp(registry, "alice")).toEqual({ kind: "unsure" });
    expect(registry.reached).toBe(false);
    await server.start();
    await eventually(() => registry.reached);
  });

  onRedis("the wrong password or the wrong certificate is as if it were away", async () => {
    using tls = tlsDirectory();
    const files = { certificateFile: join(tls.path, "certificate.pem"), keyFile: join(tls.path, "key.pem") };
    await using server = await redis({ tls: files, options: ["--requirepass", "secret"] });
    const url = server.url.replace("127.0.0.1", "localhost");
    await using wrong = replica(url, { ca: tls.ca, password: "wrong" });
    await using none = replica(url, { ca: tls.ca });
    await using right = replica(url, { ca: tls.authority.pem, password: "secret" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const each of [wrong, none, right]) expect(each.reached).toBe(false);

    const pair = tls.authority.issue({ dns: ["localhost"] });
    await server.kill();
    writeFileSync(files.certificateFile, pair.certificate);
    writeFileSync(files.keyFile, pair.key);
    await server.start();
    await eventually(() => right.reached);
    for (const each of [wrong, none]) expect(each.reached).toBe(false);
  });

  onRedis("a refusal of Redis is no end of the connection", async () => {
    await using server = await redis();
    await using registry = await completeReplica(server);
    await registry.put(record("alice"));
    await server.ask((client) => client.config("SET", "maxmemory", "1"));
    await expect(registry.put(record("bob"))).rejects.toThrow(/OOM/);
    expect(await registry.find("alice")).toEqual(listed("alice.at.example.org"));
    expect(await registry.find("bob")).toEqual({ kind: "absent" });
    expect(registry.away).toBe(false);
    await server.ask((client) => client.config("SET", "maxmemory", "0"));
    expect(await registry.put(record("bob"))).toEqual({ changed: true });
  });
});

describe("content that is lost", () => {
  onRedis.each([
    ["all of it, while running", (server: TestRedis) => server.ask((client) => client.flushall())],
    ["the marker", (server: TestRedis) => server.ask((client) => client.del("{test}:registry"))],
    ["the names", (server: TestRedis) => server.ask((client) => client.del("{test}:names"))],
    ["one name", (server: TestRedis) => server.ask((client) => client.hdel("{test}:names", "carol"))],
    ["the stream", (server: TestRedis) => server.ask((client) => client.del("{test}:changes"))],
  ])("%s: under a new id, unsure until it is complete again", async (_name, lose) => {
    await using server = await redis();
    await using registry = await completeReplica(server);
    await registry.put(record("alice"));
    await registry.put(record("carol"));
    await lookUp(registry, "alice");
    const { id } = await registry.state();

    await lose(server);
    // Asked at once: the question itself must notice.
    expect(await registry.find("carol")).toEqual({ kind: "unsure" });
    expect(await registry.find("alice")).toEqual(listed("alice.at.example.org"));
    await eventually(async () => !registry.away && (await registry.state()).id !== id);
    expect(await registry.state()).toMatchObject({ complete: false, cells: { local: false } });
    for (const name of ["carol", "nobody"]) expect(await lookUp(registry, name)).toEqual({ kind: "unsure" });
    expect(await lookUp(registry, "alice")).toEqual(listed("alice.at.example.org"));

    for (const name of ["alice", "carol"]) await registry.put(record(name), true);
    for (const name of ["alice", "carol"])
      expect(await lookUp(registry, name)).toEqual(listed(`${name}.at.example.org`));
    await complete(registry);
    expect(await lookUp(registry, "nobody")).toEqual({ kind: "absent" });
    expect(await lookUp(registry, "alice")).toEqual(listed("alice.at.example.org"));
  });

  onRedis("a memory from before does not outlive the cells' passes", async () => {
    await using server = await redis();
    await using registry = await completeReplica(server);
    await using other = await completeReplica(server);
    for (const name of ["alice", "gone"]) {
      await registry.put(record(name));
      await lookUp(registry, name);
      await lookUp(other, name);
    }
    await server.ask((client) => client.flushall());
    for (const each of [registry, other]) await eventually(async () => !(await each.state()).complete);
    await registry.put(record("alice"), true);
    // It was remembered here, and a release is told to the others although nothing is there any more.
    expect(await lookUp(other, "gone")).toEqual(listed("gone.at.example.org"));
    expect(await registry.release(record("gone"))).toEqual({ changed: false });
    await eventually(async () => (await lookUp(other, "gone")).kind !== "listed");
    await complete(registry);
    await eventually(async () => (await lookUp(other, "gone")).kind === "absent");
    expect(await lookUp(registry, "gone")).toEqual({ kind: "absent" });
  });

  describe("an older dump", () => {
    async function restore(server: TestRedis): Promise<void> {
      await server.kill();
      server.replaceDump("kept");
      await server.start();
    }

    onRedis("never takes back what is known to be newer", async () => {
      await using server = await redis();
      await using registry = await completeReplica(server);
      await using other = await completeReplica(server);
      await registry.put(record("alice", 1, "old.example.org"));
      await registry.put(record("bob", 1, "old-bob.example.org"));
      await server.keepDump();
      await registry.put(record("alice", 2, "new.example.org"));
      await registry.put(record("bob", 2, "new-bob.example.org"));
      await registry.put(record("carol"));
      await lookUp(registry, "alice");
      await eventually(async () => (await lookUp(other, "carol")).kind === "listed");
      const { id } = await registry.state();

      await restore(server);
      await eventually(async () => !registry.away && !other.away && (await registry.state()).id !== id);
      for (let i = 0; i < 20; i += 1) {
        expect(await lookUp(registry, "alice")).toEqual(listed("new.example.org"));
        expect(await lookUp(registry, "bob")).toEqual({ kind: "unsure" });
        expect(await lookUp(other, "alice")).toEqual({ kind: "unsure" });
      }
      expect((await registry.state()).id).toBe((await other.state()).id);
      expect(await registry.state()).toMatchObject({ complete: false });

      // An older writer, who would be right by the dump, is told off by who knows better.
      expect(await registry.put(record("alice", 1, "old.example.org"))).toEqual({ refused: "stale-generation" });
      await other.put(record("alice", 1, "old.example.org"));
      expect(await lookUp(registry, "alice")).toEqual(listed("new.example.org"));

      await other.put(record("alice", 2, "new.example.org"));
      await other.put(record("bob", 2, "new-bob.example.org"), true);
      await eventually(async () => isEqual(await lookUp(registry, "bob"), listed("new-bob.example.org")));
      await complete(other);
      await eventually(async () => (await lookUp(registry, "nobody")).kind === "absent");
      for (const each of [registry, other]) {
        expect(await lookUp(each, "alice")).toEqual(listed("new.example.org"));
        expect(await lookUp(each, "bob")).toEqual(listed("new-bob.example.org"));
      }
    });

    onRedis("gives way to who has held a name since, and to nobody else", async () => {
      await using server = await redis();
      await using registry = await completeReplica(server);
      const heir = { ...record("alice", 1), claim: "heir" };
      await registry.put(record("alice", 7));
      await server.keepDump();
      await registry.handOver({ name: "alice", claim: "claim-alice", to: "heir" });
      await registry.put(heir);
      const { id } = await registry.state();

      await restore(server);
      await eventually(async () => !registry.away && (await registry.state()).id !== id);
      expect(await registry.put({ ...heir, claim: "thief", generation: 9 })).toEqual({ refused: "claimed" });
      expect(await registry.put(heir, true)).toEqual({ changed: true });
      expect(await registry.put(record("alice", 8), true)).toEqual({ refused: "claimed" });
      await complete(registry);
      expect(await registry.read("alice")).toEqual(heir);
    });

    onRedis("is noticed although somebody has written to it since", async () => {
      await using server = await redis();
      await using proxy = await faultProxy(server.port);
      await using registry = replica(`redis://127.0.0.1:${proxy.port}`);
      await complete(registry);
      await registry.put(record("alice"));
      await server.keepDump();
      await registry.put(record("bob"));
      await lookUp(registry, "alice");
      await proxy.cut();
      await restore(server);
      {
        // A replica that has seen nothing of it believes the dump, and writes as many changes as were lost, and more.
        await using newcomer = replica(server.url);
        await eventually(() => newcomer.reached);
        for (const name of ["x", "y", "z"]) await newcomer.put(record(name));
        expect(await newcomer.find("bob")).toEqual({ kind: "absent" });
      }
      proxy.mend();
      await eventually(() => !registry.away);
      expect(await lookUp(registry, "bob")).toEqual({ kind: "unsure" });
      expect(await registry.state()).toMatchObject({ complete: false });
    });

    onRedis("with nothing lost goes on as before", async () => {
      await using server = await redis();
      await using registry = await completeReplica(server);
      await registry.put(record("alice"));
      await eventually(async () => (await lookUp(registry, "alice")).kind === "listed");
      const { id } = await registry.state();
      await server.keepDump();
      await restore(server);
      await eventually(() => !registry.away);
      expect(await registry.state()).toMatchObject({ id, complete: true });
      expect(await lookUp(registry, "nobody")).toEqual({ kind: "absent" });
    });
  });
});

/** The RESP form of an array of texts. */
function frame(texts: readonly string[]): string {
  return `*${texts.length}\r\n${texts.map((text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`).join("")}`;
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

async function readsOf(server: TestRedis): Promise<number> {
  const stats = await server.ask((client) => client.info("commandstats"));
  return Number(/cmdstat_hget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** breaks every connection and accepts none */
  cut(): Promise<void>;
  /** answers every piece of a request with that instead of passing it on, on connections of now and later */
  answer(garbage: () => Buffer): void;
  /** works again, for new connections */
  mend(): void;
}

/** Passes bytes on to a port, until it does not. */
async function faultProxy(target: number): Promise<FaultProxy> {
  let mode: "pass" | "cut" | (() => Buffer) = "pass";
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    client.on("error", () => client.destroy());
    if (mode === "cut") {
      client.destroy();
      return;
    }
    const upstream = connect(target, "127.0.0.1");
    upstream.on("error", () => upstream.destroy());
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => {
      if (typeof mode === "function") client.write(mode());
      else upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (mode === "pass") client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async cut() {
      mode = "cut";
      breakAll();
    },
    answer(garbage) {
      mode = garbage;
    },
    mend() {
      mode = "pass";
      breakAll();
    },
    async [Symbol.asyncDispose]() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
