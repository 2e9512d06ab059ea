import { connect } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { serveHealth } from "./health.ts";

const serve = (options: Partial<Parameters<typeof serveHealth>[0]> = {}) =>
  serveHealth({
    listen: { host: "127.0.0.1", port: 0 },
    live: { store: () => true },
    ready: { store: () => true },
    metrics: async () => "up 1\n",
    ...options,
  });

async function get(port: number, path: string, init?: RequestInit): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return [response.status, await response.text()];
}

function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let all = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (data) => {
      all += data;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(all));
  });
}

describe("health", () => {
  test("is ok while every check passes", async () => {
    await using health = await serve();
    const { port } = health.address;
    expect(await get(port, "/livez")).toEqual([200, "ok\n"]);
    expect(await get(port, "/readyz?verbose")).toEqual([200, "ok\n"]);
    expect(await get(port, "/metrics")).toEqual([200, "up 1\n"]);
    expect(await get(port, "/livez", { method: "HEAD" })).toEqual([200, ""]);
  });

  test("names what fails, without a word of why", async () => {
    await using health = await serve({
      ready: {
        fine: () => true,
        says: () => false,
        throws: () => {
          throw new Error("secret");
        },
      },
      metrics: async () => Promise.reject(new Error("secret")),
    });
    expect(await get(health.address.port, "/readyz")).toEqual([503, "says\nthrows\n"]);
    expect(await get(health.address.port, "/metrics")).toEqual([500, "failed\n"]);
  });

  test.each([
    ["POST /livez HTTP/1.1\r\n\r\n", "405 Method Not Allowed"],
    ["GET / HTTP/1.1\r\n\r\n", "404 Not Found"],
    ["GET /livez HTTP/1.0\n\n", "200 OK"],
    ["nonsense\r\n\r\n", "400 Bad Request"],
    ["GET http://x/livez HTTP/1.1\r\n\r\n", "400 Bad Request"],
  ])("answers %j with %s", async (request, status) => {
    await using health = await serve();
    expect(await raw(health.address.port, request)).toMatch(new RegExp(`^HTTP/1.1 ${status}\r\n`));
  });

  test("does not wait for ever, nor read without end", async () => {
    await using health = await serve({ deadlineMs: 50 });
    expect(await raw(health.address.port, "GET /livez HT")).toBe("");
    expect(await raw(health.address.port, `GET /livez HTTP/1.1\r\n${"x".repeat(9_000)}`)).toBe("");
  });
});
