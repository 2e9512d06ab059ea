import { connect } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { type Check, serveHealth } from "./health.ts";

const fine: Check = () => true;

function serve(checks: {
  live?: Record<string, Check>;
  ready?: Record<string, Check>;
  metrics?: () => Promise<string>;
}) {
  return serveHealth({
    listen: { host: "127.0.0.1", port: 0 },
    live: { loop: fine },
    ready: { routes: fine },
    metrics: async () => "up 1\n",
    deadlineMs: 50,
    ...checks,
  });
}

async function get(port: number, path: string, init?: RequestInit): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return [response.status, await response.text()];
}

describe("health", () => {
  test("is ok while every check passes", async () => {
    await using health = await serve({});
    expect(await get(health.address.port, "/livez")).toEqual([200, "ok\n"]);
    expect(await get(health.address.port, "/readyz?verbose")).toEqual([200, "ok\n"]);
  });

  test("names what fails, however it fails", async () => {
    await using health = await serve({
      ready: {
        fine,
        says: () => false,
        throws: () => {
          throw new Error("secret");
        },
        rejects: async () => Promise.reject(new Error("secret")),
        hangs: () => new Promise<boolean>(() => {}),
      },
    });
    expect(await get(health.address.port, "/readyz")).toEqual([503, "says\nthrows\nrejects\nhangs\n"]);
    expect(await get(health.address.port, "/livez")).toEqual([200, "ok\n"]);
  });

  test("gives the metrics it is handed, and 500 when they cannot be had", async () => {
    await using good = await serve({});
    expect(await get(good.address.port, "/metrics")).toEqual([200, "up 1\n"]);
    await using bad = await serve({ metrics: () => new Promise<string>(() => {}) });
    expect(await get(bad.address.port, "/metrics")).toEqual([500, "failed\n"]);
  });

  test.each(["/", "/constructor", "/livez/", "//livez"])("does not know %s", async (path) => {
    await using health = await serve({});
    expect((await get(health.address.port, path))[0]).toBe(404);
  });

  test("takes no other method, and no second request behind its body", async () => {
    await using health = await serve({});
    const socket = connect(health.address.port, "127.0.0.1");
    socket.end("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    const text = (await socket.setEncoding("utf8").toArray()).join("");
    expect(text).toMatch(/^HTTP\/1\.1 405 /);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test("closes at once, also with open connections", async () => {
    const health = await serve({});
    const socket = connect(health.address.port, "127.0.0.1").resume();
    await new Promise((resolve) => socket.once("connect", resolve));
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => socket.destroy());
    await health[Symbol.asyncDispose]();
    await ended;
    await expect(get(health.address.port, "/livez")).rejects.toThrow();
  });

  test("says when its port is taken", async () => {
    await using health = await serve({});
    await expect(serveHealth({ listen: health.address, live: {}, ready: {}, metrics: () => "" })).rejects.toMatchObject(
      { code: "EADDRINUSE" },
    );
  });
});
