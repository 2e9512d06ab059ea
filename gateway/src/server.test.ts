import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { silent } from "@atrium/runtime/log.ts";
import { one } from "@atrium/runtime/tls-files.vectors.ts";
import { describe, expect, test } from "@jest/globals";
import type { Refusal } from "./connection.ts";
import { Limits } from "./limits.ts";
import { type HandleLink, handleNet } from "./net/handle-net.ts";
import { openLibuv } from "./net/libuv.ts";
import type { Net } from "./net/link.ts";
import { socketNet } from "./net/socket-net.ts";
import type { PipeOutcome, Traffic } from "./pipe.ts";
import { type Route, RouteTable } from "./routes/table.ts";
import { serveGateway } from "./server.ts";
import { hellos } from "./vectors/hellos.ts";

const quick = {
  periodMs: 5,
  helloMs: 2_000,
  connectMs: 2_000,
  rerouteMs: 2_000,
  firstByteMs: 2_000,
  idleMs: 5_000,
  halfClosedMs: 2_000,
  lingerMs: 200,
  drainMs: 0,
};

interface Settings extends Partial<typeof quick> {
  total?: number;
  perAddress?: number;
  perHost?: number;
  isProxy?: (address: string) => boolean;
}

/** A ClientHello for this host. */
const host = "alice.at.example.org";
const hello = Buffer.from(hellos.find(({ client }) => client.startsWith("Java"))?.bytes ?? "", "base64");
const nameless = Buffer.from(hellos.find(({ serverName }) => serverName === undefined)?.bytes ?? "", "base64");

async function openGateway(net: Net, settings: Settings = {}) {
  const table = new RouteTable();
  const limits = new Limits({
    total: settings.total ?? 100,
    perAddress: settings.perAddress ?? 100,
    perHost: settings.perHost ?? 100,
  });
  const traffic: Traffic = { fromClients: 0, fromUpstreams: 0 };
  const events: (Refusal | PipeOutcome | "rerouted")[] = [];
  let changed = () => {};
  const note = (event: (typeof events)[number]) => {
    events.push(event);
    changed();
  };
  const gateway = await serveGateway({
    ...quick,
    ...settings,
    entrances: [{ address: { host: "127.0.0.1", port: 0 }, isProxy: settings.isProxy ?? (() => false) }],
    net,
    routes: table,
    limits,
    traffic,
    log: silent,
    onRefused: note,
    onEnd: note,
    onRerouted: () => note("rerouted"),
  });
  const port = gateway.addresses[0]?.port ?? 0;
  const sockets: Socket[] = [];
  return {
    table,
    limits,
    traffic,
    events,
    port,
    route: (upstream: { port: number } | undefined, { epoch = 1, name = host } = {}) =>
      table.put({
        host: name,
        uid: "u",
        epoch,
        ...(upstream === undefined
          ? { state: "Suspended", upstream: undefined }
          : { state: "Serving", upstream: { host: "127.0.0.1", port: upstream.port } }),
      } satisfies Route),
    /** A connection that has sent these bytes. */
    async connect(...chunks: Buffer[]): Promise<Socket> {
      const socket = connectTcp({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      sockets.push(socket);
      socket.on("error", () => socket.destroy());
      await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
      for (const chunk of chunks) socket.write(chunk);
      return socket;
    },
    /** @returns once this event has come, and every place has been given back */
    async ended(event: Refusal | PipeOutcome): Promise<void> {
      while (!(events.includes(event) && limits.total === 0)) {
        await new Promise<void>((resolve) => {
          changed = resolve;
          setTimeout(resolve, 10);
        });
      }
    },
    close: () => gateway[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

/** An atServer, as far as a gateway sees it: it takes connections, and does with each what the test says. */
async function openUpstream(serve: (socket: Socket, index: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    sockets.push(socket);
    serve(socket, sockets.length - 1);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers `@` to the hello, and then what comes. */
function echo(socket: Socket): void {
  socket.once("data", () => {
    socket.write("@");
    socket.pipe(socket);
  });
}

/** @returns what comes until the FIN, or the error that came instead */
async function outcome(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  const error = await new Promise<Error | undefined>((resolve) => {
    socket.once("end", () => resolve(undefined)).once("error", resolve);
  });
  return error === undefined ? Buffer.concat(chunks).toString("hex") : ((error as NodeJS.ErrnoException).code ?? "");
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.resume().once("close", resolve));
}

const alert = (description: number) => Buffer.from([21, 3, 3, 0, 2, 2, description]).toString("hex");
const text = (hex: string) => Buffer.from(hex, "hex").toString();

describe.each<[string, () => Net]>([
  ["handles", fastNet],
  ["sockets", () => socketNet],
])("a gateway on %s", (_name, net) => {
  test("joins a TLS client and the server that it asks for, unopened", async () => {
    const server = createTlsServer({ cert: one.certificate, key: one.key }, (socket) => socket.end("from one.test"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    await using gateway = await openGateway(net());
    gateway.route(server.address() as AddressInfo, { name: "one.test" });
    const client = connectTls({ port: gateway.port, host: "127.0.0.1", servername: "ONE.test", ca: one.certificate });
    expect((await client.toArray()).join("")).toBe("from one.test");
    expect(client.authorized).toBe(true);
    await gateway.ended("finished");
    expect(gateway.traffic.fromUpstreams).toBeGreaterThan(500);
    server.close();
  });

  test("passes on exactly the bytes of the hello and behind it", async () => {
    const received: Buffer[] = [];
    await using upstream = await openUpstream((socket) => {
      socket.on("data", (bytes) => received.push(bytes)).on("end", () => socket.end("@"));
    });
    await using gateway = await openGateway(net());
    gateway.route(upstream);
    const client = await gateway.connect(Buffer.concat([hello, Buffer.from("early")]), Buffer.from(" data"));
    while (Buffer.concat(received).length < hello.length + 10) await new Promise(setImmediate);
    expect(Buffer.concat(received).toString("hex")).toBe(
      Buffer.concat([hello, Buffer.from("early data")]).toString("hex"),
    );
    client.destroy();
    await gateway.ended("client gone");
  });

  test("takes a hello byte by byte", async () => {
    await using upstream = await openUpstream(echo);
    await using gateway = await openGateway(net());
    gateway.route(upstream);
    const client = await gateway.connect();
    for (const byte of hello) {
      client.write(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    expect((await once(client, "data")).join("")).toBe("@");
  });

  test.each<[string, Buffer[], string, Refusal]>([
    ["no name", [nameless], alert(109), "no server name"],
    ["an unknown name", [hello], alert(112), "unknown host"],
    ["too long a hello", [Buffer.from([22, 3, 1, 64, 0, 1, 1, 0, 0])], alert(22), "oversize hello"],
    [
      "a hello that never ends",
      Array.from({ length: 4_000 }, () => Buffer.from([22, 3, 1, 0, 1, 1])),
      alert(22),
      "oversize hello",
    ],
    ["a broken hello", [Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0])], alert(50), "malformed hello"],
    ["plain HTTP", [Buffer.from("GET / HTTP/1.1\r\nHost: alice\r\n\r\n")], "", "not TLS"],
    ["garbage", [Buffer.alloc(100_000, 0xa5)], "", "not TLS"],
  ])("refuses %s at once", async (_what, chunks, answer, reason) => {
    await using gateway = await openGateway(net(), { lingerMs: 2_000 });
    const started = performance.now();
    const client = await gateway.connect(...chunks);
    const got = outcome(client);
    expect(await got).toBe(answer);
    expect(performance.now() - started).toBeLessThan(1_000);
    client.end();
    await gateway.ended(reason);
  });

  test("refuses a suspended name", async () => {
    await using gateway = await openGateway(net());
    gateway.route(undefined);
    const client = await gateway.connect(hello);
    expect(await outcome(client)).toBe(alert(112));
    client.end();
    await gateway.ended("suspended");
  });

  test.each([0, 1, 300])("cuts a client off that stops after %i bytes", async (length) => {
    await using gateway = await openGateway(net(), { helloMs: 50, lingerMs: 20 });
    const client = await gateway.connect(hello.subarray(0, length));
    expect(await outcome(client)).toBe("");
    await gateway.ended("slow hello");
  });

  test("cuts a client off that goes on too slowly", async () => {
    await using gateway = await openGateway(net(), { helloMs: 50, lingerMs: 20 });
    const client = await gateway.connect();
    let at = 0;
    const dripping = setInterval(() => client.write(hello.subarray(at, ++at)), 10);
    expect(["", "ECONNRESET"]).toContain(await outcome(client));
    clearInterval(dripping);
    await gateway.ended("slow hello");
  });

  test("is quiet about clients that come and go", async () => {
    await using gateway = await openGateway(net());
    (await gateway.connect()).destroy();
    (await gateway.connect(hello.subarray(0, 50))).destroy();
    (await gateway.connect(hello.subarray(0, 50))).resetAndDestroy();
    while (gateway.events.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(gateway.events).toEqual(["client gone", "client gone", "client gone"]);
    await gateway.ended("client gone");
  });

  test("passes on the FIN of each side, with the other side still talking", async () => {
    await using upstream = await openUpstream(echo);
    await using gateway = await openGateway(net());
    gateway.route(upstream);
    const client = await gateway.connect(hello);
    await once(client, "data");
    client.end("last words");
    expect(text(await outcome(client))).toBe("last words");
    await gateway.ended("finished");

    await using speaker = await openUpstream((socket) => socket.once("data", () => socket.end("@bye")));
    gateway.route(speaker);
    const listener = await gateway.connect(hello);
    expect(text(await outcome(listener))).toBe("@bye");
    listener.write("one more");
    const [server] = speaker.sockets;
    expect(String(await once(server as Socket, "data"))).toBe("one more");
    listener.end();
    await gateway.ended("finished");
  });

  test("passes on the RST of each side", async () => {
    await using upstream = await openUpstream(echo);
    await using gateway = await openGateway(net());
    gateway.route(upstream);
    const first = await gateway.connect(hello);
    await once(first, "data");
    const reset = once(upstream.sockets[0] as Socket, "error");
    first.resetAndDestroy();
    expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);

    const second = await gateway.connect(hello);
    await once(second, "data");
    const result = outcome(second);
    upstream.sockets[1]?.resetAndDestroy();
    expect(await result).toBe("ECONNRESET");
    await gateway.ended("broken");
    expect(gateway.events).toEqual(["broken", "broken"]);
  });

  test("holds a fast server back when the client does not read, and loses nothing", async () => {
    const total = 64 * 1024 * 1024;
    let sent = 0;
    await using upstream = await openUpstream((socket) => {
      socket.once("data", () => {
        const chunk = Buffer.alloc(65_536, "x");
        const more = () => {
          while (sent < total) {
            sent += chunk.length;
            if (!socket.write(chunk)) return;
          }
          socket.end();
        };
        socket.on("drain", more);
        more();
      });
    });
    await using gateway = await openGateway(net());
    gateway.route(upstream);
    const client = await gateway.connect(hello);
    client.pause();
    for (let before = -1; before !== sent; ) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(sent).toBeLessThan(total / 2); // what the kernel's buffers hold, and one chunk of the gateway
    let received = 0;
    for await (const chunk of client) received += (chunk as Buffer).length;
    expect(received).toBe(total);
    client.end();
    await gateway.ended("finished");
  });

  test("goes to the successor when the server has gone before its first byte", async () => {
    await using successor = await openUpstream(echo);
    await using gateway = await openGateway(net());
    await using leaving = await openUpstream((socket) => {
      socket.once("data", () => {
        socket.destroy();
        setTimeout(() => gateway.route(successor, { epoch: 2 }), 20);
      });
    });
    gateway.route(leaving);
    const client = await gateway.connect(hello);
    expect(String(await once(client, "data"))).toBe("@");
    client.end();
    await gateway.ended("finished");
    expect(gateway.events).toEqual(["rerouted", "finished"]);
    expect(leaving.sockets).toHaveLength(1);
  });

  test("tries a server that is not there once more, then gives up fast", async () => {
    const gone = await openUpstream(echo);
    await gone[Symbol.asyncDispose]();
    await using gateway = await openGateway(net(), { rerouteMs: 50 });
    gateway.route(gone);
    const client = await gateway.connect(hello);
    expect(await outcome(client)).toBe("ECONNRESET");
    await gateway.ended("upstream gone");
    expect(gateway.events).toEqual(["rerouted", "upstream gone"]);
  });

  test("tells the client when the name is withdrawn while it waits", async () => {
    const gone = await openUpstream(echo);
    await gone[Symbol.asyncDispose]();
    await using gateway = await openGateway(net());
    gateway.route(gone);
    const client = await gateway.connect(hello);
    const result = outcome(client);
    await new Promise((resolve) => setTimeout(resolve, 30));
    gateway.table.remove(host, 1);
    expect(await result).toBe(alert(112));
  });

  test("does not wait for ever for a first byte, nor for an idle connection", async () => {
    await using silentServer = await openUpstream((socket) => socket.resume());
    await using gateway = await openGateway(net(), { firstByteMs: 40, rerouteMs: 20, idleMs: 60 });
    gateway.route(silentServer);
    const waiting = await gateway.connect(hello);
    expect(await outcome(waiting)).toBe("ECONNRESET");
    await gateway.ended("upstream slow");

    await using upstream = await openUpstream(echo);
    gateway.route(upstream);
    const idle = await gateway.connect(hello);
    const started = performance.now();
    const result = outcome(idle);
    for (let count = 0; count < 5; count += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      idle.write(".");
    }
    expect(text(await result)).toBe("@.....");
    expect(performance.now() - started).toBeGreaterThan(150);
    idle.end();
    await gateway.ended("idle");
  });

  test("ends half a connection sooner than a whole one", async () => {
    await using upstream = await openUpstream((socket) => socket.once("data", () => socket.end("@")));
    await using gateway = await openGateway(net(), { halfClosedMs: 40 });
    gateway.route(upstream);
    const client = await gateway.connect(hello);
    expect(text(await outcome(client))).toBe("@");
    await gateway.ended("idle");
  });

  test("limits connections in all, from an address and to a host", async () => {
    await using upstream = await openUpstream(echo);
    for (const [limit, reason] of [
      [{ total: 2 }, "too many connections"],
      [{ perAddress: 2 }, "too many from address"],
      [{ perHost: 2 }, "too many to host"],
    ] as const) {
      await using gateway = await openGateway(net(), limit);
      gateway.route(upstream);
      const [first, second] = [await gateway.connect(hello), await gateway.connect(hello)];
      await Promise.all([once(first, "data"), once(second, "data")]);
      const third = await gateway.connect(hello);
      await closed(third);
      expect(gateway.events).toEqual([reason]);
      second.destroy();
      while (gateway.limits.total > 1) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(String(await once(await gateway.connect(hello), "data"))).toBe("@");
      first.destroy();
    }
  });

  test("believes a PROXY header of a load balancer, and of nobody else", async () => {
    const header = Buffer.from("0d0a0d0a000d0a515549540a2111000ccb007107c0000201303901bb", "hex");
    await using upstream = await openUpstream(echo);
    await using balanced = await openGateway(net(), { isProxy: (address) => address === "127.0.0.1", perAddress: 1 });
    balanced.route(upstream);
    const first = await balanced.connect(Buffer.concat([header, hello]));
    expect(String(await once(first, "data"))).toBe("@");
    const same = await balanced.connect(header, hello);
    await closed(same);
    const other = Buffer.from(header);
    other[16] = 204;
    expect(String(await once(await balanced.connect(other, hello), "data"))).toBe("@");
    const bare = await balanced.connect(hello);
    expect(await outcome(bare)).toBe("");
    expect(balanced.events).toEqual(["too many from address", "bad proxy header"]);

    await using direct = await openGateway(net());
    direct.route(upstream);
    expect(await outcome(await direct.connect(header, hello))).toBe("");
    expect(direct.events).toEqual(["not TLS"]);
  });

  test("drains: no new connections, the old ones go on until they end", async () => {
    await using upstream = await openUpstream(echo);
    const gateway = await openGateway(net(), { drainMs: 20_000 });
    gateway.route(upstream);
    const client = await gateway.connect(hello);
    await once(client, "data");
    const drained = gateway.close();
    const refused = connectTcp(gateway.port, "127.0.0.1");
    expect(await once(refused, "error")).toMatchObject([{ code: "ECONNREFUSED" }]);
    client.write("still here");
    expect(String(await once(client, "data"))).toBe("still here");
    client.end();
    await drained;
    expect(gateway.events).toEqual(["finished"]);
  });

  test("ends what is left after the drain with a FIN to both sides", async () => {
    const ends: Promise<unknown>[] = [];
    await using upstream = await openUpstream((socket) => {
      echo(socket);
      ends.push(once(socket, "end"));
    });
    const gateway = await openGateway(net(), { drainMs: 30 });
    gateway.route(upstream);
    const served = await gateway.connect(hello);
    await once(served, "data");
    const unready = await gateway.connect(hello.subarray(0, 10));
    const results = Promise.all([outcome(served), outcome(unready)]);
    const drained = gateway.close();
    expect(await results).toEqual(["", ""]);
    await Promise.all(ends);
    served.destroy();
    unready.destroy();
    await drained;
    expect(gateway.limits.total).toBe(0);
    expect(gateway.events.toSorted()).toEqual(["drained", "drained"]);
  });

  test("says when it cannot listen, and leaves nothing open", async () => {
    await using taken = await openUpstream(echo);
    await using gateway = await openGateway(net());
    await expect(
      serveGateway({
        ...quick,
        entrances: [0, taken.port].map((port) => ({ address: { host: "127.0.0.1", port }, isProxy: () => false })),
        net: net(),
        routes: gateway.table,
        limits: gateway.limits,
        traffic: gateway.traffic,
        log: silent,
        onRefused() {},
        onEnd() {},
        onRerouted() {},
      }),
    ).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

function fastNet(): Net {
  const libuv = openLibuv<HandleLink>();
  if (libuv === undefined) throw new Error("this Node has no handles as known here");
  return handleNet(libuv, { maxKeptBytes: 1e9 });
}
