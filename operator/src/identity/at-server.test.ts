import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { silent } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ApiClient } from "../controller/api.ts";
import { pathOf } from "../controller/api.ts";
import { startTestControlPlane, type TestControlPlane } from "../controller/testing/control-plane.ts";
import { installDefinitions } from "../resources/testing/api-server.ts";
import { scratch } from "../testing/scratch.ts";
import { base64, caSecretName, secrets } from "./ca-secret.ts";
import { createRoot } from "./certificate-authority.ts";
import { openOperatorTls } from "./operator-tls.ts";
import { openPlatformCa, type PlatformCa } from "./platform-ca.ts";
import { keepPlatformCertificates } from "./platform-certificates.ts";
import { type IdentityService, serveIdentity } from "./service.ts";
import { AtServerProcess, say } from "./testing/at-server.ts";
import { grantRights } from "./testing/rights.ts";
import { epoch, TestTenant } from "./testing/tenant.ts";

const namespace = "atrium-system";
const names = ["at.test", "atrium.internal", "atrium-system.svc"];
/** Of the certificates here: renewed after four of them. */
const lifeMs = 6_000;
const many = { burst: 10_000, perSecond: 1_000 };

const parts = new AsyncDisposableStack();
const directory = parts.use(scratch());
let plane: TestControlPlane;
let client: ApiClient;
let ca: PlatformCa;
let service: IdentityService;
let tenant: TestTenant;

beforeAll(async () => {
  plane = parts.use(await startTestControlPlane());
  await installDefinitions(plane.client());
  client = plane.client({ user: await grantRights(plane.client(), namespace) });
  ca = parts.use(await openPlatformCa({ client, namespace, names, log: silent, pollMs: 100 }));
  const tls = parts.use(await openOperatorTls({ ca, log: silent }));
  const limits = { perAddress: many, refusedPerAddress: many, perPod: many, perNamespace: many, overall: many };
  const listen = { host: "127.0.0.1", port: 0 };
  const options = { listen, tls, client, ca, namespace, usesWildcard: () => false, log: silent, limits, lifeMs };
  service = parts.use(await serveIdentity(options));
  tenant = await TestTenant.open(plane, "tenant");
}, 120_000);

afterAll(async () => await parts.disposeAsync(), 30_000);

async function start(name: string) {
  const serving = await tenant.serving(name);
  const { token, host } = serving;
  const told = {
    directory: join(directory.path, name),
    name,
    host,
    identity: service.address,
    platformCa: ca.trust,
    token,
  };
  return { ...serving, told, atServer: new AtServerProcess(told) };
}

function serialOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().serialNumber;
}

describe("an atServer with an identity from the service", () => {
  test("is activated by its owner, renews, and drops no connection", async () => {
    const { atServer, told } = await start("alice");
    await using _ended = atServer;
    const socket = await atServer.connect(ca.trust);
    const first = serialOf(socket);
    expect(await atServer.login(socket, "secret of alice")).toBe("data:success\n@alice@");
    expect(await say(socket, "update:public:a.b@alice v")).toMatch(/^data:\d+\n@alice@$/);
    expect(await say(socket, "delete:privatekey:at_secret")).toBe("data:-1\n@alice@");
    const deadline = AbortSignal.timeout(5_000);
    while (await tenant.hasSecret("alice-activation")) await delay(20, undefined, { signal: deadline });
    expect((await tenant.readAtSign("alice")).status?.conditions).toEqual([
      expect.objectContaining({ type: "Activated", status: "True" }),
    ]);
    const serials = new Set([first]);
    const renewed = AbortSignal.timeout(2 * lifeMs);
    while (serials.size < 4) {
      const other = await atServer.connect(ca.trust);
      serials.add(serialOf(other));
      other.destroy();
      await delay(100, undefined, { signal: renewed });
    }
    expect(await say(socket, "llookup:public:a.b@alice")).toContain("data:v");
    socket.destroy();
    for (const file of readdirSync(told.directory, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const content = readFileSync(join(file.parentPath, file.name));
      expect(content.includes("PRIVATE KEY")).toBe(false);
      expect(content.includes("secret of alice")).toBe(false);
    }
    expect(atServer.output).not.toMatch(/PRIVATE KEY|secret of alice/);
    expect(atServer.output).not.toContain(told.token);
  });

  test("serves until its certificate ends when its pod is not the one any more, and no longer", async () => {
    const { atServer, pod } = await start("leaving");
    await using _ended = atServer;
    const socket = await atServer.connect(ca.trust);
    const closed = once(socket, "close");
    await tenant.deletePod(pod, 0);
    await delay(lifeMs * 0.75);
    expect(await say(socket, "noop:0")).toContain("data:");
    expect(await atServer.ended).toBe(77);
    await closed;
    expect(atServer.exitReport).toEqual({ epoch, reason: "IdentityRefused", message: expect.any(String) });
    expect(atServer.output).toContain("403: the pod is gone");
  });

  test("is not ready without an identity, and has one as soon as it is the current pod", async () => {
    const { atServer } = await start("early");
    await using _ended = atServer;
    await atServer.ready;
    const { status } = await tenant.readAtSign("early");
    const told = { directory: join(directory.path, "late"), name: "early", host: "early.at.test" };
    await tenant.setStatus("early", { ...status, epoch: epoch + 1 });
    const pod = await tenant.pod("early-second", await tenant.readAtSign("early"));
    const token = await tenant.token(pod);
    await using late = new AtServerProcess({ ...told, identity: service.address, platformCa: ca.trust, token });
    let isReady = false;
    const ready = late.ready.then(() => {
      isReady = true;
    });
    const deadline = AbortSignal.timeout(10_000);
    while (!late.output.includes("403: the epoch is not the current one"))
      await delay(20, undefined, { signal: deadline });
    expect(isReady).toBe(false);
    await tenant.setStatus("early", { ...status, epoch, pod: { name: "early-second", uid: pod.metadata.uid } });
    await ready;
  });
});

test("a change of the CA is not noticed: by connections, by new clients, by who is started anew", async () => {
  const { atServer, told } = await start("steady");
  await using _ended = atServer;
  const old = ca.trust;
  const socket = await atServer.connect(old);
  const next = await createRoot(names, Date.now());
  const path = pathOf(secrets, { namespace, name: caSecretName });
  const body = { data: { "next.crt": base64(next.certificate), "next.key": base64(next.key) } };
  await plane.client().request({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
  const ending = new AbortController();
  const leading = keepPlatformCertificates({
    ...{ client, namespace, ca, directoryHosts: [], log: silent, checkMs: 50 },
    lives: { atServerMs: lifeMs, platformMs: 60_000, rootMarginMs: 0, slackMs: 500 },
    term: { signal: ending.signal, over: new AbortController().signal, remainingMs: () => 60_000 },
  });
  const deadline = AbortSignal.timeout(4 * lifeMs);
  const seen = new Set<string>();
  while (ca.trust !== next.certificate || !seen.has(next.certificate)) {
    // Who takes up the bundle now, and who did so a moment ago.
    const { trust } = ca;
    const client = await atServer.connect(trust);
    seen.add(issuerOf(client, [old, next.certificate]));
    client.destroy();
    await delay(50, undefined, { signal: deadline });
  }
  expect(seen).toEqual(new Set([old, next.certificate]));
  expect(await say(socket, "noop:0")).toContain("data:");
  socket.destroy();
  await atServer[Symbol.asyncDispose]();
  // A container that is started again: its settings know the old root alone.
  await using again = new AtServerProcess(told);
  (await again.connect(next.certificate)).destroy();
  ending.abort();
  await leading;
}, 60_000);

/** Which of the roots the other side's certificate is of. */
function issuerOf(socket: TLSSocket, roots: readonly string[]): string {
  const leaf = socket.getPeerX509Certificate();
  return roots.find((root) => leaf?.verify(new X509Certificate(root).publicKey)) ?? "";
}
