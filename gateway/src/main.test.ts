import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { describe, expect, test } from "@jest/globals";
import { hellos } from "./vectors/hellos.ts";

const hello = Buffer.from(hellos.find(({ client }) => client.startsWith("Go"))?.bytes ?? "", "base64");
const free = { GATEWAY_LISTEN: "127.0.0.1:0", GATEWAY_HEALTH_LISTEN: "127.0.0.1:0" };

function start(environment: Record<string, string>): { child: ChildProcess; log: string[] } {
  const child = fork(join(import.meta.dirname, "main.ts"), {
    env: { ...process.env, NODE_OPTIONS: "", ...free, ...environment },
    execArgv: [],
    silent: true,
  });
  const log: string[] = [];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => log.push(text));
  return { child, log };
}

/** A gateway in a process of its own, with a route to `port`. */
async function started(port: number, environment: Record<string, string> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "gateway-"));
  const path = join(directory, "routes.json");
  const route = { host: "alice.at.example.org", state: "Serving", address: "127.0.0.1", port, uid: "u", epoch: 1 };
  writeFileSync(path, JSON.stringify([route]));
  const { child, log } = start({ GATEWAY_ROUTES: pathToFileURL(path).href, ...environment });
  const exit = once(child, "exit");
  const [ready] = (await once(child, "message")) as [Ready];
  const health = `http://127.0.0.1:${ready.addresses.health?.port}`;
  return {
    child,
    log,
    exit,
    addresses: ready.addresses,
    get: async (page: string) => (await fetch(health + page)).text(),
    memoryMb: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024,
    async connect(entrance = "main"): Promise<Socket> {
      const socket = connect({ port: ready.addresses[entrance]?.port ?? 0, host: "127.0.0.1" });
      socket.on("error", () => socket.destroy());
      await once(socket, "connect");
      socket.write(hello);
      return socket;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exit;
      rmSync(directory, { recursive: true });
    },
  };
}

async function openUpstream(serve: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => socket.destroy()));
    socket.once("data", () => serve(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

describe("the gateway's process", () => {
  test("serves, is healthy, and ends in order", async () => {
    await using upstream = await openUpstream((socket) => socket.write("@"));
    await using gateway = await started(upstream.port, {
      GATEWAY_DRAIN_MS: "100",
      GATEWAY_CLUSTER_LISTEN: "127.0.0.1:0",
    });
    expect(Object.keys(gateway.addresses).toSorted()).toEqual(["cluster", "health", "main"]);
    const client = await gateway.connect();
    expect(String(await once(client, "data"))).toBe("@");
    expect([await gateway.get("/livez"), await gateway.get("/readyz")]).toEqual(["ok\n", "ok\n"]);
    const metrics = await gateway.get("/metrics");
    expect(metrics).toMatch(/^gateway_connections 1$/m);
    expect(metrics).toMatch(/^gateway_routes_connected 1$/m);
    expect(metrics).toMatch(/^gateway_copied_bytes_total\{from="upstream"\} 1$/m);
    expect(metrics).toMatch(/^gateway_connections_refused_total\{reason="not_tls"\} 0$/m);
    expect(metrics).not.toContain("alice");

    const ended = once(client.resume(), "end");
    gateway.child.kill("SIGTERM");
    await ended; // a FIN, no RST
    expect(await gateway.exit).toEqual([143, null]);
    expect(gateway.log.join("")).not.toContain("alice");
  });

  test("expects no PROXY header inside the cluster, whose networks may be those of proxies", async () => {
    await using upstream = await openUpstream((socket) => socket.write("@"));
    await using gateway = await started(upstream.port, {
      GATEWAY_CLUSTER_LISTEN: "127.0.0.1:0",
      GATEWAY_PROXY_PROTOCOL_FROM: "127.0.0.0/8",
    });
    const inside = await gateway.connect("cluster");
    expect(String(await once(inside, "data"))).toBe("@");
    const outside = await gateway.connect("main");
    await once(outside.resume(), "close");
    expect(await gateway.get("/metrics")).toMatch(
      /^gateway_connections_refused_total\{reason="bad_proxy_header"\} 1$/m,
    );
    inside.destroy();
  });

  test("is not ready without routes, and ends with its supervisor", async () => {
    const { child } = start({ GATEWAY_ROUTES: "file:///nowhere/routes.json" });
    const exit = once(child, "exit");
    const [{ addresses }] = (await once(child, "message")) as [Ready];
    const response = await fetch(`http://127.0.0.1:${addresses.health?.port}/readyz`);
    expect([response.status, await response.text()]).toEqual([503, "routes\n"]);
    child.disconnect();
    expect(await exit).toEqual([143, null]);
  });

  test.each([
    [{}, "GATEWAY_ROUTES is not set"],
    [{ GATEWAY_ROUTES: "https://127.0.0.1:1/v1/routes" }, "GATEWAY_TLS is not set"],
    [{ GATEWAY_ROUTES: "https://127.0.0.1:1/v1/routes", GATEWAY_TLS: "/nowhere" }, "/nowhere/certificate.pem"],
    [{ GATEWAY_ROUTES: "file:///routes.json", GATEWAY_LISTEN: "192.0.2.1:1" }, "EADDRNOTAVAIL: 192.0.2.1:1"],
  ])("says in one line why it cannot start with %j", async (environment, fault) => {
    const { child, log } = start(environment as Record<string, string>);
    expect(await once(child, "close")).toEqual([1, null]);
    const lines = log.join("").trim().split("\n");
    expect(lines.filter((line) => JSON.parse(line).level === "fatal")).toHaveLength(1);
    expect(JSON.parse(lines.at(-1) ?? "{}").fault).toContain(fault);
  });

  // The public API allocates for each read: its garbage comes on top, until it is collected.
  test.each([
    ["fast", 40],
    ["plain", 120],
  ])("needs no more memory for a client that reads slowly (%s: %i MB)", async (sockets, limitMb) => {
    const total = 200 * 1024 * 1024;
    await using upstream = await openUpstream((socket) => {
      const chunk = Buffer.alloc(1024 * 1024, "x");
      let sent = 0;
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
    await using gateway = await started(upstream.port, { GATEWAY_SOCKETS: sockets });
    const client = await gateway.connect();
    const before = gateway.memoryMb();
    let [received, peak, pauseAt] = [0, 0, 0];
    for await (const chunk of client) {
      received += (chunk as Buffer).length;
      if (received < pauseAt) continue;
      pauseAt += total / 20;
      await new Promise((resolve) => setTimeout(resolve, 30));
      peak = Math.max(peak, gateway.memoryMb());
    }
    expect(received).toBe(total);
    expect(peak - before).toBeLessThan(limitMb);
  });
});
