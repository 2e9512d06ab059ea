import { type Duplex, duplexPair } from "node:stream";
import type { Address } from "@atrium/runtime/config.ts";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, jest, test } from "@jest/globals";
import { BriefRecords } from "./brief-records.ts";
import type { Dial } from "./dial.ts";
import { Dialogue } from "./dialogue.ts";
import { DirectoryClient } from "./directory.ts";
import { Peers } from "./peers.ts";
import { Pool } from "./pool.ts";

type Answer = (question: string, socket: Duplex) => void;

/** Something that is dialled: greets, and answers each line. */
function fakeNet(answer: Answer) {
  const dialled: string[] = [];
  const sockets: Duplex[] = [];
  const dial = (async ({ host, port }: Address) => {
    dialled.push(`${host}:${port}`);
    const [client, server] = duplexPair();
    sockets.push(server);
    server.on("error", () => undefined);
    server.write("@");
    server.on("data", (data: Buffer) => {
      for (const line of data.toString().trim().split("\n")) answer(line, server);
    });
    return client;
  }) as unknown as Dial;
  return { dial, dialled, sockets };
}

async function dialogueWith(answer: Answer): Promise<Dialogue> {
  return new Dialogue(await fakeNet(answer).dial({ host: "peer", port: 1 }), "peer");
}

describe("a dialogue", () => {
  test.each([
    ["one write", ["data:v\n@"]],
    ["newline and prompt apart", ["data:v\n", "@"]],
    ["single bytes", [..."data:v\n@"]],
  ])("reads replies that come in %s", async (_name, pieces) => {
    let written = Promise.resolve();
    const write = async (socket: Duplex) => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const dialogue = await dialogueWith((_line, socket) => {
      written = written.then(() => write(socket));
    });
    expect(await dialogue.ask("a", 1_000)).toBe("data:v");
    expect(await dialogue.ask("b", 1_000)).toBe("data:v");
    dialogue.close();
  });

  test("ends when there is no answer in time", async () => {
    const dialogue = await dialogueWith(() => undefined);
    await expect(dialogue.ask("a", 10)).rejects.toMatchObject({ error: "timeout" });
    expect(dialogue.usable).toBe(false);
    await expect(dialogue.ask("a", 10)).rejects.toMatchObject({ error: "socket" });
  });

  test("ends when the other side does, or says what nobody asked for", async () => {
    const closing = await dialogueWith((_line, socket) => socket.end());
    await expect(closing.ask("a", 1_000)).rejects.toMatchObject({ error: "socket" });
    const talking = await dialogueWith((_line, socket) => socket.write("data:1\n@data:2\n@"));
    expect(await talking.ask("a", 1_000)).toBe("data:1");
    expect(talking.usable).toBe(false);
  });

  test("ends when the reply has no end", async () => {
    const dialogue = await dialogueWith((_line, socket) => {
      const piece = Buffer.alloc(65_536, "x");
      const pour = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", pour);
      pour();
    });
    await expect(dialogue.ask("a", 10_000)).rejects.toMatchObject({ error: "buffer_limit" });
  });
});

describe("the directory", () => {
  function client(answer: Answer, options: { fail?: () => boolean } = {}) {
    const net = fakeNet(answer);
    const clock = { nowMs: 0 };
    const dial: Dial = async (to, names) => {
      if (options.fail?.()) {
        net.dialled.push("failed");
        throw new Error("refused");
      }
      return net.dial(to, names);
    };
    const directory = new DirectoryClient({
      directory: { host: "directory", port: 64 },
      dial,
      log: silent,
      monotonic: () => clock.nowMs,
      random: () => 0,
    });
    return { directory, clock, dialled: net.dialled };
  }

  test("is asked by name alone, once per hour and atSign", async () => {
    const asked: string[] = [];
    const { directory, clock } = client((line, socket) => {
      asked.push(line);
      socket.write("bob.example.org:443\r\n@");
    });
    const address = { host: "bob.example.org", port: 443 };
    expect(await Promise.all([directory.find("@bob"), directory.find("@bob")])).toEqual([address, address]);
    clock.nowMs = 3_599_999;
    expect(await directory.find("@bob")).toEqual(address);
    expect(asked).toEqual(["bob"]);
    clock.nowMs = 3_600_000;
    expect(await directory.find("@bob")).toEqual(address);
    expect(asked).toEqual(["bob", "bob"]);
  });

  test("is believed when it knows nobody, and asked anew", async () => {
    const { directory, dialled } = client((_line, socket) => socket.write("null\r\n@"));
    await expect(directory.find("@bob")).rejects.toMatchObject({ code: "AT0007" });
    await expect(directory.find("@bob")).rejects.toMatchObject({ code: "AT0007" });
    expect(dialled).toHaveLength(2);
  });

  test("is asked five times, then what was known is used", async () => {
    let away = true;
    const { directory, clock, dialled } = client((_line, socket) => socket.write("b.example.org:1\r\n@"), {
      fail: () => away,
    });
    await expect(directory.find("@bob")).rejects.toMatchObject({ code: "AT0021" });
    expect(dialled).toHaveLength(5);
    away = false;
    await directory.find("@bob");
    away = true;
    clock.nowMs = 10_000_000;
    expect(await directory.find("@bob")).toEqual({ host: "b.example.org", port: 1 });
    directory.doubt("@bob");
    expect(await directory.find("@bob")).toEqual({ host: "b.example.org", port: 1 });
  });

  test.each([
    ["closes without an answer", (socket: Duplex) => socket.end()],
    ["answers garbage", (socket: Duplex) => socket.write("error:what\r\n@")],
  ])("is asked again when it %s", async (_name, misbehave) => {
    let count = 0;
    const { directory } = client((_line, socket) => {
      if (++count === 1) misbehave(socket);
      else socket.write("b.example.org:1\r\n@");
    });
    expect(await directory.find("@bob")).toEqual({ host: "b.example.org", port: 1 });
  });
});

describe("the pool", () => {
  const peer = { host: "peer", port: 1 };
  const limits = { connections: 2, perAddress: 2, turnMs: 1_000, idleMs: 1_000 };
  const echo: Answer = (line, socket) => socket.write(`data:${line}\n@`);
  const ask = (pool: Pool, to = peer, options = {}) => pool.lend(to, (dialogue) => dialogue.ask("q", 1_000), options);

  test("uses a connection again, never for two at once", async () => {
    const net = fakeNet(echo);
    await using pool = new Pool({ dial: net.dial, limits });
    expect(await ask(pool)).toBe("data:q");
    expect(await ask(pool)).toBe("data:q");
    expect(net.dialled).toHaveLength(1);
    expect(await ask(pool, peer, { fresh: true })).toBe("data:q");
    await Promise.all([ask(pool), ask(pool)]);
    expect(net.dialled).toHaveLength(2);
    expect(pool.size).toBe(2);
  });

  test("gives up the one that idled longest for another peer, and refuses when all are in use", async () => {
    const net = fakeNet(echo);
    await using pool = new Pool({ dial: net.dial, limits });
    await ask(pool, { host: "a", port: 1 });
    await ask(pool, { host: "b", port: 1 });
    await ask(pool, { host: "c", port: 1 });
    await ask(pool, { host: "b", port: 1 });
    expect(net.dialled).toEqual(["a:1", "b:1", "c:1"]);
    const waiting = new Promise<void>(() => undefined);
    for (const host of ["b", "c"]) void pool.lend({ host, port: 1 }, () => waiting);
    await expect(ask(pool, { host: "d", port: 1 })).rejects.toMatchObject({ code: "AT0006" });
  });

  test("lends so many to one peer only, and counts right when dialling fails", async () => {
    const net = fakeNet(echo);
    await using pool = new Pool({ dial: net.dial, limits: { ...limits, connections: 10, turnMs: 20 } });
    const waiting = new Promise<void>(() => undefined);
    for (let i = 0; i < 2; i++) void pool.lend(peer, () => waiting);
    await expect(ask(pool)).rejects.toMatchObject({ code: "AT0006" });
    const failing = new Pool({ dial: () => Promise.reject(new Error("no")), limits: { ...limits, connections: 1 } });
    for (let i = 0; i < 3; i++) await expect(ask(failing)).rejects.toThrow("no");
    expect(failing.size).toBe(0);
  });

  test("lets those wait who come when all connections to a peer are in use, in order", async () => {
    const net = fakeNet(echo);
    await using pool = new Pool({ dial: net.dial, limits: { ...limits, perAddress: 1 } });
    const order: number[] = [];
    await Promise.all([1, 2, 3].map((each) => ask(pool).then(() => order.push(each))));
    expect(order).toEqual([1, 2, 3]);
    expect(net.dialled).toHaveLength(1);
  });

  test("keeps connections of different manners apart, and closes one that could not be prepared", async () => {
    const net = fakeNet(echo);
    await using pool = new Pool({ dial: net.dial, limits: { ...limits, connections: 10 } });
    const prepared: string[] = [];
    const manner = (name: string) => ({
      name,
      async prepare(dialogue: Dialogue) {
        prepared.push(name);
        if ((await dialogue.ask(name, 1_000)) === "data:bad") throw new Error("unprepared");
      },
    });
    for (let i = 0; i < 2; i++) {
      await ask(pool, peer, { manner: manner("as @bob") });
      await ask(pool, peer, { manner: manner("as @carl") });
      await ask(pool);
    }
    expect(prepared).toEqual(["as @bob", "as @carl"]);
    expect(net.dialled).toHaveLength(3);
    for (let i = 0; i < 3; i++) await expect(ask(pool, peer, { manner: manner("bad") })).rejects.toThrow("unprepared");
    await new Promise((resolve) => setImmediate(resolve));
    expect(pool.size).toBe(3);
  });

  test("closes what nobody used for a while", async () => {
    const net = fakeNet(echo);
    await using pool = new Pool({ dial: net.dial, limits });
    await ask(pool);
    jest.useFakeTimers();
    try {
      await using timed = new Pool({ dial: net.dial, limits });
      const member = ask(timed);
      await jest.advanceTimersByTimeAsync(10);
      await member;
      expect(timed.size).toBe(1);
      await jest.advanceTimersByTimeAsync(1_010);
      expect(timed.size).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe("peers", () => {
  const prover = { atSign: "@alice", signingKey: () => "", proofs: new BriefRecords(() => 0) } as const;
  const others = { prover, onPublicKey: () => undefined, log: silent };
  const find = async () => ({ host: "bob.example.org", port: 443 });
  const directory = { find, doubt: () => undefined };

  test("are asked, and their errors become ours", async () => {
    const net = fakeNet((line, socket) =>
      socket.write(
        line === "lookup:a@bob"
          ? "data:v: @x\n@"
          : line === "lookup:b@bob"
            ? "error:AT0015-Exception: public:b@bob does not exist in keystore\n@"
            : line === "lookup:c@bob"
              ? 'error:{"errorCode":"AT0011","errorDescription":"Exception: no"}\n@'
              : "what?\n@",
      ),
    );
    await using pool = new Pool({ dial: net.dial });
    const peers = new Peers({ ...others, directory, pool });
    expect(await peers.ask("@bob", "lookup:a@bob")).toBe("v: @x");
    await expect(peers.ask("@bob", "lookup:b@bob")).rejects.toMatchObject({
      code: "AT0015",
      message: "Exception: public:b@bob does not exist in keystore",
    });
    await expect(peers.ask("@bob", "lookup:c@bob")).rejects.toMatchObject({ code: "AT0011", closes: false });
    await expect(peers.ask("@bob", "lookup:d@bob")).rejects.toMatchObject({ code: "AT0004" });
    expect(net.dialled).toHaveLength(2);
  });

  test("that closed a kept connection are asked again on a fresh one", async () => {
    const net = fakeNet((_line, socket) => socket.write("data:v\n@"));
    await using pool = new Pool({ dial: net.dial });
    const peers = new Peers({ ...others, directory, pool });
    await peers.ask("@bob", "lookup:a@bob");
    net.sockets[0]?.removeAllListeners("data");
    net.sockets[0]?.on("data", () => net.sockets[0]?.destroy());
    net.sockets[0]?.once("close", () => undefined);
    const asking = peers.ask("@bob", "lookup:a@bob");
    await new Promise((resolve) => setImmediate(resolve));
    net.sockets[0]?.end();
    expect(await asking).toBe("v");
    expect(net.dialled).toHaveLength(2);
  });

  test("that do not answer cost their deadline and no more", async () => {
    const net = fakeNet(() => undefined);
    await using pool = new Pool({ dial: net.dial });
    const peers = new Peers({ ...others, directory, pool, deadlines: { stepMs: 20, answerMs: 20 } });
    await expect(peers.ask("@bob", "lookup:a@bob")).rejects.toMatchObject({ code: "AT0023" });
    expect(net.dialled).toHaveLength(1);
    expect(pool.size).toBe(0);
  });

  test("that moved are looked for where the directory says now", async () => {
    const net = fakeNet((_line, socket) => socket.write("data:v\n@"));
    const { ProtocolError } = await import("@atrium/protocol");
    const dial: Dial = async (to, names) => {
      if (to.host === "old") throw new ProtocolError("unable_to_connect", "old: ECONNREFUSED");
      return net.dial(to, names);
    };
    await using pool = new Pool({ dial });
    let host = "old";
    const doubt = () => {
      host = "new";
    };
    const moved = { find: async () => ({ host, port: 1 }), doubt };
    expect(await new Peers({ ...others, directory: moved, pool }).ask("@bob", "lookup:a@bob")).toBe("v");
    const same = { find: async () => ({ host: "old", port: 1 }), doubt: () => undefined };
    await expect(new Peers({ ...others, directory: same, pool }).ask("@bob", "q")).rejects.toMatchObject({
      code: "AT0021",
    });
  });
});
