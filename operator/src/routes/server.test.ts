import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import { request } from "node:https";
import { createInterface } from "node:readline";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type CertificateAuthority, createRoot, openAuthority, type Pair } from "../identity/certificate-authority.ts";
import { type RouteFeed, routeFeed } from "./feed.ts";
import { type RouteServer, serveRoutes } from "./server.ts";

const route = { host: "a.test", state: "Serving", address: "127.0.0.1", port: 1, uid: "1", epoch: 1 } as const;

let authority: CertificateAuthority;
let feed: RouteFeed;
let server: RouteServer;
let open: ClientRequest[];

const timings = { heartbeatMs: 50, stalledMs: 300 };

const issue = (name: string, client = true) => authority.issue({ dnsNames: [name], client }, Date.now());

beforeEach(async () => {
  open = [];
  authority = await openAuthority(await createRoot(["atrium.internal", "at.test"], Date.now()));
  feed = routeFeed();
  const tls = { ...(await issue("operator.atrium.internal")), trust: authority.certificate };
  server = await serveRoutes({ listen: { host: "127.0.0.1", port: 0 }, tls, feed, log: silent, timings });
});

afterEach(async () => {
  for (const each of open) each.destroy();
  await server[Symbol.asyncDispose]();
});

interface Asked {
  pair?: Pair;
  path?: string;
  method?: string;
}

async function ask({ pair, path = "/v1/routes", method = "GET" }: Asked = {}): Promise<IncomingMessage> {
  const { certificate, key } = pair ?? (await issue("gateway.atrium.internal"));
  const outgoing = request({
    ...server.address,
    ...{ path, method, cert: certificate, key, ca: authority.certificate },
    servername: "operator.atrium.internal",
    agent: false,
  });
  open.push(outgoing);
  outgoing.end();
  const [response] = await once(outgoing, "response");
  outgoing.on("error", () => undefined); // it is cut at the end
  return response;
}

/** The lines of a stream, one after the other. */
function linesOf(response: IncomingMessage): () => Promise<Record<string, unknown>> {
  response.on("error", () => undefined); // it is cut at the end
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return async () => JSON.parse(String((await lines.next()).value));
}

describe("the stream of routes", () => {
  test("begins with the table and goes on with what changes", async () => {
    feed.set(route);
    const response = await ask();
    expect(response.headers["content-type"]).toBe("application/x-ndjson");
    const next = linesOf(response);
    expect(await next()).toEqual({ reset: true });
    expect(await next()).toEqual({ route });
    expect(await next()).toEqual({ cursor: expect.any(String), epoch: expect.any(Number) });
    feed.set({ ...route, epoch: 2 });
    feed.remove(route.host);
    const changes = [await next(), await next(), await next()].filter((line) => !("cursor" in line));
    expect(changes).toEqual([{ route: { ...route, epoch: 2 } }, { gone: { host: route.host, epoch: 2 } }]);
  });

  test("shows that it lives", async () => {
    const next = linesOf(await ask());
    expect(await next()).toEqual({ reset: true });
    const heartbeat = await next();
    expect(heartbeat).toEqual({ cursor: expect.any(String), epoch: expect.any(Number) });
    expect(await next()).toEqual(heartbeat);
    expect(await next()).toEqual(heartbeat);
  });

  test("goes on where the reader was", async () => {
    const first = linesOf(await ask());
    await first();
    const { cursor } = await first();
    feed.set(route);
    const next = linesOf(await ask({ path: `/v1/routes?after=${encodeURIComponent(String(cursor))}` }));
    expect(await next()).toEqual({ route });
  });

  test("cuts a reader that does not read, so that it comes back later", async () => {
    const response = await ask();
    response.pause().on("error", () => undefined); // it is cut
    const closed = new Promise((resolve) => response.once("close", resolve));
    const long = { ...route, host: `${"a".repeat(60)}.test` };
    for (let count = 0; count < 200_000; count += 1) {
      feed.set({ ...long, epoch: count });
      if (count % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 2 * timings.stalledMs));
    response.resume();
    await closed;
    expect(response.complete).toBe(false);
  });

  test("is whole for ten thousand routes, and lets others have their turns meanwhile", async () => {
    const count = 10_000;
    for (let n = 0; n < count; n += 1) feed.set({ ...route, host: `a${n}.test` });
    let longestMs = 0;
    let lastMs = performance.now();
    const turns = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    const next = linesOf(await ask());
    expect(await next()).toEqual({ reset: true });
    for (let n = 0; n < count; n += 1) expect((await next()).route).toMatchObject({ host: `a${n}.test` });
    expect(await next()).toHaveProperty("cursor");
    clearInterval(turns);
    expect(longestMs).toBeLessThan(250);
  });

  test("is for gateways alone, of all who have a certificate", async () => {
    for (const name of [
      "alice.at.test",
      "directory.atrium.internal",
      "x.gateway.atrium.internal",
      "operator.atrium.internal",
    ]) {
      expect((await ask({ pair: await issue(name) })).statusCode).toBe(403);
    }
  });

  test("is for nobody else", async () => {
    const other = await openAuthority(await createRoot(["atrium.internal"], Date.now()));
    const stranger = await other.issue({ dnsNames: ["gateway.atrium.internal"], client: true }, Date.now());
    await expect(ask({ pair: stranger })).rejects.toMatchObject({ code: expect.any(String) });
    await expect(ask({ pair: await issue("gateway.atrium.internal", false) })).rejects.toMatchObject({
      code: expect.any(String),
    });
  });

  test.each<[string, string]>([
    ["POST", "/v1/routes"],
    ["GET", "/v1/route"],
    ["GET", "//"],
    ["GET", "/v1/routes/x"],
  ])("is not what %s %s asks for", async (method, path) => {
    expect((await ask({ method, path })).statusCode).toBe(404);
  });

  test("takes up another certificate for who comes next", async () => {
    const before = linesOf(await ask());
    await before();
    const renewed = await issue("operator.atrium.internal");
    server.renew({ ...renewed, trust: authority.certificate });
    const response = await ask();
    expect(response.socket).toBeDefined();
    await before(); // the present one goes on
  });
});
