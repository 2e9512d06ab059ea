import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { bundleOf } from "../bench/servers/bundle.ts";
import { capMemory, type MemoryCap } from "../kit/memory-cap.ts";
import type { AtServerClient } from "../soak/atserver-client.ts";
import { AtServerHome, AtServerProcess, atSign } from "../soak/atserver-process.ts";

const capBytes = 96 * 1_048_576;
const clients = 20;

const largest = "x".repeat(10_240_000 - "update:large.00@alice \n".length);
const medium = "y".repeat(60_000);

let scratch = "";
let cap: MemoryCap | undefined;
let home: AtServerHome;
let server: AtServerProcess;
let bystander: AtServerClient;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-memory-"));
  home = new AtServerHome({ directory: scratch });
  cap = capMemory(capBytes);
  server = start();
  bystander = await server.login();
  await bystander.ask("update:public:small.test@alice hello");
  await bystander.ask(`update:medium.test@alice ${medium}`);
});

afterEach(async () => {
  bystander[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  // The kernel may take a moment to see that the process has gone.
  await delay(200);
  cap?.[Symbol.dispose]();
  rmSync(scratch, { recursive: true });
});

/** As the image starts it, under the cap where there is one. */
function start(): AtServerProcess {
  const child = fork(bundleOf("server-image"), {
    execArgv: [
      "--disable-warning=ExperimentalWarning",
      "--single-threaded",
      "--max-semi-space-size=1",
      "--use-openssl-ca",
      "--expose-gc",
    ],
    ...(cap !== undefined && { execPath: cap.wrapNode(join(scratch, "node")) }),
    silent: true,
    env: {
      MALLOC_ARENA_MAX: "1",
      MALLOC_TRIM_THRESHOLD_: "65536",
      ATSERVER_ATSIGN: atSign,
      ATSERVER_HOST: home.host,
      ATSERVER_PORT: "443",
      ATSERVER_DATA: join(scratch, "data"),
      ATSERVER_EPOCH: "1",
      ATSERVER_IDENTITY: pathToFileURL(home.identity).href,
      ATSERVER_DIRECTORY: "127.0.0.1:9",
      ATSERVER_LISTEN: "127.0.0.1:0",
      ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
      ATSERVER_LOG_LEVEL: "warn",
    },
  });
  return new AtServerProcess(child, { ca: home.ca, host: home.host, atSign });
}

/** Memory that is the process's own, at its peak: pages of files, such as Node's program, are there once for all processes. */
function peakBytes(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, "latin1");
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  return (kilobytes("VmHWM") - kilobytes("RssFile")) * 1_024;
}

/** @returns how long each lookup took that somebody else made meanwhile, in milliseconds, ascending */
async function meanwhile(work: Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  done.catch(() => undefined);
  while (!over) {
    const began = performance.now();
    expect(await bystander.ask("llookup:public:small.test@alice")).toBe("data:hello");
    times.push(performance.now() - began);
    await delay(10);
  }
  await done;
  return times.sort((a, b) => a - b);
}

function expectQuick(times: readonly number[]): void {
  expect(times[times.length >> 1]).toBeLessThan(500);
  expect(times.at(-1)).toBeLessThan(3_000);
}

async function heldBytes(): Promise<number> {
  const { text } = await server.get("/metrics");
  return Number(/^atserver_held_bytes (\d+)$/m.exec(text)?.[1]);
}

async function everythingGivenBack(): Promise<void> {
  while ((await heldBytes()) > 0) await delay(20);
}

describe("under 96 MB", () => {
  test("twenty clients write ten megabytes each, twice, and nobody else notices", async () => {
    const all = await Promise.all(Array.from({ length: clients }, () => server.login()));
    const write = async (client: AtServerClient, i: number) => {
      const key = `large.${String(i % 4).padStart(2, "0")}@alice`;
      return [await client.ask(`update:${key} ${largest}`), await client.ask(`update:${key} ${largest}`)];
    };
    const replies = Promise.all(all.map(write));
    expectQuick(await meanwhile(replies));
    for (const reply of (await replies).flat()) expect(reply).toMatch(/^data:\d+$/);
    for (const client of all) client[Symbol.dispose]();
    await everythingGivenBack();
    expect(peakBytes()).toBeLessThan(capBytes);
  }, 60_000);

  test("twenty clients read ten megabytes each, some late", async () => {
    const all = await Promise.all(Array.from({ length: clients }, () => server.login()));
    await bystander.ask(`update:large.00@alice ${largest}`);
    const read = async (client: AtServerClient, i: number) => {
      client.socket.pause();
      const reply = client.ask("llookup:large.00@alice");
      await delay((i % 5) * 300);
      client.socket.resume();
      return (await reply) === `data:${largest}`;
    };
    const replies = Promise.all(all.map(read));
    expectQuick(await meanwhile(replies));
    expect(await replies).toEqual(all.map(() => true));
    for (const client of all) client[Symbol.dispose]();
    await everythingGivenBack();
    expect(peakBytes()).toBeLessThan(capBytes);
  }, 60_000);

  test("a hundred clients ask for more than they read", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => server.login()));
    for (const { socket } of all) {
      socket.pause();
      socket.write("llookup:medium.test@alice\n".repeat(1_000));
    }
    expectQuick(await meanwhile(delay(2_000)));
    const [first] = all;
    first?.socket.resume();
    for (let i = 0; i < 1_000; i++) expect((await first?.line()) === `data:${medium}`).toBe(true);
    for (const client of all) client[Symbol.dispose]();
    expect(peakBytes()).toBeLessThan(capBytes);
  }, 60_000);

  test("strangers read by HTTP what is public and large, and do not take what they asked for", async () => {
    await bystander.ask(`update:public:large.page@alice ${largest.slice(100)}`);
    const { host, port } = await server.address("main");
    const requests = Array.from({ length: 40 }, () => {
      const tls = { ca: home.ca.pem, servername: home.host, ALPNProtocols: ["http/1.1"] };
      const asked = request({ host, port, path: "/page/large", agent: false, ...tls });
      asked.on("response", (response) => response.pause());
      asked.on("error", () => undefined);
      return asked.end();
    });
    expectQuick(await meanwhile(delay(2_000)));
    for (const asked of requests) asked.destroy();
    await everythingGivenBack();
    expect(peakBytes()).toBeLessThan(capBytes);
  }, 60_000);
});
