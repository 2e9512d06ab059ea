import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, test } from "@jest/globals";
import { ca, common, gateway, operator, otherCa, wildcard } from "../vectors/certificates.ts";
import { streamSource } from "./stream-source.ts";
import { RouteTable } from "./table.ts";

interface Stream {
  request: IncomingMessage;
  response: ServerResponse;
  send(...lines: object[]): void;
}

/** An operator that hands each request to the test. */
async function openOperator(options: ServerOptions = {}) {
  const streams: Stream[] = [];
  let arrived = () => {};
  const server = createServer(
    { ca, cert: operator.certificate, key: operator.key, requestCert: true, rejectUnauthorized: true, ...options },
    (request, response) => {
      const send = (...lines: object[]) => {
        response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      };
      streams.push({ request, response, send });
      arrived();
    },
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/v1/routes`),
    /** @returns the n-th request, as soon as there is one */
    async stream(index: number): Promise<Stream> {
      for (;;) {
        const stream = streams[index];
        if (stream !== undefined) return stream;
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function follow(url: URL, { identity = gateway, trust = ca, silenceMs = 5_000 } = {}) {
  const table = new RouteTable();
  const source = streamSource({
    url,
    tls: () => ({ ...identity, trust, expiresAtMs: Number.POSITIVE_INFINITY }),
    table,
    log: silent,
    timings: { connectMs: 2_000, silenceMs, minBackoffMs: 5, maxBackoffMs: 20 },
  });
  return {
    table,
    source,
    changed: (host: string) => new Promise<void>((resolve) => table.whenChanged(host, resolve)),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

const route = (host: string, epoch: number) => ({
  route: { host, state: "Serving", address: "10.0.0.1", port: 6464, uid: "u", epoch },
});

describe("a stream of routes", () => {
  test("fills the table, and changes it", async () => {
    await using op = await openOperator();
    await using followed = follow(op.url);
    const { request, response, send } = await op.stream(0);
    expect([request.method, request.url]).toEqual(["GET", "/v1/routes"]);
    const first = followed.changed("a.test");
    response.write('{"reset":true}\n{"rou');
    response.write(`te":${JSON.stringify(route("a.test", 1).route)}}\n`);
    send({ cursor: "17" });
    await first;
    expect([followed.table.ready, followed.table.size, followed.source.connected]).toEqual([true, 1, true]);
    const second = followed.changed("b.test");
    send(route("b.test", 1));
    await second;
    expect(followed.table.get("b.test")?.upstream).toEqual({ host: "10.0.0.1", port: 6464 });
  });

  test("goes on where it was when the operator comes back, and keeps the table meanwhile", async () => {
    await using op = await openOperator();
    await using followed = follow(op.url);
    const { response, send } = await op.stream(0);
    const filled = followed.changed("a.test");
    send({ reset: true }, route("a.test", 1), { cursor: "1 & 7" });
    await filled;
    response.destroy();
    const resumed = await op.stream(1);
    expect(new URL(resumed.request.url ?? "", op.url).searchParams.get("after")).toBe("1 & 7");
    expect(followed.table.get("a.test")).toBeDefined();
    const changed = followed.changed("a.test");
    resumed.send({ gone: { host: "a.test", epoch: 1 } }, { cursor: "2" });
    await changed;
    expect(followed.table.get("a.test")).toBeUndefined();
  });

  test("is dead when it falls silent, whatever half lines come", async () => {
    await using op = await openOperator();
    await using followed = follow(op.url, { silenceMs: 100 });
    const { response, send } = await op.stream(0);
    send({ reset: true }, { cursor: "1" });
    const dripping = setInterval(() => response.write(" "), 10);
    await op.stream(1);
    clearInterval(dripping);
    expect(followed.table.ready).toBe(true);
  });

  test.each<[string, (stream: Stream) => void]>([
    ["a status", ({ response }) => void response.writeHead(503).end()],
    ["a line that is none", ({ response }) => void response.write("<html>\n")],
    ["a line without end", ({ response }) => void response.write("x".repeat(100_000))],
    ["an end", ({ response }) => void response.end()],
    ["a broken connection", ({ request }) => void request.socket.destroy()],
  ])("is tried again after %s", async (_what, answer) => {
    await using op = await openOperator();
    await using followed = follow(op.url);
    answer(await op.stream(0));
    const filled = followed.changed("a.test");
    (await op.stream(1)).send({ reset: true }, route("a.test", 1), { cursor: "1" });
    await filled;
    expect(followed.table.ready).toBe(true);
  });

  test.each<[string, ServerOptions, { trust?: string }]>([
    ["a wildcard", { cert: wildcard.certificate, key: wildcard.key }, {}],
    ["the name as common name only", { cert: common.certificate, key: common.key }, {}],
    ["another platform's name", { cert: gateway.certificate, key: gateway.key }, {}],
    ["a CA that is not trusted", {}, { trust: otherCa }],
  ])("is not taken from a server with %s", async (_what, options, trust) => {
    await using op = await openOperator(options);
    const refused = once(op.server, "tlsClientError");
    const requested = op.stream(0).then(() => "asked");
    await using followed = follow(op.url, trust);
    const connections = once(op.server, "secureConnection").then(([socket]) => once(socket, "close"));
    await Promise.race([refused, connections, requested]);
    expect(await Promise.race([requested, Promise.resolve("not asked")])).toBe("not asked");
    expect(followed.table.ready).toBe(false);
  });

  test("ends at once when it is disposed of, also while it waits", async () => {
    await using op = await openOperator();
    const followed = follow(op.url);
    const { request } = await op.stream(0);
    const closed = once(request.socket, "close");
    await followed[Symbol.asyncDispose]();
    await closed;
    const alone = follow(new URL("https://127.0.0.1:1/v1/routes"));
    await alone[Symbol.asyncDispose]();
    expect(alone.source.connected).toBe(false);
  });
});
