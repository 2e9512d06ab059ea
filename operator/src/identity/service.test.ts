import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { logger, silent } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ApiClient, RequestParts } from "../controller/api.ts";
import { startTestControlPlane, type TestControlPlane } from "../controller/testing/control-plane.ts";
import { Writer } from "../controller/writer.ts";
import { installDefinitions } from "../resources/testing/api-server.ts";
import { base64, secrets } from "./ca-secret.ts";
import { createRoot, openAuthority } from "./certificate-authority.ts";
import { openOperatorTls } from "./operator-tls.ts";
import { openPlatformCa, type PlatformCa } from "./platform-ca.ts";
import { reviewToken } from "./pod-identity.ts";
import { type IdentityService, type IdentityServiceOptions, serveIdentity } from "./service.ts";
import { ask, csrFor } from "./testing/caller.ts";
import { grantRights } from "./testing/rights.ts";
import { epoch, TestTenant } from "./testing/tenant.ts";

const namespace = "atrium-system";
const parts = new AsyncDisposableStack();
let plane: TestControlPlane;
let client: ApiClient;
let ca: PlatformCa;
let service: IdentityService;
let a: TestTenant;
let b: TestTenant;

beforeAll(async () => {
  plane = parts.use(await startTestControlPlane());
  await installDefinitions(plane.client());
  // Whatever the service does, it does with the rights of the chart.
  client = plane.client({ user: await grantRights(plane.client(), namespace) });
  ca = parts.use(await openPlatformCa({ client, namespace, names: ["at.test", "atrium.internal"], log: silent }));
  service = parts.use(await serve());
  [a, b] = [await TestTenant.open(plane, "tenant-a"), await TestTenant.open(plane, "tenant-b")];
}, 120_000);

afterAll(() => parts.disposeAsync(), 30_000);

const many = { burst: 10_000, perSecond: 1_000 };
const unlimited = {
  ...{ perAddress: many, refusedPerAddress: many, perPod: many, perNamespace: many, overall: many },
};

async function serve(options: Partial<IdentityServiceOptions> = {}): Promise<IdentityService> {
  const tls = await openOperatorTls({ ca, log: silent });
  return await serveIdentity({
    ...{ listen: { host: "127.0.0.1", port: 0 }, tls, client, ca, namespace, usesWildcard: () => false, log: silent },
    limits: unlimited,
    ...options,
  });
}

async function askFor(
  {
    token,
    host,
    atSign,
    ...more
  }: { token?: string; host: string; atSign: string; epoch?: number; activated?: boolean },
  at = service,
) {
  return await ask(at.address, ca.trust, {
    token,
    body: { atSign, epoch, csr: await csrFor({ dns: [host] }), ...more },
  });
}

describe("the current pod of an AtSign", () => {
  test("gets a certificate for its host, the roots and the activation secret", async () => {
    const { token, host } = await a.serving("alice");
    const { status, answer, headers } = await askFor({ token, host, atSign: "@alice" });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" });
    const leaf = new X509Certificate(answer.certificate);
    expect(leaf.subjectAltName).toBe(`DNS:${host}`);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(leaf.verify(new X509Certificate(ca.trust).publicKey)).toBe(true);
    expect(Date.parse(leaf.validTo)).toBe(Date.parse(answer.expiresAt));
    expect(Date.parse(answer.expiresAt) - Date.now()).toBeGreaterThan(86_390_000);
    expect(answer).toMatchObject({ trust: ca.trust, activation: { secret: "secret of alice" } });
    expect(Object.keys(answer).sort()).toEqual(["activation", "certificate", "expiresAt", "trust"]);
  });

  test("says that the owner has activated: the status does too, and the secret is gone", async () => {
    const { token, host } = await a.serving("activated");
    const asking = { token, host, atSign: "@activated" };
    expect((await askFor({ ...asking, activated: true })).answer.activation).toBeUndefined();
    const { status } = await a.readAtSign("activated");
    expect(status?.conditions).toEqual([
      expect.objectContaining({ type: "Activated", status: "True", reason: "Activated" }),
    ]);
    expect(await a.hasSecret("activated-activation")).toBe(false);
    expect(status).toMatchObject({ epoch, host, port: 443 });
    // It is for ever, and may be repeated.
    expect((await askFor(asking)).answer.activation).toBeUndefined();
    expect((await askFor({ ...asking, activated: true })).status).toBe(200);
    expect((await a.readAtSign("activated")).metadata.resourceVersion).toBe(
      (await a.setStatus("activated", status ?? {})).metadata.resourceVersion,
    );
  });

  test("gets the secret that the owner has brought, and leaves it to the owner", async () => {
    await a.secret("brought", "brought by the owner\n");
    const atSign = await a.atSign("bringing", { activation: { secretRef: { name: "brought" } } });
    const pod = await a.pod("bringing-atserver", atSign);
    const host = "bringing.at.test";
    await a.setStatus("bringing", { host, epoch, pod: { name: "bringing-atserver", uid: pod.metadata.uid } });
    const asking = { token: await a.token(pod), host, atSign: "@bringing" };
    expect((await askFor(asking)).answer.activation).toEqual({ secret: "brought by the owner" });
    expect((await askFor({ ...asking, activated: true })).answer.activation).toBeUndefined();
    expect(await a.hasSecret("brought")).toBe(true);
  });

  test("is recorded as activated also while others write its status", async () => {
    const { token, host } = await a.serving("busy");
    let written = 0;
    const racing: Pick<ApiClient, "request"> = {
      async request<T>(parts: RequestParts): Promise<T> {
        // Between reading and writing, thrice.
        if (parts.method === "PUT" && written < 3) {
          const { status } = await a.readAtSign("busy");
          await a.setStatus("busy", { ...status, observedGeneration: ++written });
        }
        return await client.request<T>(parts);
      },
    };
    await using raced = await serve({ client: racing });
    const { status } = await askFor({ token, host, atSign: "@busy", activated: true }, raced);
    expect(status).toBe(200);
    const after = await a.readAtSign("busy");
    expect(after.status).toMatchObject({ observedGeneration: 3, conditions: [{ type: "Activated", status: "True" }] });
  });

  test("is not recorded as activated when it stops to be the current pod meanwhile", async () => {
    const { token, host } = await a.serving("replaced");
    let isReplaced = false;
    const racing: Pick<ApiClient, "request"> = {
      async request<T>(parts: RequestParts): Promise<T> {
        if (parts.method === "PUT" && !isReplaced) {
          isReplaced = true;
          const { status } = await a.readAtSign("replaced");
          await a.setStatus("replaced", { ...status, epoch: epoch + 1 });
        }
        return await client.request<T>(parts);
      },
    };
    await using raced = await serve({ client: racing });
    const { status, detail } = await askFor({ token, host, atSign: "@replaced", activated: true }, raced);
    expect([status, detail]).toEqual([403, "the epoch is not the current one"]);
    expect((await a.readAtSign("replaced")).status?.conditions).toBeUndefined();
    expect(await a.hasSecret("replaced-activation")).toBe(true);
  });

  test("gets the zone's certificate where its class says so, once there is a good one", async () => {
    const { token, host } = await a.serving("shown");
    const asking = { token, host, atSign: "@shown" };
    await using wild = await serve({ usesWildcard: ({ spec }) => spec.atSign === "@shown" });
    expect(await askFor(asking, wild)).toMatchObject({
      status: 503,
      detail: "the Secret atrium-zone-tls is not there",
    });
    const root = await openAuthority(await createRoot(["at.test", "other.test"], Date.now()));
    const put = async (name: string, now = Date.now()) => {
      const { certificate, key } = await root.issue({ dnsNames: [name], client: false }, now);
      const data = { "tls.crt": base64(certificate), "tls.key": base64(key) };
      const metadata = { namespace, name: "atrium-zone-tls" };
      const object = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, data };
      await new Writer({ client: plane.client(), term: undefined }).apply(secrets, object);
      return { certificate, privateKey: key };
    };
    await put("*.other.test");
    expect((await askFor(asking, wild)).detail).toBe("the Secret atrium-zone-tls is not for the hosts of the zone");
    await put("*.at.test", Date.now() - 7 * 86_400_000);
    expect((await askFor(asking, wild)).detail).toBe("the Secret atrium-zone-tls has expired");
    const serving = await put("*.at.test");
    const { answer } = await askFor(asking, wild);
    expect(answer.serving).toEqual(serving);
    expect(new X509Certificate(answer.certificate).subjectAltName).toBe(`DNS:${host}`);
    // Not for others.
    const { token: other, host: otherHost } = await a.serving("plain");
    expect((await askFor({ token: other, host: otherHost, atSign: "@plain" }, wild)).answer.serving).toBeUndefined();
  });

  test("waits while its activation secret is not there, or it is not named yet", async () => {
    const atSign = await a.atSign("early");
    const pod = await a.pod("early-atserver", atSign);
    const host = "early.at.test";
    const asking = { token: await a.token(pod), host, atSign: "@early" };
    await a.setStatus("early", { host, epoch });
    const unnamed = await askFor(asking);
    expect(unnamed).toMatchObject({ status: 503, detail: "the AtSign has no pod yet" });
    expect(unnamed.headers["retry-after"]).toBe("1");
    await a.setStatus("early", { host, epoch, pod: { name: "early-atserver", uid: pod.metadata.uid } });
    expect(await askFor(asking)).toMatchObject({ status: 503, detail: "the activation secret is not there yet" });
  });
});

describe("nobody else gets anything", () => {
  let mine: Awaited<ReturnType<TestTenant["serving"]>>;
  let theirs: Awaited<ReturnType<TestTenant["serving"]>>;

  beforeAll(async () => {
    mine = await a.serving("mine");
    theirs = await b.serving("theirs");
  });

  const refused = async (status: number, detail: string, said: Parameters<typeof askFor>[0]) => {
    const { headers, ...answered } = await askFor(said);
    expect(answered).toMatchObject({ status, detail });
    expect(headers["content-type"]).toBe("application/problem+json");
    expect(answered.answer).toEqual({ type: "about:blank", title: expect.any(String), status, detail });
  };

  test("without a token, and with what is none", async () => {
    const { host } = mine;
    await refused(401, "there is no bearer token", { host, atSign: "@mine" });
    await refused(401, "the token is not valid for the identity service", { token: "x.y.z", host, atSign: "@mine" });
    const { headers } = await askFor({ host, atSign: "@mine" });
    expect(headers["www-authenticate"]).toBe("Bearer");
  });

  test("with the token of another pod", async () => {
    await refused(403, "the pod is not one of @mine", { token: theirs.token, host: mine.host, atSign: "@mine" });
  });

  test("with one's own token for the host of another", async () => {
    const detail = `the CSR must be for exactly one DNS name, ${theirs.host}`;
    await refused(422, detail, { token: theirs.token, host: mine.host, atSign: "@theirs" });
  });

  test("with the token of a pod that a namespace editor made with our labels and owner", async () => {
    const pod = await a.pod("made-by-hand", mine.atSign);
    const token = await a.token(pod);
    await refused(403, "the pod is not the current one", { token, host: mine.host, atSign: "@mine" });
  });

  test("with a pod that claims an AtSign of another namespace", async () => {
    const pod = await b.pod("elsewhere", mine.atSign);
    await refused(403, "the AtSign is gone", { token: await b.token(pod), host: mine.host, atSign: "@mine" });
  });

  test("with a pod that belongs to no AtSign", async () => {
    const token = await a.token(await a.pod("alone"));
    await refused(403, "the pod does not belong to an AtSign", { token, host: mine.host, atSign: "@mine" });
  });

  test.each([epoch - 1, epoch + 1])("with the epoch %s", async (wrong) => {
    const detail = "the epoch is not the current one";
    await refused(403, detail, { token: mine.token, host: mine.host, atSign: "@mine", epoch: wrong });
  });

  test("with an expired token", async () => {
    const asking = { host: mine.host, atSign: "@mine" };
    expect((await askFor({ ...asking, token: a.madeEarlier(mine.token, 0) })).status).toBe(200);
    const token = a.madeEarlier(mine.token, 7_200);
    await refused(401, "the token is not valid for the identity service", { token, host: mine.host, atSign: "@mine" });
  });

  test.each(["atrium-nats", "https://kubernetes.default.svc"])("with a token for %s", async (to) => {
    const token = await a.token(mine.pod, to);
    await refused(401, "the token is not valid for the identity service", { token, host: mine.host, atSign: "@mine" });
  });

  test("with a token of the service account that is no pod's", async () => {
    const token = await a.tokenOfNoPod();
    await refused(401, "the token is not bound to a pod", { token, host: mine.host, atSign: "@mine" });
  });

  test("after the pod's deletion has begun, and after it", async () => {
    const { token, host, pod } = await a.serving("leaving");
    const asking = { token, host, atSign: "@leaving" };
    expect((await askFor(asking)).status).toBe(200);
    await a.deletePod(pod, 30);
    await refused(403, "the pod is being deleted", asking);
    await a.deletePod(pod, 0);
    // The API server itself still believes the token: this is what the pod is read for.
    const review = await reviewToken(client, token, AbortSignal.timeout(5_000));
    expect(review.uid).toBe(pod.metadata.uid);
    await refused(403, "the pod is gone", asking);
    // Nor is it that of its successor with the same name.
    const next = await a.pod(pod.metadata.name, await a.readAtSign("leaving"));
    await a.setStatus("leaving", { host, epoch, pod: { name: pod.metadata.name, uid: next.metadata.uid } });
    const { status, detail } = await askFor(asking);
    expect([
      [401, "the token is not valid for the identity service"],
      [403, "the pod is gone"],
    ]).toContainEqual([status, detail]);
  });

  test("when activation is told by another pod: nothing is written", async () => {
    const before = (await a.readAtSign("mine")).metadata.resourceVersion;
    const pod = await a.pod("telling", mine.atSign);
    const said = { token: await a.token(pod), host: mine.host, atSign: "@mine", activated: true };
    await refused(403, "the pod is not the current one", said);
    expect((await a.readAtSign("mine")).metadata.resourceVersion).toBe(before);
    expect(await a.hasSecret("mine-activation")).toBe(true);
  });
});

describe("the service", () => {
  test("serves one resource", async () => {
    expect(await ask(service.address, ca.trust, { path: "/v1/other" })).toMatchObject({ status: 404 });
    expect(await ask(service.address, ca.trust, { method: "GET" })).toMatchObject({ status: 405 });
  });

  test.each([
    [400, "the body: Invalid input: expected object, received undefined", "{"],
    [400, expect.stringMatching(/^the body: atSign: /), JSON.stringify({ epoch, csr: "" })],
    [400, expect.stringMatching(/^the body: epoch: /), JSON.stringify({ atSign: "@a", epoch: "1", csr: "" })],
    [413, "the body has more than 16384 bytes", JSON.stringify({ csr: "x".repeat(20_000) })],
  ])("refuses with %s what is not the agreed form: %s", async (status, detail, body) => {
    expect(await ask(service.address, ca.trust, { token: "x", body })).toMatchObject({ status, detail });
  });

  test("limits each pod, each namespace, each address and all, and says when to come again", async () => {
    const { token, host } = await a.serving("eager");
    const { token: neighbour, host: neighbourHost } = await a.serving("neighbour");
    const { token: stranger, host: strangerHost } = await b.serving("stranger");
    const eager = { token, host, atSign: "@eager" };
    const rate = (burst: number) => ({ burst, perSecond: 0.01 });
    const limited = async (limits: IdentityServiceOptions["limits"], asks: readonly Parameters<typeof askFor>[0][]) => {
      await using other = await serve({
        limits: { ...unlimited, ...limits },
      });
      const statuses = [];
      for (const each of asks) {
        const { status, headers } = await askFor(each, other);
        if (status === 429) expect(Number(headers["retry-after"])).toBeGreaterThan(90);
        statuses.push(status);
      }
      return statuses;
    };
    const other = { token: neighbour, host: neighbourHost, atSign: "@neighbour" };
    const foreign = { token: stranger, host: strangerHost, atSign: "@stranger" };
    expect(await limited({ perPod: rate(2) }, [eager, eager, eager, other])).toEqual([200, 200, 429, 200]);
    expect(await limited({ perNamespace: rate(2) }, [eager, eager, other, foreign])).toEqual([200, 200, 429, 200]);
    expect(await limited({ perAddress: rate(2) }, [eager, other, foreign])).toEqual([200, 200, 429]);
    expect(await limited({ overall: rate(1) }, [eager, foreign])).toEqual([200, 429]);
    const unproven = { host, atSign: "@eager", token: "junk" };
    expect(await limited({ refusedPerAddress: rate(2) }, [eager, unproven, eager, unproven, eager])).toEqual([
      ...[200, 401, 200, 401, 429],
    ]);
  });

  test("has so many connections of one address, and more when they end", async () => {
    const { token, host } = await a.serving("greedy");
    await using narrow = await serve({ limits: { ...unlimited, connectionsPerAddress: 2 } });
    const greedy = [connect(narrow.address), connect(narrow.address)];
    await Promise.all(greedy.map((socket) => once(socket, "connect")));
    await expect(askFor({ token, host, atSign: "@greedy" }, narrow)).rejects.toThrow();
    const closed = greedy.map((socket) =>
      once(
        socket.on("error", () => undefined),
        "close",
      ),
    );
    for (const socket of greedy) socket.destroy();
    await Promise.all(closed);
    const later = async () => (await askFor({ token, host, atSign: "@greedy" }, narrow).catch(() => undefined))?.status;
    const deadline = AbortSignal.timeout(5_000);
    while ((await later()) !== 200) deadline.throwIfAborted();
  });

  test("works on so many at a time, and refuses the others", async () => {
    const { token, host } = await a.serving("crowd");
    await using narrow = await serve({
      limits: { ...unlimited, concurrent: 1 },
    });
    const asks = await Promise.all(Array.from({ length: 6 }, () => askFor({ token, host, atSign: "@crowd" }, narrow)));
    const statuses = asks.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect((await askFor({ token, host, atSign: "@crowd" }, narrow)).status).toBe(200);
  });

  test("is 503 while the API server is away", async () => {
    const { token, host } = await a.serving("alone-now");
    const nobody = { request: () => plane.client({ port: 1 }).request({ method: "GET", path: "/", deadlineMs: 500 }) };
    await using away = await serve({ client: nobody as Pick<ApiClient, "request"> });
    const { status, headers, detail } = await askFor({ token, host, atSign: "@alone-now" }, away);
    expect([status, detail]).toEqual([503, "the API server could not be asked"]);
    expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(2);
  });

  test("does not wait for who sends nothing, or half of a request", async () => {
    await using impatient = await serve({ deadlines: { requestMs: 300, workMs: 300 } });
    const { host, port } = impatient.address;
    const silentPeer = connect({ host, port });
    const slow = connectTls({ host, port, ca: ca.trust, servername: "operator.atrium.internal" });
    slow.write("POST /v1/identity HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nauthorization: Bearer x\r\n\r\n{");
    silentPeer.on("error", () => undefined);
    slow.on("error", () => undefined).resume();
    await Promise.all([once(silentPeer, "close"), once(slow, "close")]);
  });

  test("logs nothing that is secret", async () => {
    const lines: string[] = [];
    const log = logger({ name: "test", level: "trace", to: { write: (line: string) => void lines.push(line) } });
    const { token, host } = await a.serving("quiet");
    await using told = await serve({ log });
    await askFor({ token, host, atSign: "@quiet" }, told);
    await askFor({ token, host, atSign: "@else" }, told);
    await askFor({ token: `${token}x`, host, atSign: "@quiet" }, told);
    expect(lines).toHaveLength(3);
    expect(told.answers).toEqual(
      new Map([
        [200, 1],
        [403, 1],
        [401, 1],
      ]),
    );
    for (const secret of [token, token.split(".")[2] ?? "", "secret of quiet", "PRIVATE KEY"]) {
      expect(lines.join("")).not.toContain(secret);
    }
  });
});
