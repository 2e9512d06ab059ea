import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { silent } from "@atrium/runtime/log.ts";
import { watchTlsFiles } from "@atrium/runtime/tls-files.ts";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type Pair, testCa } from "../../../test/kit/certificates.ts";
import { memoryRegistry } from "../registry/memory.ts";
import { type Registry, RegistryAway } from "../registry.ts";
import { type AdminAnswer, askAdmin } from "../testing/admin-client.ts";
import { eventually } from "../testing/registries.ts";
import { type TlsDirectory, tlsDirectory } from "../testing/tls-directory.ts";
import { type AdminServer, serveAdmin } from "./server.ts";

let tls: TlsDirectory;
let registry: Registry;
let server: AdminServer;
let cleanUp: AsyncDisposableStack;

beforeEach(async () => {
  cleanUp = new AsyncDisposableStack();
  tls = cleanUp.use(tlsDirectory());
  registry = memoryRegistry({ cells: ["eu1", "us1"] });
  const tlsFiles = cleanUp.use(watchTlsFiles({ directory: tls.path, log: silent }));
  const listen = { host: "127.0.0.1", port: 0 };
  server = cleanUp.use(
    await serveAdmin({ listen, tlsFiles, caFile: tls.caFile, caPeriodMs: 20, registry, log: silent }),
  );
});

afterEach(() => cleanUp.disposeAsync());

function ask(method: string, path: string, body?: unknown, identity: Pair | undefined = tls.operator) {
  return askAdmin({ port: server.address.port, ca: tls.ca, identity }, method, path, body);
}

function problem(status: number, reason?: string): Partial<AdminAnswer> {
  return {
    status,
    headers: expect.objectContaining({
      "content-type": "application/problem+json",
    }) as unknown as AdminAnswer["headers"],
    body: expect.objectContaining({
      type: "about:blank",
      status,
      title: expect.any(String),
      detail: expect.any(String),
      ...(reason !== undefined && { reason }),
    }),
  };
}

const alice = { host: "alice.at.example.org", port: 443, claim: "c1", generation: 5, held: true };

describe("records", () => {
  test("are listed by the beginning of their claims", async () => {
    await ask("PUT", "/v1/records/alice", { ...alice, claim: "one-alice" });
    await ask("PUT", "/v1/records/bob", { ...alice, host: "bob.at.example.org", claim: "two-bob" });
    expect(await ask("GET", "/v1/records?claimPrefix=one-")).toMatchObject({
      status: 200,
      body: { records: [{ name: "@alice", claim: "one-alice", generation: 5 }], next: null },
    });
    expect(await ask("GET", "/v1/records")).toMatchObject(problem(400));
    expect(await ask("GET", "/v1/records?claimPrefix=one-&cursor=x")).toMatchObject(problem(400));
    expect(await ask("POST", "/v1/records?claimPrefix=one-", {})).toMatchObject(problem(405));
  });

  test("of a new name wait while the registry may lack some", async () => {
    const { held, ...unknown } = alice;
    const answer = await ask("PUT", "/v1/records/alice", unknown);
    expect(answer).toMatchObject(problem(503, "incomplete"));
    expect(answer.headers["retry-after"]).toBe("1");
    expect(await ask("PUT", "/v1/records/alice", { ...alice, held: "yes" })).toMatchObject(problem(400));
  });

  test("are put, shown, parked and released, by any spelling of the name", async () => {
    expect(await ask("PUT", "/v1/records/%40ALICE", alice)).toMatchObject({ status: 200, body: { changed: true } });
    expect(await ask("PUT", "/v1/records/al.ice", alice)).toMatchObject({ status: 200, body: { changed: false } });
    const { held, ...shown } = alice;
    expect((await ask("GET", "/v1/records/alice")).body).toEqual({ name: "@alice", ...shown });
    const parked = { host: null, claim: "c1", generation: 6 };
    expect(await ask("PUT", "/v1/records/alice", parked)).toMatchObject({ status: 200, body: { changed: true } });
    expect((await ask("GET", "/v1/records/alice")).body).toEqual({ name: "@alice", ...parked, port: null });
    const release = "/v1/records/alice?claim=c1&generation=6";
    expect(await ask("DELETE", release)).toMatchObject({ status: 200, body: { changed: true } });
    expect(await ask("DELETE", release)).toMatchObject({ status: 200, body: { changed: false } });
    expect(await ask("GET", "/v1/records/alice")).toMatchObject(problem(404, "absent"));
  });

  test("have names beyond ASCII", async () => {
    const path = `/v1/records/${encodeURIComponent("@😀")}`;
    expect(await ask("PUT", path, { ...alice, host: "x-abc.at.example.org" })).toMatchObject({ status: 200 });
    expect(await registry.read("😀")).toBeDefined();
  });

  test("are refused with the reason", async () => {
    await ask("PUT", "/v1/records/alice", alice);
    const put = (name: string, change: object) => ask("PUT", `/v1/records/${name}`, { ...alice, ...change });
    expect(await put("alice", { claim: "c2" })).toMatchObject(problem(409, "claimed"));
    expect(await put("alice", { generation: 4 })).toMatchObject(problem(409, "stale-generation"));
    expect(await put("bob", { claim: "c2" })).toMatchObject(problem(409, "host-taken"));
    const release = await ask("DELETE", "/v1/records/alice?claim=c2&generation=9");
    expect(release).toMatchObject(problem(409, "claimed"));
  });

  test("are handed over", async () => {
    await ask("PUT", "/v1/records/alice", alice);
    const change = { claim: "c1", to: "c2" };
    expect(await ask("POST", "/v1/records/alice/handover", change)).toMatchObject({ body: { changed: true } });
    expect(await ask("PUT", "/v1/records/alice", alice)).toMatchObject(problem(409, "claimed"));
    expect(await ask("POST", "/v1/records/nobody/handover", change)).toMatchObject(problem(404, "absent"));
  });

  test.each([
    [{ ...alice, host: "192.0.2.1" }],
    [{ ...alice, host: "[::1]" }],
    [{ ...alice, host: "a:1" }],
    [{ ...alice, host: "" }],
    [{ ...alice, host: `${"a".repeat(64)}.example.org` }],
    [{ ...alice, host: undefined }],
    [{ ...alice, port: 0 }],
    [{ ...alice, port: 65_536 }],
    [{ ...alice, port: "443" }],
    [{ ...alice, claim: "" }],
    [{ ...alice, claim: "a b" }],
    [{ ...alice, claim: "x".repeat(201) }],
    [{ ...alice, generation: -1 }],
    [{ ...alice, generation: 1.5 }],
    [{ ...alice, generation: 2 ** 53 }],
    [{ ...alice, generatoin: 1 }],
    [{ ...alice, host: null }],
    [[]],
    ["null"],
    ["{"],
    [""],
  ])("of wrong form are refused: %j", async (body) => {
    expect(await ask("PUT", "/v1/records/alice", body)).toMatchObject(problem(400));
    expect(await registry.read("alice")).toBeUndefined();
  });

  test.each([
    ["PUT", "/v1/records/a%20b", 400],
    ["PUT", "/v1/records/%40%40a", 400],
    ["PUT", "/v1/records/%ff", 400],
    ["PUT", `/v1/records/${"a".repeat(256)}`, 400],
    ["DELETE", "/v1/records/alice?claim=c1", 400],
    ["DELETE", "/v1/records/alice?claim=c1&generation=x", 400],
    ["PATCH", "/v1/records/alice", 405],
    ["constructor", "/v1/records/alice", 405],
    ["GET", "/v1/records/", 404],
    ["GET", "/v2/records/alice", 404],
    ["GET", "/v1/records/alice/x", 404],
  ])("at %s %s are answered with %i", async (method, path, status) => {
    const isToken = method !== "constructor";
    const body = method === "PUT" ? alice : undefined;
    if (isToken) expect(await ask(method, path, body)).toMatchObject(problem(status));
    else await expect(ask(method, path)).rejects.toThrow();
  });

  test("do not take a body that is too long, and take the next", async () => {
    expect(await ask("PUT", "/v1/records/alice", "x".repeat(100_000))).toMatchObject(problem(413));
    expect(await ask("PUT", "/v1/records/alice", alice)).toMatchObject({ status: 200 });
  });
});

test("the registry's state, and a cell's mark on it", async () => {
  const { id } = await registry.state();
  const cells = { eu1: false, us1: false };
  expect(await ask("GET", "/v1/registry")).toMatchObject({ status: 200, body: { id, complete: false, cells } });
  expect(await ask("PUT", "/v1/cells/eu1", { registry: "old" })).toMatchObject(problem(409, "other-registry"));
  expect(await ask("PUT", "/v1/cells/xx1", { registry: id })).toMatchObject(problem(404, "unknown-cell"));
  expect(await ask("PUT", "/v1/cells/eu1", { registry: id })).toMatchObject({ body: { complete: false } });
  expect(await ask("PUT", "/v1/cells/us1", { registry: id })).toMatchObject({ body: { id, complete: true } });
});

test("while the registry is away everything is to be tried again", async () => {
  const away = async () => Promise.reject(new RegistryAway("no connection"));
  Object.assign(registry, { put: away, read: away, release: away, handOver: away, state: away, markCell: away });
  const answers = [
    await ask("PUT", "/v1/records/alice", alice),
    await ask("GET", "/v1/records/alice"),
    await ask("DELETE", "/v1/records/alice?claim=c1&generation=1"),
    await ask("POST", "/v1/records/alice/handover", { claim: "c1", to: "c2" }),
    await ask("GET", "/v1/registry"),
    await ask("PUT", "/v1/cells/eu1", { registry: "x" }),
  ];
  for (const answer of answers) {
    expect(answer).toMatchObject(problem(503, "registry-away"));
    expect(answer.headers["retry-after"]).toBe("1");
  }
});

test("a fault of ours is told without its details", async () => {
  Object.assign(registry, { read: async () => Promise.reject(new Error("secret")) });
  const answer = await ask("GET", "/v1/records/alice");
  expect(answer).toMatchObject(problem(500));
  expect(JSON.stringify(answer.body)).not.toContain("secret");
});

describe("only the operator", () => {
  test.each([
    ["another name", "gateway.atrium.internal"],
    ["a name under it", "x.operator.atrium.internal"],
    ["a wild card", "*.atrium.internal"],
    ["a name that begins like it", "operator.atrium.internal.example.org"],
  ])("writes, not %s", async (_name, name) => {
    const identity = tls.authority.issue({ dns: [name], client: true });
    expect(await ask("PUT", "/v1/records/alice", alice, identity)).toMatchObject(problem(403));
    expect(await registry.read("alice")).toBeUndefined();
  });

  test("writes, not without a certificate, nor with one of another root", async () => {
    const foreign = testCa().issue({ dns: ["operator.atrium.internal"], client: true });
    const { port } = server.address;
    for (const identity of [undefined, foreign]) {
      await expect(askAdmin({ port, ca: tls.ca, identity }, "PUT", "/v1/records/alice", alice)).rejects.toThrow();
    }
    expect(await registry.read("alice")).toBeUndefined();
  });

  test("writes, and not with a server's certificate", async () => {
    const { port } = server.address;
    const identity = tls.authority.issue({ dns: ["operator.atrium.internal"], client: false });
    await expect(askAdmin({ port, ca: tls.ca, identity }, "GET", "/v1/registry")).rejects.toThrow();
  });
});

test("another root of the operator, and another certificate of ours, are taken up", async () => {
  const root = testCa();
  const identity = root.issue({ dns: ["operator.atrium.internal"], client: true });
  const { port } = server.address;
  const isServed = async () => {
    try {
      return (await askAdmin({ port, ca: tls.ca, identity }, "GET", "/v1/registry")).status === 200;
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toMatch(/^(ERR_SSL_|ECONNRESET|EPIPE)/);
      return false;
    }
  };
  expect(await isServed()).toBe(false);
  writeFileSync(tls.caFile, "neither this");
  writeFileSync(tls.caFile, tls.ca + root.pem);
  await eventually(isServed);
  expect(await ask("GET", "/v1/registry")).toMatchObject({ status: 200 });
});

test("a body that breaks off is no more than that", async () => {
  const { port } = server.address;
  const { certificate: cert, key } = tls.operator;
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    ca: tls.ca,
    cert,
    key,
    servername: "directory.atrium.internal",
  });
  socket.write("PUT /v1/records/alice HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  await once(socket, "secureConnect");
  socket.destroy();
  expect(await ask("PUT", "/v1/records/alice", alice)).toMatchObject({ status: 200 });
});

test("plain HTTP is closed", async () => {
  const sent = httpRequest({ host: "127.0.0.1", port: server.address.port, path: "/v1/registry" });
  sent.end();
  await expect(once(sent, "response")).rejects.toThrow();
  const socket = connectTcp(server.address.port, "127.0.0.1").resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => socket.destroy());
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await closed;
  expect(await ask("GET", "/v1/registry")).toMatchObject({ status: 200 });
});
