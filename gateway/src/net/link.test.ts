import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { type HandleLink, handleNet } from "./handle-net.ts";
import { openLibuv } from "./libuv.ts";
import type { Link, LinkUser, Net } from "./link.ts";
import { socketNet } from "./socket-net.ts";

const local = { host: "127.0.0.1", port: 0 };

function fastNet(maxKeptBytes = 1e9): Net {
  const libuv = openLibuv<HandleLink>();
  if (libuv === undefined) throw new Error("this Node has no handles as known here");
  return handleNet(libuv, { maxKeptBytes });
}

/** A user that notes what it is told, and can wait for it. */
class Recorder implements LinkUser {
  readonly events: string[] = [];
  received = Buffer.alloc(0);
  link: Link | undefined;
  #wanted: [(events: string[]) => boolean, () => void][] = [];

  onConnect(): void {
    this.#note("connect");
  }

  onData(_link: Link, bytes: Uint8Array): void {
    this.received = Buffer.concat([this.received, bytes]);
    this.#note("data");
  }

  onDrain(): void {
    this.#note("drain");
  }

  onEnd(): void {
    this.#note("end");
  }

  onClose(_link: Link, error: string | undefined): void {
    this.#note(`close ${error ?? "in order"}`);
  }

  until(condition: (events: string[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (condition(this.events)) resolve();
      else this.#wanted.push([condition, resolve]);
    });
  }

  seen(event: string): Promise<void> {
    return this.until((events) => events.includes(event));
  }

  #note(event: string): void {
    this.events.push(event);
    this.#wanted = this.#wanted.filter(([condition, resolve]) => !condition(this.events) || void resolve());
  }
}

/** A link that was accepted, and the plain socket at its other end. */
async function accepted(net: Net): Promise<AsyncDisposable & { link: Link; user: Recorder; peer: Socket }> {
  const user = new Recorder();
  const { promise, resolve } = Promise.withResolvers<Link>();
  const listener = await net.listen(local, {
    accept(link) {
      link.user = user;
      resolve(link);
    },
    acceptFailed: (error) => expect(error).toBe("never"),
  });
  const peer = connect({ port: listener.address.port, host: "127.0.0.1", allowHalfOpen: true });
  peer.on("error", () => peer.destroy());
  const [link] = await Promise.all([promise, once(peer, "connect")]);
  return {
    link,
    user,
    peer,
    async [Symbol.asyncDispose]() {
      link.destroy();
      peer.destroy();
      await listener[Symbol.asyncDispose]();
    },
  };
}

describe.each<[string, () => Net]>([
  ["handles", () => fastNet()],
  ["sockets", () => socketNet],
])("a link on %s", (_name, open) => {
  test("knows its peer, and does not read before it is told to", async () => {
    await using pair = await accepted(open());
    expect(pair.link.remoteAddress).toBe("127.0.0.1");
    pair.peer.write("hello");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(pair.user.events).toEqual([]);
    pair.link.read();
    await pair.user.seen("data");
    expect(pair.user.received.toString()).toBe("hello");
  });

  test("stops reading, and goes on", async () => {
    await using pair = await accepted(open());
    pair.link.read();
    pair.peer.write("a");
    await pair.user.seen("data");
    pair.link.pause();
    pair.peer.write("b");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(pair.user.received.toString()).toBe("a");
    pair.link.read();
    await pair.user.until((events) => events.length === 2);
    expect(pair.user.received.toString()).toBe("ab");
  });

  test("writes from memory that is used again at once, whatever the peer's pace", async () => {
    await using pair = await accepted(open());
    const memory = new Uint8Array(100_000);
    const sizes = [1, 160, 16_383, 16_384, 100_000];
    let [sent, drains, received, wrong] = [0, 0, 0, 0];
    pair.peer.on("data", (bytes) => {
      for (const byte of bytes) {
        if (byte !== received % 251) wrong += 1;
        received += 1;
      }
    });
    pair.peer.pause();
    for (let round = 0; drains < 20; round += 1) {
      const size = sizes[round % sizes.length] ?? 1;
      for (let at = 0; at < size; at += 1) memory[at] = (sent + at) % 251;
      const took = pair.link.write(memory.subarray(0, size));
      memory.fill(255);
      sent += size;
      if (took) continue;
      drains += 1;
      const drained = pair.user.until((events) => events.length === drains);
      pair.peer.resume();
      await drained;
      pair.peer.pause();
    }
    const ended = once(pair.peer, "end");
    pair.peer.resume();
    pair.link.end();
    await ended;
    expect({ received, wrong }).toEqual({ received: sent, wrong: 0 });
  });

  test("passes on the FIN of its peer, and can still write", async () => {
    await using pair = await accepted(open());
    pair.link.read();
    pair.peer.end("last");
    await pair.user.seen("end");
    expect(pair.user.received.toString()).toBe("last");
    expect(pair.link.write(Buffer.from("answer"))).toBe(true);
    pair.link.end();
    expect((await pair.peer.toArray()).join("")).toBe("answer");
    await pair.user.seen("close in order");
    expect(pair.user.events.filter((event) => event !== "data")).toEqual(["end", "close in order"]);
  });

  test("sends its own FIN, and can still read", async () => {
    await using pair = await accepted(open());
    pair.link.read();
    pair.link.write(Buffer.from("question"));
    pair.link.end();
    pair.link.end();
    expect((await pair.peer.toArray()).join("")).toBe("question");
    pair.peer.end("answer");
    await pair.user.seen("close in order");
    expect(pair.user.received.toString()).toBe("answer");
  });

  test("tells when its peer resets", async () => {
    await using pair = await accepted(open());
    pair.link.read();
    await new Promise((resolve) => pair.peer.write("x", resolve));
    await pair.user.seen("data");
    pair.peer.resetAndDestroy();
    await pair.user.seen("close ECONNRESET");
    expect(pair.link.write(Buffer.from("too late"))).toBe(false);
    pair.link.end();
    pair.link.read();
    expect(pair.user.events.at(-1)).toBe("close ECONNRESET");
  });

  test.each(["before", "after"])("resets, %s its own FIN", async (when) => {
    await using pair = await accepted(open());
    pair.link.read();
    const outcome = new Promise((resolve) => {
      pair.peer.once("error", ({ message }) => resolve(message)).once("end", () => resolve("FIN"));
    });
    pair.peer.resume();
    if (when === "after") pair.link.end();
    pair.link.reset();
    expect(await outcome).toBe(when === "before" ? "read ECONNRESET" : "FIN");
    expect(pair.user.events).toEqual([]);
  });

  test("is quiet once destroyed, and everything may still be asked of it", async () => {
    await using pair = await accepted(open());
    pair.link.read();
    pair.peer.write("x");
    pair.link.destroy();
    for (const call of ["read", "pause", "end", "reset", "destroy"] as const) pair.link[call]();
    await new Promise((resolve) => pair.peer.resume().once("end", resolve).once("close", resolve));
    expect(pair.user.events).toEqual([]);
  });

  test("connects, and talks", async () => {
    await using server = await echo();
    const user = new Recorder();
    const link = open().connect(server.address, user);
    await user.seen("connect");
    link.write(Buffer.from("hello"));
    link.read();
    await user.seen("data");
    link.end();
    await user.seen("close in order");
    expect(user.received.toString()).toBe("hello");
  });

  test("tells when nobody is there, and not if it was given up", async () => {
    const server = await echo();
    await server[Symbol.asyncDispose]();
    const user = new Recorder();
    const net = open();
    const link = net.connect(server.address, user);
    const given = new Recorder();
    net.connect(server.address, given).destroy();
    await user.seen("close ECONNREFUSED");
    expect(user.events).toEqual(["close ECONNREFUSED"]);
    expect(given.events).toEqual([]);
    link.destroy();
  });

  test("listens on a free port, once", async () => {
    const net = open();
    const nobody = { accept() {}, acceptFailed() {} };
    await using listener = await net.listen(local, nobody);
    expect(listener.address.port).toBeGreaterThan(0);
    await expect(net.listen(listener.address, nobody)).rejects.toMatchObject({
      code: "EADDRINUSE",
      message: expect.stringContaining(`127.0.0.1:${listener.address.port}`),
    });
  });

  test("works over IPv6", async () => {
    const net = open();
    const user = new Recorder();
    await using listener = await net.listen(
      { host: "::1", port: 0 },
      {
        accept(link) {
          link.user = user;
          user.link = link;
          link.read();
        },
        acceptFailed() {},
      },
    );
    const client = new Recorder();
    const link = net.connect({ host: "::1", port: listener.address.port }, client);
    await client.seen("connect");
    link.write(Buffer.from("six"));
    await user.seen("data");
    expect(user.received.toString()).toBe("six");
    expect(user.link?.remoteAddress).toBe("::1");
    user.link?.destroy();
    link.destroy();
  });
});

test("a link on handles is cut off when slow peers keep back more than there is room for", async () => {
  await using pair = await accepted(fastNet(1_000_000));
  const memory = new Uint8Array(200_000);
  for (let kept = false; !kept; ) kept = !pair.link.write(memory);
  // The contract forbids to write before the drain; here it stands for many links that wait.
  for (let count = 0; count < 5; count += 1) pair.link.write(memory);
  expect(pair.user.events).toEqual(["close ENOBUFS"]);
});

async function echo(): Promise<AsyncDisposable & { address: { host: string; port: number } }> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}
