import { X509Certificate } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { logger, silent } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, pathOf, type Resource } from "../controller/api.ts";
import type { Term } from "../controller/term.ts";
import { createNamespace, startTestControlPlane, type TestControlPlane } from "../controller/testing/control-plane.ts";
import { base64, caSecretName, type Secret, secrets, sinceAnnotation } from "./ca-secret.ts";
import { createRoot, type Pair } from "./certificate-authority.ts";
import { openOperatorTls } from "./operator-tls.ts";
import { openPlatformCa, type PlatformCa } from "./platform-ca.ts";
import { keepPlatformCertificates } from "./platform-certificates.ts";

const names = ["at.test", "atrium.internal", "atrium-system.svc", "directory.example.org"];
const directoryHosts = ["directory.example.org", "atrium-directory.atrium-system.svc"];
const configMaps: Resource = { group: "", version: "v1", plural: "configmaps" };

let plane: TestControlPlane;
let client: ApiClient;
let count = 0;

beforeAll(async () => {
  plane = await startTestControlPlane();
  client = plane.client();
}, 120_000);

afterAll(async () => await plane[Symbol.asyncDispose](), 30_000);

/** A release of its own. */
async function release() {
  const namespace = `release-${++count}`;
  await createNamespace(client, namespace);
  const of = (resource: Resource, name: string) => pathOf(resource, { namespace, name });
  const read = <T>(resource: Resource, name: string) => client.request<T>({ method: "GET", path: of(resource, name) });
  return {
    namespace,
    open: (options: Partial<Parameters<typeof openPlatformCa>[0]> = {}) =>
      openPlatformCa({ client, namespace, names, log: silent, ...options }),
    bring: (data: Readonly<Record<string, string>>) => {
      const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
      const body = { metadata: { namespace, name: caSecretName }, data: encoded };
      return client.request({ method: "POST", path: pathOf(secrets, { namespace }), body });
    },
    patch: (body: object) =>
      client.request<Secret>({
        ...{ method: "PATCH", path: of(secrets, caSecretName), body },
        contentType: "application/merge-patch+json",
      }),
    async secret(name: string) {
      const { data = {} } = await read<Secret>(secrets, name);
      const texts = Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString("utf8")]);
      return Object.fromEntries(texts) as Readonly<Record<string, string>>;
    },
    metadata: async (name: string) => (await read<Secret>(secrets, name)).metadata,
    bundle: async () => (await read<{ data: Record<string, string> }>(configMaps, "atrium-trust")).data["ca.crt"],
  };
}

type Release = Awaited<ReturnType<typeof release>>;

const hourMs = 3_600_000;
const lives = { atServerMs: 24 * hourMs, platformMs: 720 * hourMs, rootMarginMs: 8_760 * hourMs, slackMs: 900_000 };

/** A leader whose clock is the test's. */
function lead({ namespace }: Release, ca: PlatformCa, { now = Date.now, log = silent } = {}) {
  const ending = new AbortController();
  const term: Term = {
    signal: ending.signal,
    over: new AbortController().signal,
    remainingMs: () => (ending.signal.aborted ? 0 : 60_000),
  };
  const options = { client, namespace, ca, directoryHosts, log, term, lives, checkMs: 20, now };
  const done = keepPlatformCertificates(options);
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  };
}

/** The API server tells nobody when a leader is done: what it writes is looked for. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(15_000);
  while (!(await holds().catch(() => false))) await delay(20, undefined, { signal: deadline });
}

function namesOf(certificate = ""): string | undefined {
  return new X509Certificate(certificate).subjectAltName;
}

function isOf(certificate = "", root = ""): boolean {
  return new X509Certificate(certificate).verify(new X509Certificate(root).publicKey);
}

describe("the platform's CA", () => {
  test("is made once, however many replicas start, and is the same after that", async () => {
    const here = await release();
    const opened = await Promise.all(Array.from({ length: 5 }, () => here.open()));
    const secret = await here.secret(caSecretName);
    expect(new Set(opened.map(({ trust }) => trust))).toEqual(new Set([secret["ca.crt"]]));
    expect(new Set(opened.map(({ platformId }) => platformId))).toEqual(new Set([secret["platform-id"]]));
    using again = await here.open();
    expect(again.platformId).toBe(secret["platform-id"]);
    for (const ca of opened) ca[Symbol.dispose]();
  });

  test("takes over a platform's id", async () => {
    const here = await release();
    using ca = await here.open({ platformId: "former" });
    expect(ca.platformId).toBe("former");
    expect((await here.secret(caSecretName))["platform-id"]).toBe("former");
  });

  test("is the one that was brought, which gets an id", async () => {
    const here = await release();
    const root = await createRoot(names, Date.now());
    await here.bring({ "ca.crt": root.certificate, "ca.key": root.key });
    const opened = await Promise.all([here.open(), here.open(), here.open()]);
    const { "platform-id": id = "", "ca.crt": kept } = await here.secret(caSecretName);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(kept).toBe(root.certificate);
    for (const ca of opened) {
      expect(ca).toMatchObject({ platformId: id, trust: root.certificate });
      ca[Symbol.dispose]();
    }
  });

  test("is refused in words when it cannot be used", async () => {
    const [one, two] = [await createRoot(names, Date.now()), await createRoot(names, Date.now())];
    const faults: [Record<string, string>, string][] = [
      [{}, "ca.crt and ca.key are missing"],
      [{ "ca.crt": one.certificate }, "ca.key is missing"],
      [{ "ca.key": one.key }, "ca.crt is missing"],
      [{ "ca.crt": one.certificate, "ca.key": two.key }, "ca.key cannot be used: the key is not the root's"],
      [{ "ca.crt": "x", "ca.key": one.key }, "ca.crt must have exactly one certificate in PEM form"],
      [{ "ca.crt": one.certificate + two.certificate, "ca.key": one.key }, "ca.crt must have exactly one certificate"],
    ];
    for (const [data, fault] of faults) {
      const here = await release();
      await here.bring(data);
      await expect(here.open()).rejects.toThrow(`${caSecretName}: ${fault}`);
    }
  });

  test("is there again when it was removed: another one would be another platform's", async () => {
    const here = await release();
    using ca = await here.open();
    using other = await here.open();
    const before = await here.secret(caSecretName);
    const path = pathOf(secrets, { namespace: here.namespace, name: caSecretName });
    await client.request({ method: "DELETE", path });
    await Promise.all([ca.refresh(), other.refresh()]);
    expect(await here.secret(caSecretName)).toEqual(before);
    expect((await here.metadata(caSecretName)).labels).toEqual({ "app.kubernetes.io/managed-by": "atrium-operator" });
  });

  test("keeps what was good when the Secret becomes bad, and says so once", async () => {
    const here = await release();
    const lines: string[] = [];
    const log = logger({ name: "test", to: { write: (line: string) => void lines.push(line) } });
    using ca = await here.open({ log });
    const { trust } = ca;
    await here.patch({ data: { "ca.key": base64("damaged") } });
    await ca.refresh();
    await ca.refresh();
    expect(ca.trust).toBe(trust);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("ca.key cannot be used");
    expect(lines[0]).not.toContain("damaged");
  });
});

describe("the leader", () => {
  test("gives gateway and directory their certificates, and clients the roots", async () => {
    const here = await release();
    using ca = await here.open();
    await using _leader = lead(here, ca);
    await eventually(async () => (await here.bundle()) === ca.trust);
    const [gateway, directory, serving] = await Promise.all(
      ["atrium-gateway-tls", "atrium-directory-tls", "atrium-directory-serving-tls"].map(here.secret),
    );
    expect(namesOf(gateway?.["certificate.pem"])).toBe("DNS:gateway.atrium.internal");
    expect(namesOf(directory?.["certificate.pem"])).toBe("DNS:directory.atrium.internal");
    expect(namesOf(serving?.["certificate.pem"])).toBe(
      "DNS:directory.atrium.internal, DNS:directory.example.org, DNS:atrium-directory.atrium-system.svc",
    );
    for (const secret of [gateway, directory, serving]) {
      expect(secret?.["trust.pem"]).toBe(ca.trust);
      expect(isOf(secret?.["certificate.pem"], ca.trust)).toBe(true);
    }
  });

  test("writes nothing when nothing is to be written, and heals what was removed or damaged", async () => {
    const here = await release();
    using ca = await here.open();
    await using _leader = lead(here, ca);
    await eventually(async () => (await here.bundle()) === ca.trust);
    const version = async () => (await here.metadata("atrium-gateway-tls")).resourceVersion;
    const before = await version();
    await delay(200);
    expect(await version()).toBe(before);
    const path = pathOf(secrets, { namespace: here.namespace, name: "atrium-gateway-tls" });
    await client.request({ method: "DELETE", path });
    await eventually(async () => (await version()) !== before);
    const body = { data: { "key.pem": base64("x") } };
    const healed = await version();
    await client.request({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    await eventually(async () => (await here.secret("atrium-gateway-tls"))["key.pem"] !== "x");
    expect(await version()).not.toBe(healed);
  });

  test("renews at two thirds of the life", async () => {
    const here = await release();
    const clock = { nowMs: Date.now() };
    const now = () => clock.nowMs;
    using ca = await here.open({ now });
    await using _leader = lead(here, ca, { now });
    await eventually(async () => (await here.bundle()) === ca.trust);
    const certificate = async () => (await here.secret("atrium-gateway-tls"))["certificate.pem"];
    const first = await certificate();
    clock.nowMs += lives.platformMs * 0.6;
    await delay(200);
    expect(await certificate()).toBe(first);
    clock.nowMs += lives.platformMs * 0.08;
    await eventually(async () => (await certificate()) !== first);
  });

  test("changes the CA: announces, waits a life, issues, waits a life, retires; through changes of the leader", async () => {
    const here = await release();
    const clock = { nowMs: Date.now() };
    const now = () => clock.nowMs;
    using ca = await here.open({ now, pollMs: 20 });
    using follower = await here.open({ now, pollMs: 20 });
    using tls = await openOperatorTls({ ca: follower, log: silent, now });
    const old = ca.trust;
    const next = await createRoot(names, clock.nowMs);
    const since = async () => (await here.metadata(caSecretName)).annotations?.[sinceAnnotation];
    {
      await using _first = lead(here, ca, { now });
      await eventually(async () => (await here.bundle()) === old);
      await here.patch({ data: { "next.crt": base64(next.certificate), "next.key": base64(next.key) } });
      await eventually(async () => (await since()) !== undefined);
    }
    // Everybody trusts both; the old one issues.
    const both = old + next.certificate;
    expect([await here.bundle(), follower.trust, tls.current.trust]).toEqual([both, both, both]);
    const gateway = () => here.secret("atrium-gateway-tls");
    expect((await gateway())["trust.pem"]).toBe(both);
    expect(isOf((await gateway())["certificate.pem"], old)).toBe(true);
    clock.nowMs += lives.atServerMs;
    {
      await using _second = lead(here, ca, { now });
      await delay(200);
      expect(follower.authority.certificate).toBe(old);
      clock.nowMs += lives.slackMs;
      await eventually(
        async () => (await since()) !== undefined && follower.authority.certificate === next.certificate,
      );
    }
    await eventually(async () => isOf(tls.current.certificate, next.certificate));
    expect(isOf((await gateway())["certificate.pem"], next.certificate)).toBe(true);
    expect(new Set(certificatesOf(follower.trust))).toEqual(new Set(certificatesOf(both)));
    clock.nowMs += lives.atServerMs + lives.slackMs;
    await using _third = lead(here, ca, { now });
    await eventually(async () => (await here.bundle()) === next.certificate);
    expect(Object.keys(await here.secret(caSecretName)).sort()).toEqual(["ca.crt", "ca.key", "platform-id"]);
    await eventually(async () => follower.trust === next.certificate && tls.current.trust === next.certificate);
    expect(await since()).toBeUndefined();
  });

  test("counts anew for another next root, when one was taken back", async () => {
    const here = await release();
    const clock = { nowMs: Date.now() };
    const now = () => clock.nowMs;
    using ca = await here.open({ now });
    const old = ca.trust;
    const since = async () => (await here.metadata(caSecretName)).annotations?.[sinceAnnotation];
    const put = async () => {
      const next = await createRoot(names, clock.nowMs);
      await here.patch({ data: { "next.crt": base64(next.certificate), "next.key": base64(next.key) } });
      return next;
    };
    await using _leader = lead(here, ca, { now });
    await put();
    await eventually(async () => (await since()) !== undefined);
    const first = await since();
    await here.patch({ data: { "next.crt": null, "next.key": null } });
    await eventually(async () => (await here.bundle()) === old);
    clock.nowMs += 10 * lives.atServerMs;
    const next = await put();
    await eventually(async () => (await since()) !== first);
    await delay(200);
    expect(ca.authority.certificate).toBe(old);
    expect(await here.bundle()).toBe(old + next.certificate);
  });

  test("changes by itself the root that it made, when that ends or cannot speak for a name", async () => {
    const here = await release();
    using _old = await here.open({ names: ["at.test", "atrium.internal"] });
    using ca = await here.open();
    await using _leader = lead(here, ca);
    await eventually(async () => "next.crt" in (await here.secret(caSecretName)));
    // Until then, the directory's certificate has the names that it can have.
    const serving = await here.secret("atrium-directory-serving-tls");
    expect(namesOf(serving["certificate.pem"])).toBe("DNS:directory.atrium.internal");

    const ending = await release();
    const now = () => Date.now() + 9.5 * 8_760 * hourMs;
    using ca2 = await ending.open();
    await using _later = lead(ending, ca2, { now });
    await eventually(async () => "next.crt" in (await ending.secret(caSecretName)));
  });

  test("leaves a root that was brought to who brought it, and says what it lacks", async () => {
    const here = await release();
    const root: Pair = await createRoot(["at.test", "atrium.internal"], Date.now());
    await here.bring({ "ca.crt": root.certificate, "ca.key": root.key });
    const lines: string[] = [];
    const log = logger({ name: "test", to: { write: (line: string) => void lines.push(line) } });
    using ca = await here.open();
    await using _leader = lead(here, ca, { log });
    await eventually(async () => lines.some((line) => line.includes("cannot speak for atrium-system.svc")));
    expect(Object.keys(await here.secret(caSecretName))).not.toContain("next.crt");
  });

  test("does not go over to a next root that cannot speak for the platform", async () => {
    const here = await release();
    const clock = { nowMs: Date.now() };
    const now = () => clock.nowMs;
    using ca = await here.open({ now });
    const old = ca.authority.certificate;
    const other = await createRoot(["example.org"], clock.nowMs);
    await here.patch({ data: { "next.crt": base64(other.certificate), "next.key": base64(other.key) } });
    const lines: string[] = [];
    const log = logger({ name: "test", to: { write: (line: string) => void lines.push(line) } });
    await using _leader = lead(here, ca, { now, log });
    await eventually(async () => lines.some((line) => line.includes("the next root: it cannot speak for at.test")));
    clock.nowMs += 10 * lives.atServerMs;
    await delay(200);
    expect((await here.secret(caSecretName))["ca.crt"]).toBe(old);
  });
});

function certificatesOf(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
