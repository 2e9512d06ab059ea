import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ApiClient, type ApiClientOptions, ApiError, NoAnswerError, pathOf } from "./api.ts";
import { type Term, TermOverError } from "./term.ts";
import {
  type ConfigMap,
  configMap,
  configMaps,
  createNamespace,
  listed,
  metric,
  startTestControlPlane,
  type TestControlPlane,
  throttle,
} from "./testing/control-plane.ts";

/** A term that ends after a time. */
function termOf(ms: number): Term & { end(): void } {
  const over = new AbortController();
  const endMs = performance.now() + ms;
  return {
    ...{ signal: over.signal, over: over.signal, end: () => over.abort(new Error("lost")) },
    remainingMs: () => (over.signal.aborted ? 0 : Math.max(0, endMs - performance.now())),
  };
}

describe("with an API server", () => {
  let plane: TestControlPlane;

  beforeAll(async () => {
    // Twelve at the same time, for everybody together.
    plane = await startTestControlPlane(() => [
      "--max-requests-inflight",
      "8",
      "--max-mutating-requests-inflight",
      "4",
    ]);
  }, 60_000);

  afterAll(async () => await plane[Symbol.asyncDispose]());

  test("every request of a storm is done once, though most are refused", async () => {
    await createNamespace(plane.client(), "storm");
    await throttle(plane, "stormy");
    const refused = () => metric(plane, "apiserver_flowcontrol_rejected_requests_total", 'flow_schema="stormy"');
    const before = (await refused()) ?? 0;
    const client = plane.client({ user: "stormy" });
    const names = Array.from({ length: 150 }, (_, i) => `object-${i}`);
    const path = pathOf(configMaps, { namespace: "storm" });
    const create = (name: string) =>
      client.request<ConfigMap>({ method: "POST", path, body: configMap("storm", name), deadlineMs: 25_000 });
    // Of one that was done twice, the second would be refused with 409.
    await Promise.all(names.map(create));
    expect((await listed<ConfigMap>(plane.client(), configMaps, "storm")).length).toBe(names.length);
    expect(((await refused()) ?? 0) - before).toBeGreaterThan(20);
  });

  test("what cannot be answered in its term is not sent, however late the connection is ready", async () => {
    // Carries nothing for a while: the connection is there, its TLS handshake is not.
    const slow = createTcpServer(async (client) => {
      await delay(300);
      const server = connect(plane.port, "127.0.0.1");
      client.pipe(server).pipe(client);
      client.on("error", () => server.destroy());
      server.on("error", () => client.destroy());
    }).listen(0, "127.0.0.1");
    await once(slow, "listening");
    const client = plane.client({ port: (slow.address() as AddressInfo).port });
    const create = (name: string, term: Term) =>
      client.request({
        method: "POST",
        path: pathOf(configMaps, { namespace: "default" }),
        body: configMap("default", name),
        term,
      });
    await expect(create("too-late", termOf(150))).rejects.toThrow(TermOverError);
    await create("in-time", termOf(5_000));
    const names = (await listed<ConfigMap>(plane.client(), configMaps, "default")).map(({ metadata }) => metadata.name);
    expect(names).toContain("in-time");
    expect(names).not.toContain("too-late");
    slow.close();
  });

  test("says what was refused in the words of the API server", async () => {
    const client = plane.client();
    const path = pathOf(configMaps, { namespace: "default", name: "absent" });
    const error = await client.request({ method: "GET", path }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      ...{ status: 404, reason: "NotFound" },
      message: 'GET /api/v1/namespaces/default/configmaps/absent: configmaps "absent" not found',
    });
  });
});

describe("with a server that does as it is told", () => {
  const servers: Server[] = [];

  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function serve(answer: Parameters<typeof createServer>[1], options?: ApiClientOptions) {
    const server = createServer(answer as () => void).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const noCredentials = { getCurrentCluster: () => ({ server: url }), applyToHTTPSOptions: async () => undefined };
    return { server, client: new ApiClient(noCredentials, options) };
  }

  test("asks again when it was told to, and not sooner", async () => {
    const atMs: number[] = [];
    const { client } = await serve(
      (_, response) => {
        atMs.push(performance.now());
        response.writeHead(atMs.length < 3 ? 429 : 200, { "retry-after": "1" }).end("{}");
      },
      { random: () => 0 },
    );
    await expect(client.request({ method: "POST", path: "/", body: {} })).resolves.toEqual({});
    const [first = 0, second = 0, third = 0] = atMs;
    // What is asked for, and half of 500 and of 1,000 milliseconds.
    expect(second - first).toBeGreaterThanOrEqual(1_240);
    expect(third - second).toBeGreaterThanOrEqual(1_490);
  });

  test("gives up when the deadline would be over before it may ask again", async () => {
    const { client } = await serve((_, response) => response.writeHead(429, { "retry-after": "5" }).end());
    const began = performance.now();
    const error = await client
      .request({ method: "GET", path: "/", deadlineMs: 1_000 })
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ status: 429, retryAfterMs: 5_000 });
    expect(performance.now() - began).toBeLessThan(500);
  });

  test("waits for an answer until the deadline, and tells the server of it", async () => {
    let timeout: string | null = null;
    const { client } = await serve(({ url }) => {
      timeout = new URL(url ?? "", "http://host").searchParams.get("timeout");
    });
    const request = client.request({ method: "GET", path: "/", deadlineMs: 200 });
    await expect(request).rejects.toThrow("GET /: no answer within 0.2 s");
    expect(Number.parseInt(timeout ?? "", 10)).toBeGreaterThan(100);
    expect(Number.parseInt(timeout ?? "", 10)).toBeLessThanOrEqual(200);
  });

  test("cuts a request when its term ends, and does not know what became of it", async () => {
    const term = termOf(60_000);
    const { client } = await serve(() => term.end());
    await expect(client.request({ method: "PUT", path: "/", body: {}, term })).rejects.toThrow(NoAnswerError);
  });

  test("knows that what waited for its turn was not sent when its term ended", async () => {
    const term = termOf(60_000);
    const { client, server } = await serve(() => undefined, { maxConcurrent: 1 });
    const stuck = client.request({ method: "GET", path: "/stuck", deadlineMs: 300 });
    await once(server, "request");
    const late = client.request({ method: "PUT", path: "/late", body: {}, term });
    term.end();
    await expect(late).rejects.toThrow(TermOverError);
    await expect(stuck).rejects.toThrow(NoAnswerError);
  });

  test("sends so many at once, and what is urgent besides, over connections that it keeps", async () => {
    const waiting: (() => void)[] = [];
    const sockets = new Set<unknown>();
    const { client } = await serve(
      ({ socket }, response) => {
        sockets.add(socket);
        waiting.push(() => response.end("{}"));
      },
      { maxConcurrent: 3 },
    );
    const requests = Array.from({ length: 9 }, () => client.request({ method: "GET", path: "/" }));
    const urgent = client.request({ method: "GET", path: "/", urgent: true });
    while (waiting.length < 4) await delay(5);
    await delay(50);
    expect(waiting).toHaveLength(4);
    const answering = setInterval(() => waiting.shift()?.(), 1);
    await Promise.all([...requests, urgent]);
    clearInterval(answering);
    expect(sockets.size).toBeLessThanOrEqual(4);
  });

  test("what waits for its turn leaves when nobody wants it any more", async () => {
    const { client, server } = await serve(() => undefined, { maxConcurrent: 1 });
    const stuck = client.request({ method: "GET", path: "/stuck", deadlineMs: 400 });
    await once(server, "request");
    const stop = new AbortController();
    const left = client.request({ method: "GET", path: "/left", signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(left).rejects.toThrow("GET /left: enough");
    await expect(stuck).rejects.toThrow("no answer");
  });

  test("a stream gives objects as they come, and fails when it is cut", async () => {
    const { client } = await serve((_, response) => {
      response.write('{"n":1}\n{"n"');
      response.write(":2}\n\n");
      setTimeout(() => response.destroy(), 50);
    });
    const seen: unknown[] = [];
    const read = async () => {
      for await (const object of client.stream({ path: "/" }, 1_000)) seen.push(object);
    };
    await expect(read()).rejects.toThrow(NoAnswerError);
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("a stream that is silent for too long counts as cut", async () => {
    const { client } = await serve((_, response) => void response.write('{"n":1}\n'));
    const read = async () => {
      for await (const _ of client.stream({ path: "/" }, 100));
    };
    await expect(read()).rejects.toThrow("nothing came for 0.1 s");
  });

  test("an answer that is no JSON is none", async () => {
    const { client } = await serve((_, response) => response.end("<html>"));
    await expect(client.request({ method: "GET", path: "/" })).rejects.toThrow(NoAnswerError);
  });

  test("a proxy's refusal is one", async () => {
    const { client } = await serve((_, response) => response.writeHead(503).end("<html>"));
    const error = await client.request({ method: "GET", path: "/" }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ status: 503, reason: "503", message: "GET /: HTTP 503" });
  });
});
