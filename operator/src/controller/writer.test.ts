import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, ApiError, type KubernetesObject, pathOf } from "./api.ts";
import { EventRecorder, type Happening } from "./events.ts";
import { TermOverError } from "./term.ts";
import {
  type ConfigMap,
  configMap,
  configMaps,
  listed,
  startTestControlPlane,
  type TestControlPlane,
} from "./testing/control-plane.ts";
import { Writer } from "./writer.ts";

let plane: TestControlPlane;
let client: ApiClient;
let writer: Writer;

beforeAll(async () => {
  plane = await startTestControlPlane();
  client = plane.client();
  writer = new Writer({ client, term: undefined });
}, 60_000);

afterAll(async () => await plane[Symbol.asyncDispose]());

const over = {
  signal: AbortSignal.abort(),
  over: new AbortController().signal,
  remainingMs: () => 0,
};

async function refusal(write: Promise<unknown>): Promise<unknown> {
  const error = await write.catch((cause: unknown) => cause);
  return error instanceof ApiError ? { status: error.status, reason: error.reason } : error;
}

const conflict = { status: 409, reason: "Conflict" };

describe("what is applied", () => {
  test("is made, has the fields that were applied last, and keeps those of others", async () => {
    await writer.apply(configMaps, configMap("default", "applied", { a: "1", b: "1" }));
    const other = new Writer({ client, term: undefined, fieldManager: "somebody-else" });
    await other.apply(configMaps, configMap("default", "applied", { c: "1" }));
    const now = await writer.apply<ConfigMap>(configMaps, configMap("default", "applied", { a: "2" }));
    expect(now.data).toEqual({ a: "2", c: "1" });
    expect(now).toHaveProperty("metadata.managedFields[0].manager", "atrium-operator");
    // Nothing changes, so nothing is written.
    const again = await writer.apply(configMaps, configMap("default", "applied", { a: "2" }));
    expect(again.metadata.resourceVersion).toBe(now.metadata.resourceVersion);
    // Whoever else had a field loses it.
    expect((await writer.apply<ConfigMap>(configMaps, configMap("default", "applied", { c: "2" }))).data).toEqual({
      c: "2",
    });
  });

  test("only to the very object, and only to the version that was read, when it says so", async () => {
    const first = await writer.apply<ConfigMap>(configMaps, configMap("default", "fenced", { a: "1" }));
    const { uid, resourceVersion } = first.metadata;
    const withMeta = (metadata: object) => ({
      ...configMap("default", "fenced", { a: "2" }),
      metadata: { ...metadata, namespace: "default", name: "fenced" },
    });
    const second = await writer.apply<ConfigMap>(configMaps, withMeta({ uid, resourceVersion }));
    expect(second.data).toEqual({ a: "2" });
    expect(await refusal(writer.apply(configMaps, withMeta({ resourceVersion })))).toEqual(conflict);
    await writer.delete(configMaps, second);
    expect(await refusal(writer.apply(configMaps, withMeta({ uid })))).toEqual(conflict);
    await writer.create(configMaps, configMap("default", "fenced"));
    expect(await refusal(writer.apply(configMaps, withMeta({ uid })))).toEqual({ status: 422, reason: "Invalid" });
  });

  test("is refused when a field is unknown", async () => {
    const wrong = { ...configMap("default", "wrong"), dat: {} };
    await expect(writer.apply(configMaps, wrong)).rejects.toThrow("field not declared in schema");
  });
});

describe("what is created", () => {
  test("is not there yet", async () => {
    await writer.create(configMaps, configMap("default", "created"));
    const again = writer.create(configMaps, configMap("default", "created"));
    expect(await refusal(again)).toEqual({ status: 409, reason: "AlreadyExists" });
  });
});

describe("what is deleted", () => {
  test("is the very object that was read", async () => {
    const first = await writer.create(configMaps, configMap("default", "deleted"));
    expect(await writer.delete(configMaps, first)).toBe(true);
    expect(await writer.delete(configMaps, first)).toBe(false);
    const second = await writer.create(configMaps, configMap("default", "deleted"));
    const anyVersion = ({ metadata: { namespace = "", name, uid = "" } }: KubernetesObject) => ({
      metadata: { namespace, name, uid },
    });
    expect(await refusal(writer.delete(configMaps, anyVersion(first)))).toEqual(conflict);
    await writer.apply(configMaps, configMap("default", "deleted", { changed: "1" }));
    expect(await refusal(writer.delete(configMaps, second))).toEqual(conflict);
    const options = { propagationPolicy: "Background" } as const;
    expect(await writer.delete(configMaps, anyVersion(second), options)).toBe(true);
  });

  test("is said by its UID", async () => {
    await expect(writer.delete(configMaps, configMap("default", "deleted"))).rejects.toThrow(RangeError);
  });
});

describe("a status", () => {
  const volumes = { group: "", version: "v1", plural: "persistentvolumes" };
  const volume = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "volume" },
    spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/none" } },
  };
  interface Volume extends KubernetesObject {
    readonly status?: object;
  }

  test("is written to the version that was read", async () => {
    const read = await writer.create<Volume>(volumes, volume);
    const written = await writer.putStatus<Volume>(volumes, { ...read, status: { phase: "Available", reason: "one" } });
    expect(written.status).toMatchObject({ reason: "one" });
    const late = { ...read, status: { phase: "Available", reason: "two" } };
    expect(await refusal(writer.putStatus(volumes, late))).toEqual(conflict);
    await expect(writer.putStatus(volumes, volume)).rejects.toThrow(RangeError);
  });
});

describe("a writer whose term is over", () => {
  test("sends nothing", async () => {
    const late = new Writer({ client, term: over });
    const object = await writer.create(configMaps, configMap("default", "safe"));
    await expect(late.apply(configMaps, configMap("default", "late"))).rejects.toThrow(TermOverError);
    await expect(late.create(configMaps, configMap("default", "late"))).rejects.toThrow(TermOverError);
    await expect(late.putStatus(configMaps, object)).rejects.toThrow(TermOverError);
    await expect(late.delete(configMaps, object)).rejects.toThrow(TermOverError);
    const names = (await listed<ConfigMap>(client, configMaps, "default")).map(({ metadata }) => metadata.name);
    expect(names).toContain("safe");
    expect(names).not.toContain("late");
  });
});

describe("events", () => {
  const events = { group: "events.k8s.io", version: "v1", plural: "events" };
  const reporter = { controller: "atrium.dev/operator", instance: "atrium-operator-0" };
  interface Told extends KubernetesObject {
    readonly note: string;
    readonly reason: string;
    readonly series?: { readonly count: number };
  }

  function happening(name: string, options: Partial<Happening<"Served" | "Lost">> = {}): Happening<"Served" | "Lost"> {
    const regarding = { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name, uid: name };
    return { regarding, type: "Normal", reason: "Served", action: "Serve", note: `${name} is served`, ...options };
  }

  async function told(namespace = "default"): Promise<readonly Told[]> {
    const items = await listed<Told & { reportingController: string }>(client, events, namespace);
    return items.filter(({ reportingController }) => reportingController === reporter.controller);
  }

  test("are told, and those that are the same are one with a count", async () => {
    const errors: unknown[] = [];
    const recorder = new EventRecorder({ client, term: undefined, reporter, onError: (error) => errors.push(error) });
    for (let i = 0; i < 5; i++) recorder.record(happening("alice", { note: `attempt ${i}` }));
    recorder.record(happening("alice", { reason: "Lost", type: "Warning" }));
    recorder.record(happening("bob"));
    await recorder[Symbol.asyncDispose]();
    const all = (await told()).map(({ reason, note, series }) => ({ reason, note, count: series?.count }));
    expect(all).toHaveLength(3);
    expect(all).toEqual(
      expect.arrayContaining([
        { reason: "Served", note: "attempt 0", count: 5 },
        { reason: "Lost", note: "alice is served", count: undefined },
        { reason: "Served", note: "bob is served", count: undefined },
      ]),
    );
    expect(errors).toEqual([]);
  });

  test("are told again with a new count, and anew when the API server has forgotten them", async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown) => errors.push(error);
    await using recorder = new EventRecorder({ client, term: undefined, reporter, onError, updateMs: 50 });
    const counted = async (count: number | undefined) => {
      for (;;) {
        const one = (await told()).find(({ metadata: { name } }) => name.startsWith("carol"));
        if (one !== undefined && one.series?.count === count) return one;
      }
    };
    recorder.record(happening("carol"));
    const first = await counted(undefined);
    recorder.record(happening("carol"));
    recorder.record(happening("carol"));
    expect((await counted(3)).metadata.name).toBe(first.metadata.name);
    await client.request({
      method: "DELETE",
      path: pathOf(events, { namespace: "default", name: first.metadata.name }),
    });
    recorder.record(happening("carol"));
    expect((await counted(4)).metadata.name).not.toBe(first.metadata.name);
    expect(errors).toEqual([]);
  });

  test("of what has no namespace, with long names and notes, are taken", async () => {
    const errors: unknown[] = [];
    const recorder = new EventRecorder({ client, term: undefined, reporter, onError: (error) => errors.push(error) });
    const regarding = { apiVersion: "v1", kind: "Node", name: `${"n".repeat(239)}.${"o".repeat(13)}` };
    recorder.record(happening("node", { regarding, note: "é".repeat(2_000) }));
    await recorder[Symbol.asyncDispose]();
    const [one] = (await told()).filter(({ metadata: { name } }) => name.startsWith("nnn"));
    expect(one?.note).toBe("é".repeat(512));
    expect(errors).toEqual([]);
  });

  test("that the API server does not take are dropped", async () => {
    const errors: unknown[] = [];
    const recorder = new EventRecorder({ client, term: undefined, reporter, onError: (error) => errors.push(error) });
    const regarding = { apiVersion: "v1", kind: "ConfigMap", namespace: "absent", name: "dave" };
    recorder.record(happening("dave", { regarding }));
    await recorder[Symbol.asyncDispose]();
    expect(errors).toEqual([expect.objectContaining({ status: 404 })]);
    expect(recorder.dropped).toBe(1);
  });

  test("are not told when the term is over", async () => {
    const recorder = new EventRecorder({ client, term: over, reporter, onError: () => undefined });
    recorder.record(happening("erin"));
    await recorder[Symbol.asyncDispose]();
    expect((await told()).filter(({ metadata: { name } }) => name.startsWith("erin"))).toEqual([]);
    expect(recorder.dropped).toBe(1);
  });
});
