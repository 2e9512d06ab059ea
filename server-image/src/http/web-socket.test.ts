import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { cramDigest } from "@atrium/protocol";
import { one } from "@atrium/runtime/tls-files.vectors.ts";
import { describe, expect, test } from "@jest/globals";
import { type ClientOptions, WebSocket } from "ws";
import { secret } from "../testing/atserver.ts";
import { dial, listen, read, readAll } from "../testing/listener.ts";

type At = Awaited<ReturnType<typeof listen>>;

/** A client of the library that browsers' programs and others use. */
class Client {
  readonly webSocket: WebSocket;
  readonly closed: Promise<number>;
  readonly #messages: string[] = [];
  #wake: () => void = () => undefined;

  constructor(at: At, options: ClientOptions = {}, path = "/ws") {
    this.webSocket = new WebSocket(`wss://${at.server.address.host}:${at.server.address.port}${path}`, {
      ca: one.certificate,
      servername: "one.test",
      checkServerIdentity: () => undefined,
      ALPNProtocols: ["http/1.1"],
      ...options,
    } as ClientOptions);
    this.webSocket.on("message", (data: Buffer, isBinary) => {
      this.#messages.push(isBinary ? "not text" : data.toString());
      this.#wake();
    });
    this.webSocket.on("error", () => undefined);
    this.closed = new Promise((resolve) => this.webSocket.once("close", resolve));
    void this.closed.then(() => this.#wake());
  }

  /** @returns the next message; undefined when the connection has ended */
  async message(): Promise<string | undefined> {
    while (this.#messages.length === 0 && this.webSocket.readyState !== WebSocket.CLOSED) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#messages.shift();
  }

  async ask(line: string): Promise<string | undefined> {
    this.webSocket.send(`${line}\n`);
    return await this.message();
  }

  async login(): Promise<this> {
    expect(await this.message()).toBe("@");
    const challenge = /^data:(\S+)\n@$/.exec((await this.ask("from:@alice")) ?? "")?.[1] ?? "";
    expect(await this.ask(`cram:${cramDigest(secret, challenge)}`)).toBe("data:success\n@alice@");
    return this;
  }

  [Symbol.dispose](): void {
    this.webSocket.terminate();
  }
}

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const upgrade = `GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`;

/** A frame as a client sends it, masked with zeros. @param head its first byte: what it is, and whether it is the last */
function frame(head: number, payload: string | Buffer, announcedBytes = Buffer.byteLength(payload)): Buffer {
  const length = Buffer.alloc(9);
  length[0] = 0x80 | 127;
  length.writeBigUInt64BE(BigInt(announcedBytes), 1);
  return Buffer.concat([Buffer.from([head]), length, Buffer.alloc(4), Buffer.from(payload)]);
}

/** A connection that has been upgraded, bare. */
async function bare(at: At): Promise<TLSSocket> {
  const socket = dial(at.server, { ALPNProtocols: ["http/1.1"] });
  socket.write(upgrade);
  let all = "";
  while (!all.endsWith("\x81\x01@")) all += (await read(socket)).replace("\ufffd", "\x81");
  expect(all).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  expect(all).not.toMatch(/sec-websocket-extensions/i);
  return socket;
}

describe("WebSocket", () => {
  test("carries the line protocol: each reply is one message, whatever the messages of the client are", async () => {
    await using at = await listen();
    using client = new Client(at);
    expect(await client.message()).toBe("@");
    expect(await client.ask("noop:0")).toBe("data:ok\n@");
    client.webSocket.send("no");
    client.webSocket.send(Buffer.from("op:0\r\nnoop"));
    expect(await client.message()).toBe("data:ok\n@");
    client.webSocket.send(":0\nlookup:x.y@alice\n", { binary: true });
    expect(await client.message()).toBe("data:ok\n@");
    expect(await client.message()).toMatch(/^error:AT0015-.*\n@$/);
    client.webSocket.send("noop", { fin: false });
    client.webSocket.send(":0\n");
    expect(await client.message()).toBe("data:ok\n@");
    client.webSocket.send(Buffer.from([0x6e, 0xff, 0x0a]), { binary: false });
    expect(await client.message()).toMatch(/^error:AT0003-.*UTF-8\n@$/);
    expect(client.webSocket.extensions).toBe("");
    expect(at.server.connections).toBe(1);
    client.webSocket.close();
    expect(await client.closed).toBe(1005);
    while (at.server.connections > 0) await new Promise(setImmediate);
  });

  test("takes the owner's largest command and gives it back in one message", async () => {
    await using at = await listen();
    using client = await new Client(at).login();
    const value = "x".repeat(10_240_000 - "update:public:a.b@alice \n".length);
    expect(await client.ask(`update:public:a.b@alice ${value}`)).toMatch(/^data:\d+\n@alice@$/);
    expect((await client.ask("llookup:public:a.b@alice")) === `data:${value}\n@alice@`).toBe(true);
    const { inputBudget, outputBudgets } = at.parts;
    while (outputBudgets.owner.takenBytes > 0) await new Promise(setImmediate);
    expect([inputBudget.takenBytes, outputBudgets.owner.takenBytes]).toEqual([0, 0]);
    expect(await client.ask(`update:public:a.b@alice ${value}x`)).toMatch(/^error:AT0005-/);
    expect(await client.closed).toBe(1000);
  });

  test("brings each notification in one message, however long its parts are", async () => {
    await using at = await listen();
    using client = await new Client(at).login();
    expect(await client.ask("monitor:selfNotifications")).toMatch(/^notification: \{"id":"-1"/);
    using sender = await new Client(at).login();
    for (const value of ["v", "x".repeat(65_536), `${"x".repeat(65_536)}@y@`, "\\".repeat(200_000)]) {
      expect(await sender.ask(`notify:@alice:a.b@alice:${value}`)).toMatch(/^data:/);
      const line = (await client.message()) ?? "";
      expect(JSON.parse(line.replace("notification: ", "")).value === value).toBe(true);
    }
  });

  test("refuses what is too long before it has arrived", async () => {
    await using at = await listen();
    using client = new Client(at);
    await client.message();
    client.webSocket.send("x".repeat(5_000_000));
    expect(await client.message()).toMatch(/^error:AT0005-.*limit 65536, got \d{5,6}\)\n@$/);
    await client.closed;
    while (at.server.connections > 0) await new Promise(setImmediate);
    using owner = await new Client(at).login();
    owner.webSocket.send("x".repeat(10_400_000));
    // The library says it in its own words, when the frame says it is too long.
    await owner.closed;
  });

  test("shares the memory for large commands with all others", async () => {
    await using at = await listen({ heldBytes: 20_480_000 });
    const clients = await Promise.all(Array.from({ length: 6 }, () => new Client(at).login()));
    const command = `update:public:a.b@alice ${"x".repeat(9_000_000)}`;
    let mostBytes = 0;
    const watch = setInterval(() => {
      mostBytes = Math.max(mostBytes, at.parts.inputBudget.takenBytes);
    }, 1);
    using plain = new Client(at);
    await plain.message();
    const replies = clients.map((client) => client.ask(command));
    expect(await plain.ask("noop:0")).toBe("data:ok\n@");
    for (const reply of await Promise.all(replies)) expect(reply).toMatch(/^data:\d+\n@alice@$/);
    clearInterval(watch);
    expect(mostBytes).toBeGreaterThan(9_000_000);
    expect(mostBytes).toBeLessThanOrEqual(20_480_000);
    expect(at.parts.inputBudget.takenBytes).toBe(0);
    for (const client of clients) client[Symbol.dispose]();
  });

  test("answers pings, and does not keep answers that nobody reads", async () => {
    await using at = await listen();
    using client = new Client(at);
    await client.message();
    client.webSocket.ping("are you there");
    expect(String((await once(client.webSocket, "pong"))[0])).toBe("are you there");
    const socket = await bare(at);
    socket.pause();
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125]), Buffer.alloc(4), Buffer.alloc(125, "x")]);
    const pings = Buffer.concat(Array.from({ length: 100_000 }, () => ping));
    socket.write(pings);
    await new Promise<void>((resolve) => socket.write(frame(0x82, "noop:0\n"), () => resolve()));
    // Had each been answered, as many bytes would come.
    let bytes = 0;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (chunk.includes("data:ok\n@")) break;
    }
    expect(bytes).toBeGreaterThan(127);
    expect(bytes).toBeLessThan(pings.length / 2);
  });

  test.each([
    ["a frame without a mask", Buffer.from([0x81, 0x01, 0x40]), 1002],
    ["a reserved bit", frame(0xc1, "x\n"), 1002],
    ["an unknown kind of frame", frame(0x83, "x\n"), 1002],
    ["a fragment of nothing", frame(0x80, "x\n"), 1002],
    ["a message that is announced as too long", frame(0x81, "x", 2 ** 40), 1009],
  ])("closes on %s, and says why", async (_what, bytes, code) => {
    await using at = await listen();
    const socket = await bare(at);
    socket.write(bytes);
    const [closing] = (await once(socket, "data")) as [Buffer];
    expect([closing[0], closing.readUInt16BE(2)]).toEqual([0x88, code]);
    socket.destroy();
    while (at.server.connections > 0) await new Promise(setImmediate);
  });

  test("closes on too many fragments", async () => {
    await using at = await listen();
    const socket = await bare(at);
    socket.write(Buffer.concat([frame(0x01, ""), ...Array.from({ length: 6_000 }, () => frame(0x00, ""))]));
    expect((await readAll(socket)).includes("AT0005")).toBe(true);
  });

  test("gives a message that trickles in as much time as any command", async () => {
    await using at = await listen();
    const socket = await bare(at);
    socket.write(frame(0x81, "noop", 7));
    await new Promise((resolve) => setTimeout(resolve, 20));
    at.clock.advance(30_000);
    const reply = readAll(socket);
    const another = dial(at.server);
    await read(another);
    expect(await reply).toContain("error:AT0023-Exception: the command did not end in time\n@");
    another.destroy();
  });

  test("lets a client that is quiet between commands be, within the idle time of all", async () => {
    await using at = await listen();
    using client = new Client(at);
    await client.message();
    at.clock.advance(599_000);
    const first = dial(at.server);
    await read(first);
    expect(await client.ask("noop:0")).toBe("data:ok\n@");
    at.clock.advance(600_000);
    const second = dial(at.server);
    await read(second);
    expect(await client.closed).toBe(1000);
    first.destroy();
    second.destroy();
  });

  test("is only at its path, and needs all of its handshake", async () => {
    await using at = await listen();
    const statusOf = async (request: string) => {
      const socket = dial(at.server, { ALPNProtocols: ["http/1.1"] });
      socket.write(request);
      const reply = await read(socket);
      socket.destroy();
      return /^HTTP\/1\.1 (\d+)/.exec(reply)?.[1];
    };
    expect(await statusOf(upgrade.replace("/ws", "/other"))).toBe("404");
    expect(await statusOf(upgrade.replace("/ws", "/ws?x=y"))).toBe("101");
    expect(await statusOf(upgrade.replace("GET", "POST"))).toBe("405");
    expect(await statusOf(upgrade.replace(key, "short"))).toBe("400");
    expect(await statusOf(upgrade.replace("Version: 13", "Version: 99"))).toBe("400");
    expect(await statusOf("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n")).toBe("426");
    expect(await statusOf("GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")).toBe("404");
  });

  test("is for pages of any origin, and for any subprotocol", async () => {
    await using at = await listen();
    using client = new Client(at, { origin: "https://elsewhere.example" });
    expect(await client.message()).toBe("@");
  });

  test("runs what came before the client closed", async () => {
    await using at = await listen();
    using client = await new Client(at).login();
    client.webSocket.send("update:public:a.b@alice v\nupdate:public:c.d@alice w\n");
    client.webSocket.close();
    await client.closed;
    while (at.server.connections > 0) await new Promise(setImmediate);
    expect(at.store.get("public:c.d@alice")?.value).toBe("w");
  });

  test("ends when the server does", async () => {
    const at = await listen();
    using client = new Client(at);
    await client.message();
    client.webSocket.send("noop:50\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
    await at.server[Symbol.asyncDispose]();
    expect(await client.message()).toBe("data:ok\n@");
    expect(await client.closed).toBe(1000);
  });
});
