import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, type KubernetesObject, pathOf } from "./api.ts";
import { Leader, type LeaderOptions, type Term } from "./leader.ts";
import type { Candidate } from "./testing/candidate.ts";
import { createNamespace, startTestControlPlane, type TestControlPlane } from "./testing/control-plane.ts";
import { CuttingProxy } from "./testing/cutting-proxy.ts";

const times = { leaseMs: 2_000, deadlineMs: 1_250, renewMs: 400 };
const leases = { group: "coordination.k8s.io", version: "v1", plural: "leases" };

let plane: TestControlPlane;
let client: ApiClient;
let count = 0;

beforeAll(async () => {
  plane = await startTestControlPlane((directory) => {
    const policy = join(directory, "audit-policy.json");
    const rules = [
      { level: "Metadata", verbs: ["create"], resources: [{ group: "", resources: ["configmaps"] }] },
      {
        level: "Request",
        verbs: ["create", "update"],
        resources: [{ group: leases.group, resources: [leases.plural] }],
      },
      { level: "None" },
    ];
    const content = { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules };
    writeFileSync(policy, JSON.stringify({ ...content, omitStages: ["RequestReceived"] }));
    const mode = ["--audit-log-mode", "blocking-strict"];
    return ["--audit-policy-file", policy, "--audit-log-path", join(directory, "audit.log"), ...mode];
  });
  client = plane.client();
}, 60_000);

afterAll(async () => await plane[Symbol.asyncDispose]());

async function newNamespace(): Promise<string> {
  const name = `namespace-${count++}`;
  await createNamespace(client, name);
  return name;
}

/** One who wants to lead, and says when it does. */
function candidate(namespace: string, options: Partial<LeaderOptions> = {}) {
  const stop = new AbortController();
  const terms: Term[] = [];
  const errors: unknown[] = [];
  let began = Promise.withResolvers<Term>();
  const leader = new Leader({
    ...{ client, namespace, name: "leader", ...times },
    onError: (error) => errors.push(error),
    ...options,
  });
  const lead = async (term: Term) => {
    terms.push(term);
    began.resolve(term);
    await new Promise<void>((resolve) => term.signal.addEventListener("abort", () => resolve(), { once: true }));
    began = Promise.withResolvers();
  };
  const running = leader.run(lead, stop.signal);
  return {
    ...{ leader, terms, errors },
    /** resolves when it leads */
    leads: () => began.promise,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function elapsed(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

describe("a leader", () => {
  test("refuses times that would let two lead", () => {
    expect(() => new Leader({ ...base(), leaseMs: 5_000, deadlineMs: 5_000 })).toThrow(RangeError);
    expect(() => new Leader({ ...base(), deadlineMs: 2_000, renewMs: 2_000 })).toThrow(RangeError);
    function base() {
      return { client, namespace: "default", name: "leader", onError: () => undefined };
    }
  });

  test("is the only one, and hands over at once when it is stopped", async () => {
    const namespace = await newNamespace();
    const first = candidate(namespace);
    await first.leads();
    await using second = candidate(namespace);
    // Longer than a lease.
    await delay(times.leaseMs * 1.5);
    expect(second.terms).toEqual([]);
    const [term] = first.terms;
    expect(term?.remainingMs()).toBeGreaterThan(0);
    await first[Symbol.asyncDispose]();
    expect(term?.over.aborted).toBe(true);
    expect(term?.remainingMs()).toBe(0);
    expect(await elapsed(second.leads())).toBeLessThan(times.renewMs * 1.25 + 500);
    expect([...first.errors, ...second.errors]).toEqual([]);
  });

  test("keeps the lease until what it had begun has ended", async () => {
    const namespace = await newNamespace();
    const stop = new AbortController();
    const leading = Promise.withResolvers<void>();
    const leader = new Leader({ client, namespace, name: "leader", ...times, onError: () => undefined });
    let leftMs = 0;
    const running = leader.run(async (term) => {
      leading.resolve();
      await new Promise<void>((resolve) => term.signal.addEventListener("abort", () => resolve(), { once: true }));
      await delay(times.leaseMs * 1.2);
      leftMs = term.remainingMs();
    }, stop.signal);
    await leading.promise;
    await using second = candidate(namespace);
    stop.abort();
    await Promise.race([running, second.leads()]);
    expect(second.terms).toEqual([]);
    expect(leftMs).toBeGreaterThan(0);
    await second.leads();
  });

  test("gives the lease up, and says why, when leading fails", async () => {
    const namespace = await newNamespace();
    const leader = new Leader({ client, namespace, name: "leader", ...times, onError: () => undefined });
    const fails = () => Promise.reject(new Error("broken"));
    await expect(leader.run(fails, new AbortController().signal)).rejects.toThrow("broken");
    const lease = await client.request<KubernetesObject>({
      method: "GET",
      path: pathOf(leases, { namespace, name: "leader" }),
    });
    expect(lease).toMatchObject({ spec: { holderIdentity: "" } });
  });

  test("stops before another begins when it cannot reach the API server", async () => {
    const namespace = await newNamespace();
    await using proxy = await CuttingProxy.listen(plane.port);
    await using first = candidate(namespace, { client: plane.client({ port: proxy.port }) });
    const term = await first.leads();
    await using second = candidate(namespace);
    await delay(times.renewMs * 2);
    proxy.refuses = true;
    const cutMs = performance.now();
    const over = once(term.over, "abort").then(() => performance.now());
    await second.leads();
    const tookOverMs = performance.now();
    expect(await over).toBeLessThan(tookOverMs);
    expect((await over) - cutMs).toBeLessThan(times.deadlineMs + 250);
    expect(tookOverMs - cutMs).toBeLessThan(times.leaseMs + times.renewMs * 1.25 + 500);
    expect(first.errors.length).toBeGreaterThan(0);
    // It is one who waits now.
    proxy.refuses = false;
    await delay(times.renewMs * 2);
    expect(first.terms).toHaveLength(1);
  });

  test("goes on when every other connection is dead and does not know it", async () => {
    const namespace = await newNamespace();
    await using proxy = await CuttingProxy.listen(plane.port);
    const longer = { leaseMs: 4_000, deadlineMs: 3_000, renewMs: 600 };
    await using first = candidate(namespace, { client: plane.client({ port: proxy.port }), ...longer });
    const term = await first.leads();
    let connections = 0;
    proxy.swallows = () => connections++ % 2 === 0;
    await delay(longer.leaseMs * 1.5);
    expect(connections).toBeGreaterThanOrEqual(4);
    expect(first.errors.length).toBeGreaterThanOrEqual(1);
    expect(term.remainingMs()).toBeGreaterThan(0);
    proxy.swallows = () => false;
  });

  test("decides nothing by the clock on the wall", async () => {
    const namespace = await newNamespace();
    const days = [0, 10_000, -10_000, 30, -1];
    let asked = 0;
    const now = () => new Date(Date.UTC(2026, 0, 1) + (days[asked++ % days.length] ?? 0) * 86_400_000);
    const first = candidate(namespace, { now });
    const term = await first.leads();
    await using second = candidate(namespace, { now: () => new Date(0) });
    await using third = candidate(namespace, { now: () => new Date(Date.UTC(2100, 0, 1)) });
    await delay(times.leaseMs * 1.5);
    expect(asked).toBeGreaterThan(3);
    expect([...second.terms, ...third.terms]).toEqual([]);
    expect(term.remainingMs()).toBeGreaterThan(0);
    await first[Symbol.asyncDispose]();
    await Promise.race([second.leads(), third.leads()]);
  });

  test("is over at once when its monotonic clock says so, whatever it has not noticed yet", async () => {
    const namespace = await newNamespace();
    let aheadMs = 0;
    await using first = candidate(namespace, { monotonic: () => performance.now() + aheadMs });
    const term = await first.leads();
    expect(term.remainingMs()).toBeGreaterThan(0);
    aheadMs = times.deadlineMs;
    expect(term.remainingMs()).toBe(0);
    const path = pathOf(leases, { namespace, name: "written-too-late" });
    await expect(client.request({ method: "PUT", path, body: {}, term })).rejects.toThrow("the lease is over");
    await once(term.over, "abort");
  });

  test("loses nothing when its Lease is deleted, and nobody takes it sooner", async () => {
    const namespace = await newNamespace();
    await using first = candidate(namespace);
    const term = await first.leads();
    await using second = candidate(namespace);
    // It has seen who leads.
    await delay(times.renewMs * 2);
    await client.request({ method: "DELETE", path: pathOf(leases, { namespace, name: "leader" }) });
    await delay(times.leaseMs * 1.5);
    expect(term.remainingMs()).toBeGreaterThan(0);
    expect(second.terms).toEqual([]);
  });
});

interface CandidateProcess {
  readonly identity: string;
  readonly child: ChildProcess;
  /** as far as is known here */
  leads(): boolean;
  /** resolves once it leads, or does not */
  until(leads: boolean): Promise<void>;
}

function startCandidate(settings: Candidate): CandidateProcess & AsyncDisposable {
  const file = fileURLToPath(new URL("testing/candidate.ts", import.meta.url));
  const child = spawn(process.execPath, [file, JSON.stringify(settings)], { stdio: ["ignore", "pipe", "inherit"] });
  const output = createInterface({ input: child.stdout });
  let leads = false;
  output.on("line", (said) => {
    if (said === "leading" || said === "lost") leads = said === "leading";
  });
  return {
    ...{ identity: settings.identity, child },
    leads: () => leads,
    async until(wanted) {
      while (leads !== wanted) await once(output, "line");
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

describe("a leader that was paused past its lease", () => {
  test("writes nothing after another has begun", async () => {
    const namespace = await newNamespace();
    const { url, ca, token } = plane;
    const settings = { plane: { url, ca, token }, namespace, ...times };
    await using one = startCandidate({ ...settings, identity: "one" });
    await one.until(true);
    await using two = startCandidate({ ...settings, identity: "two" });
    await delay(1_000);
    const rounds = 4;
    for (let round = 0; round < rounds; round++) {
      await Promise.race([one.until(true), two.until(true)]);
      const [leader, follower] = one.leads() ? [one, two] : [two, one];
      // Between two writes, in one, or while it renews.
      await delay(Math.random() * times.renewMs);
      leader.child.kill("SIGSTOP");
      await follower.until(true);
      await delay(200);
      leader.child.kill("SIGCONT");
      await leader.until(false);
    }
    await delay(200);
    const { takes, writes } = audited(namespace);
    expect(writes.length).toBeGreaterThan(50);
    // A machine that stands still for a moment takes the lease from a leader, too.
    expect(takes.filter(({ by }, i) => by !== takes[i - 1]?.by).length).toBeGreaterThan(rounds);
    const late = writes.filter(({ by, at }) => takes.findLast((take) => take.at < at)?.by !== by);
    expect(late).toEqual([]);
  });
});

interface Audited {
  readonly by: string;
  /** when the API server received it, to the microsecond */
  readonly at: string;
}

/**
 * In the order in which the API server received them.
 *
 * @returns who took or renewed the lease, and who created ConfigMaps, refused ones too
 */
function audited(namespace: string): { readonly takes: readonly Audited[]; readonly writes: readonly Audited[] } {
  const events = readFileSync(join(plane.directory, "audit.log"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .filter(({ objectRef }) => objectRef.namespace === namespace)
    .sort((a, b) => a.requestReceivedTimestamp.localeCompare(b.requestReceivedTimestamp));
  const told = (some: typeof events) =>
    some.map(({ userAgent, requestReceivedTimestamp }): Audited => ({ by: userAgent, at: requestReceivedTimestamp }));
  return {
    takes: told(
      events.filter(
        ({ requestObject, responseStatus, userAgent }) =>
          requestObject?.spec.holderIdentity === userAgent && responseStatus.code < 300,
      ),
    ),
    writes: told(events.filter(({ objectRef }) => objectRef.resource === "configmaps")),
  };
}
