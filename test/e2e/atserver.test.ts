import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { privateBytes } from "../bench/meters.ts";
import type { AtServerClient } from "../soak/atserver-client.ts";
import { AtServerHome, type AtServerProcess } from "../soak/atserver-process.ts";

/** How the image starts Node, as far as memory goes. */
const asInTheImage = {
  nodeOptions: ["--single-threaded", "--max-semi-space-size=1", "--expose-gc"],
  environment: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536" },
};
const value = "x".repeat(10_230_000);
const largest = commandOf(10_240_000);

let scratch = "";
let home: AtServerHome;
let server: AtServerProcess;
let patient: AtServerProcess;
let slowWriter: Promise<{ reply: string; seconds: number }>;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-atserver-"));
  home = new AtServerHome({ directory: scratch });
  server = home.start(asInTheImage);
  // Takes its time while the other tests run, and has a process of its own: a full one has less patience.
  patient = new AtServerHome({ directory: join(scratch, "patient") }).start();
  slowWriter = trickle(await patient.connect());
  slowWriter.catch(() => undefined);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await patient[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

/** A command of so many bytes, its newline included. */
function commandOf(bytes: number): string {
  const around = "update:dataSignature::large.test@alice \n".length;
  return `update:dataSignature:${"s".repeat(bytes - value.length - around)}:large.test@alice ${value}`;
}

/** Sends a byte every now and then, and never a newline. @returns how that ended */
async function trickle(client: AtServerClient): Promise<{ reply: string; seconds: number }> {
  const began = performance.now();
  const timer = setInterval(() => client.socket.write("x"), 500);
  try {
    client.socket.write("lookup:");
    const reply = await client.line();
    await client.closed;
    return { reply, seconds: (performance.now() - began) / 1000 };
  } finally {
    clearInterval(timer);
  }
}

/** For what another process does in its own time. @returns what was seen last, when it holds or when it is too late */
async function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean, deadlineMs = 15_000): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (holds(seen) || performance.now() > deadline) return seen;
    await delay(50);
  }
}

async function metric(name: string): Promise<number> {
  const { text } = await server.get("/metrics");
  return Number(new RegExp(`^atserver_${name} (\\S+)$`, "m").exec(text)?.[1]);
}

async function isQuiet(): Promise<boolean> {
  return (await metric("inbound_connections")) === 0 && (await metric("held_bytes")) === 0;
}

describe("a command", () => {
  test("of 10,240,000 bytes is accepted, and its value comes back", async () => {
    expect(Buffer.byteLength(`${largest}\n`)).toBe(10_240_000);
    using client = await server.login();
    expect(await client.ask(largest)).toMatch(/^data:\d+$/);
    using reader = await server.login();
    expect((await reader.ask("llookup:large.test@alice")) === `data:${value}`).toBe(true);
  });

  test("of one byte more is refused, and the connection ends", async () => {
    using client = await server.login();
    const commitId = await metric("last_commit_id");
    expect(await client.ask(commandOf(10_240_001))).toMatch(
      /^error:AT0005-Buffer limit exceeded : .*\(limit 10240000, got \d+\)$/,
    );
    await client.closed;
    expect(await metric("last_commit_id")).toBe(commitId);
  });
});

describe("memory is back where it was", () => {
  // Each test sends or asks for a hundred million.
  const boundBytes = 16_000_000;
  /** The atServer collects its garbage when it has been quiet for 10 to 20 s. */
  const quietMs = 40_000;
  let before = 0;

  beforeAll(async () => {
    await until(isQuiet, (quiet) => quiet);
    before = privateBytes(server.pid);
  });

  const after = async () => {
    expect(await until(isQuiet, (quiet) => quiet)).toBe(true);
    return await until(
      () => privateBytes(server.pid) - before,
      (more) => more < boundBytes,
      quietMs,
    );
  };

  test("after commands that are too long", async () => {
    const refused = Array.from({ length: 12 }, async () => {
      using client = await server.login();
      const reply = await client.ask(commandOf(10_240_001));
      await client.closed;
      return reply.slice(0, 12);
    });
    expect(new Set(await Promise.all(refused))).toEqual(new Set(["error:AT0005"]));
    expect(await after()).toBeLessThan(boundBytes);
  }, 90_000);

  test("after half commands of owners who then go away", async () => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => server.login()));
    for (const client of clients) client.socket.write(`update:half.test@alice ${value.slice(0, 9_000_000)}`);
    const held = await until(
      () => metric("held_bytes"),
      (held) => held > 9_000_000,
    );
    expect(held).toBeGreaterThan(9_000_000);
    expect(held).toBeLessThan(13_500_000);
    for (const client of clients) client[Symbol.dispose]();
    expect(await after()).toBeLessThan(boundBytes);
    using client = await server.login();
    expect(await client.ask("llookup:half.test@alice")).toMatch(/^error:AT0015/);
  }, 90_000);

  test("after large replies that nobody reads", async () => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => server.login()));
    for (const { socket } of clients) {
      socket.pause();
      socket.write("llookup:large.test@alice\n".repeat(10));
    }
    expect(
      await until(
        () => metric("held_bytes"),
        (held) => held === 10_230_000,
      ),
    ).toBe(10_230_000);
    for (const client of clients) client[Symbol.dispose]();
    expect(await after()).toBeLessThan(boundBytes);
  }, 90_000);

  test("after as many connections as it takes, and one that it refuses", async () => {
    const clients: AtServerClient[] = [];
    while ((await metric("inbound_connections")) < 200) clients.push(await server.connect());
    using refused = await server.connect();
    expect(await refused.line()).toBe("error:AT0012-Inbound connection limit exceeded");
    await refused.closed;
    expect(await clients[0]?.ask("noop:0")).toBe("data:ok");
    for (const client of clients) client[Symbol.dispose]();
    expect(await after()).toBeLessThan(boundBytes);
  }, 90_000);

  test("after plain HTTP", async () => {
    const failed = await metric("failed_handshakes_total");
    const { host, port } = await server.address("main");
    const replies = Array.from({ length: 50 }, () => sendPlain(host, port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
    for (const reply of await Promise.all(replies)) expect(reply).not.toContain("HTTP");
    expect(await metric("failed_handshakes_total")).toBe(failed + 50);
    expect(await after()).toBeLessThan(boundBytes);
  }, 90_000);
});

/** @returns what came until the connection ended */
function sendPlain(host: string, port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let all = "";
    const socket = connectTcp({ host, port }, () => socket.write(text));
    socket.on("data", (data) => {
      all += data.toString("latin1");
    });
    // A reset is an end, too.
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(all));
  });
}

test("a new certificate is shown to new connections, and old ones go on", async () => {
  using before = await server.connect();
  const old = before.socket.getPeerCertificate().fingerprint256;
  home.renewCertificate();
  const shown = async () => {
    using client = await server.connect();
    return client.socket.getPeerCertificate().fingerprint256;
  };
  const renewed = await until(shown, (fingerprint) => fingerprint !== old);
  expect(renewed).not.toBe(old);
  expect(await before.ask("noop:0")).toBe("data:ok");
  expect(before.socket.getPeerCertificate().fingerprint256).toBe(old);
  expect((await server.get("/readyz")).status).toBe(200);
});

test("a writer who never ends a line is told so, and closed", async () => {
  const { reply, seconds } = await slowWriter;
  expect(reply).toBe("error:AT0023-Exception: the command did not end in time");
  expect(seconds).toBeGreaterThan(29);
  expect(seconds).toBeLessThan(45);
  expect(await patient.get("/livez")).toEqual({ status: 200, text: "ok\n" });
}, 60_000);
