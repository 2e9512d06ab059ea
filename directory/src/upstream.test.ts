import { once } from "node:events";
import { createServer, type TLSSocket } from "node:tls";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, test } from "@jest/globals";
import { memoryRegistry } from "./registry/memory.ts";
import { testDirectory } from "./testing/directory.ts";
import { complete, eventually } from "./testing/registries.ts";
import { tlsDirectory } from "./testing/tls-directory.ts";
import { openUpstream, type Upstream, type UpstreamSettings } from "./upstream.ts";

interface FakeUpstream extends AsyncDisposable {
  readonly upstream: Upstream;
  /** all that clients have sent */
  readonly asked: readonly string[];
}

/** Another directory, whose behaviour is the test's. */
async function fakeUpstream(
  behave: (socket: TLSSocket, line: string) => void,
  settings: Partial<UpstreamSettings> = {},
  greeting = "@",
): Promise<FakeUpstream> {
  using tls = tlsDirectory();
  const pair = tls.authority.issue({ dns: ["localhost"] });
  const asked: string[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    socket.setEncoding("utf8").on("data", (text: string) => {
      asked.push(text);
      behave(socket, text.trim());
    });
    socket.write(greeting);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const upstream = openUpstream(
    {
      address: { host: "localhost", port },
      ca: tls.ca,
      deadlineMs: 1_000,
      rememberMs: 60_000,
      maxRemembered: 100,
      maxQuestions: 3,
      ...settings,
    },
    silent,
  );
  return {
    upstream,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const carol = { host: "carol.example.org", port: 1234 };

function knowsCarol(socket: TLSSocket, name: string): void {
  socket.write(name === "carol" ? "carol.example.org:1234\r\n@" : "null\r\n@");
}

describe("upstream", () => {
  test("is asked once for an address, as long as that is remembered", async () => {
    await using other = await fakeUpstream(knowsCarol, { rememberMs: 100 });
    expect(other.upstream.recall("carol")).toBeUndefined();
    const both = Promise.all([other.upstream.find("carol"), other.upstream.find("carol")]);
    expect(await both).toEqual([carol, carol]);
    expect(other.upstream.recall("carol")).toEqual(carol);
    expect(other.asked).toEqual(["carol\n"]);
    await eventually(() => other.upstream.recall("carol") === undefined);
    expect(await other.upstream.find("carol")).toEqual(carol);
  });

  test("is asked each time for a name that it does not know", async () => {
    await using other = await fakeUpstream(knowsCarol);
    expect(await other.upstream.find("dave")).toBe("unknown");
    expect(other.upstream.recall("dave")).toBeUndefined();
    expect(await other.upstream.find("dave")).toBe("unknown");
    expect(other.asked).toEqual(["dave\n", "dave\n"]);
  });

  test("may send its answer in pieces", async () => {
    await using other = await fakeUpstream((socket) => {
      socket.write("carol.example");
      setTimeout(() => socket.write(".org:1234\r"), 20);
      setTimeout(() => socket.write("\n@"), 40);
    });
    expect(await other.upstream.find("carol")).toEqual(carol);
  });

  test.each<[string, (socket: TLSSocket) => void]>([
    ["closes", (socket) => socket.end()],
    ["breaks", (socket) => socket.destroy()],
    ["says nothing", () => {}],
    ["stops in the middle", (socket) => socket.write("carol.exam")],
    ["says something else", (socket) => socket.write("error:AT0011\r\n@")],
    ["names no port", (socket) => socket.write("carol.example.org\r\n@")],
    ["names a port that is none", (socket) => socket.write("carol.example.org:99999\r\n@")],
    ["names an IPv6 address", (socket) => socket.write("::1:64\r\n@")],
    ["names two lines", (socket) => socket.write("a.example.org:1\r\n@b.example.org:2\r\n@")],
    ["says too much", (socket) => socket.write("x".repeat(100_000))],
  ])("is no answer when it %s", async (_name, behave) => {
    await using other = await fakeUpstream(behave, { deadlineMs: 300 });
    expect(await other.upstream.find("carol")).toBe("none");
    expect(other.upstream.recall("carol")).toBeUndefined();
  });

  test("is no answer when it cannot be reached, is slow to greet, or is somebody else", async () => {
    const unreachable = await fakeUpstream(knowsCarol);
    await unreachable[Symbol.asyncDispose]();
    expect(await unreachable.upstream.find("carol")).toBe("none");
    await using mute = await fakeUpstream(knowsCarol, { deadlineMs: 200 }, "");
    expect(await mute.upstream.find("carol")).toBe("none");
    using tls = tlsDirectory();
    await using other = await fakeUpstream(knowsCarol, { ca: tls.ca });
    expect(await other.upstream.find("carol")).toBe("none");
  });

  test("is not asked more than so many questions at once", async () => {
    await using other = await fakeUpstream(() => {}, { deadlineMs: 300 });
    const waiting = ["a", "b", "c"].map((name) => other.upstream.find(name));
    expect(await other.upstream.find("d")).toBe("none");
    expect(await Promise.all(waiting)).toEqual(["none", "none", "none"]);
    expect(other.asked).not.toContain("d\n");
  });
});

describe("a directory with an upstream", () => {
  async function ours() {
    const registry = memoryRegistry({ cells: ["local"] });
    await registry.put({ name: "alice", claim: "c", generation: 1, address: { host: "a.example.org", port: 1 } }, true);
    await registry.put({ name: "parked", claim: "c", generation: 1, address: undefined }, true);
    return registry;
  }

  test("asks it for names that are nobody's here, and for no others", async () => {
    await using other = await fakeUpstream(knowsCarol);
    const registry = await ours();
    await complete(registry);
    await using directory = await testDirectory({ registry, upstream: other.upstream });
    using client = await directory.connect();
    expect(await client.ask("alice")).toBe("a.example.org:1\r\n@");
    expect(await client.ask("parked")).toBe("null\r\n@");
    for (let i = 0; i < 3; i += 1) expect(await client.ask("carol")).toBe("carol.example.org:1234\r\n@");
    expect(await client.ask("dave")).toBe("null\r\n@");
    expect(other.asked).toEqual(["carol\n", "dave\n"]);
  });

  test("does not ask while it may lack names of its own", async () => {
    await using other = await fakeUpstream(knowsCarol);
    await using directory = await testDirectory({ registry: await ours(), upstream: other.upstream });
    using client = await directory.connect();
    expect(await client.ask("carol")).toBeUndefined();
    expect(other.asked).toEqual([]);
  });

  test("gives no answer when that gives none, and ours all the time", async () => {
    await using other = await fakeUpstream(() => {}, { deadlineMs: 300 });
    const registry = await ours();
    await complete(registry);
    await using directory = await testDirectory({ registry, upstream: other.upstream });
    using client = await directory.connect();
    using waiting = await directory.connect();
    waiting.send("carol\n");
    await eventually(() => other.asked.length > 0);
    for (let i = 0; i < 10; i += 1) expect(await client.ask("alice")).toBe("a.example.org:1\r\n@");
    expect(await waiting.read()).toBeUndefined();
  });

  test("takes nobody there who asks for too many unknown names", async () => {
    await using other = await fakeUpstream(knowsCarol);
    const registry = await ours();
    await complete(registry);
    const unknownNames = { burst: 2, perSecond: 1, maxDelayMs: 0 };
    await using directory = await testDirectory({ registry, upstream: other.upstream, unknownNames });
    for (let i = 0; i < 10; i += 1) {
      using client = await directory.connect();
      await client.ask(`nobody${i}`);
    }
    expect(other.asked.length).toBeLessThanOrEqual(3);
  });
});
