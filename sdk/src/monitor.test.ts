import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, jest, test } from "@jest/globals";
import { Connection } from "./connection.ts";
import { ClientError } from "./errors.ts";
import { monitor } from "./monitor.ts";

function line(id: string, time: number, more: object = {}): string {
  const members = {
    ...{ id, from: "@bob", to: "@alice", key: `@alice:${id}.demo@bob`, value: "v", operation: "update" },
    ...{ epochMillis: time, messageType: "MessageType.key", isEncrypted: false, metadata: { ivNonce: null }, ...more },
  };
  return `notification: ${JSON.stringify(members)}\n`;
}

const statistics = (time: number) => line("-1", time, { from: "@alice", value: "7", metadata: null });

/** The atServer's ends of the connections that a monitor opens, each with the commands that came over it. */
class AtServer {
  readonly peers: { readonly socket: Duplex; readonly commands: string[] }[] = [];
  answers: (command: string, socket: Duplex) => void = () => undefined;

  readonly open = async (): Promise<Connection> => {
    const [mine, socket] = duplexPair();
    const commands: string[] = [];
    this.peers.push({ socket, commands });
    socket.on("data", (chunk: Buffer) => {
      for (const command of chunk.toString().split("\n").slice(0, -1)) {
        commands.push(command);
        this.answers(command, socket);
      }
    });
    socket.write("@");
    return await Connection.over(mine, "the atServer", 5_000);
  };
}

async function take(all: AsyncGenerator<{ id: string }>, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push((await all.next()).value.id);
  return ids;
}

describe("a monitor", () => {
  test("brings what was asked for, in order, however it is cut", async () => {
    const server = new AtServer();
    server.answers = (command, socket) => {
      if (!command.startsWith("monitor")) return;
      const bytes = Buffer.from(statistics(5) + line("a", 6) + line("b", 7));
      for (const byte of bytes) socket.write(Buffer.of(byte));
    };
    const stop = new AbortController();
    const all = monitor({ open: server.open, signal: stop.signal, after: 4, regex: "demo", selfNotifications: true });
    expect(await take(all, 2)).toEqual(["a", "b"]);
    expect(server.peers[0]?.commands).toEqual(["monitor:selfNotifications:4 demo"]);
    stop.abort();
    expect(await all.next()).toEqual({ value: undefined, done: true });
    expect(server.peers[0]?.socket.readableEnded).toBe(true);
  });

  test("goes on where it was when its connection was lost, and tells nothing twice", async () => {
    const server = new AtServer();
    const lost: string[] = [];
    server.answers = (command, socket) => {
      if (command === "monitor") socket.end(statistics(10));
      // What began at the statistics resumes there, a millisecond earlier to be sure.
      if (command === "monitor:9") socket.end(line("a", 10) + line("b", 12));
      if (command === "monitor:12") socket.write(line("b", 12) + line("c", 13));
    };
    const stop = new AbortController();
    const all = monitor({ open: server.open, signal: stop.signal, onLost: ({ reason }) => lost.push(reason) });
    expect(await take(all, 3)).toEqual(["a", "b", "c"]);
    expect(lost).toEqual(["unreachable", "unreachable"]);
    expect(server.peers.flatMap(({ commands }) => commands)).toEqual(["monitor", "monitor:9", "monitor:12"]);
    await all.return(undefined);
    expect(server.peers[2]?.socket.readableEnded).toBe(true);
  });

  test("ends when its atServer does not want it any more, and when it cannot begin", async () => {
    const server = new AtServer();
    const refused = new ClientError("authentication", "no");
    let opened = 0;
    const open = () => (opened++ === 0 ? server.open() : Promise.reject(refused));
    server.answers = (_command, socket) => socket.end();
    const signal = new AbortController().signal;
    await expect(monitor({ open, signal }).next()).rejects.toBe(refused);
    const away = new ClientError("unreachable", "away");
    await expect(monitor({ open: () => Promise.reject(away), signal }).next()).rejects.toBe(away);
  });

  test.each([
    ["no JSON", "notification: {\n"],
    ["no object", "notification: null\n"],
    ["no id", line("a", 1, { id: 7 })],
    ["an unknown operation", line("a", 1, { operation: "move" })],
    ["no time", line("a", 1, { epochMillis: "1" })],
    ["no atSign", line("a", 1, { from: "@a b" })],
  ])("does not take %s for a notification", async (_what, bytes) => {
    const server = new AtServer();
    server.answers = (_command, socket) => socket.write(bytes);
    const all = monitor({ open: server.open, signal: new AbortController().signal });
    await expect(all.next()).rejects.toMatchObject({ reason: "corrupt" });
  });

  test("stops reading while nobody takes what came", async () => {
    const server = new AtServer();
    let written = 0;
    server.answers = (command, socket) => {
      if (!command.startsWith("monitor")) return;
      const more = () => {
        while (written < 5_000 && socket.write(line(`n${written}`, ++written)));
        if (written < 5_000) socket.once("drain", more);
      };
      more();
    };
    const stop = new AbortController();
    const all = monitor({ open: server.open, signal: stop.signal });
    await all.next();
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBeLessThan(2_000);
    expect(await take(all, 4_999)).toHaveLength(4_999);
    await all.return(undefined);
  });

  test("notices an atServer that is gone without a word", async () => {
    const server = new AtServer();
    server.answers = (command, socket) => void (command.startsWith("monitor") && socket.write(line("a", 1)));
    jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "performance"] });
    try {
      const stop = new AbortController();
      const lost = Promise.withResolvers<string>();
      const all = monitor({ open: server.open, signal: stop.signal, onLost: ({ reason }) => lost.resolve(reason) });
      await all.next();
      const next = all.next();
      await jest.advanceTimersByTimeAsync(20_000);
      expect(server.peers[0]?.commands.at(-1)).toBe("noop:0");
      server.peers[0]?.socket.end();
      expect(await lost.promise).toBe("unreachable");
      stop.abort();
      expect((await next).done).toBe(true);
    } finally {
      jest.useRealTimers();
    }
  });
});
