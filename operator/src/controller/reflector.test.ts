import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, ApiError, pathOf } from "./api.ts";
import { Reflector, type ReflectorOptions } from "./reflector.ts";
import { keyOf, ObjectStore } from "./store.ts";
import {
  type ConfigMap,
  compactEtcd,
  configMap,
  configMaps,
  createNamespace,
  listed,
  startTestControlPlane,
  type TestControlPlane,
} from "./testing/control-plane.ts";
import { CuttingProxy } from "./testing/cutting-proxy.ts";
import { Writer } from "./writer.ts";

let plane: TestControlPlane;
let client: ApiClient;
let count = 0;

beforeAll(async () => {
  plane = await startTestControlPlane();
  client = plane.client();
}, 60_000);

afterAll(async () => await plane[Symbol.asyncDispose]());

async function newNamespace(): Promise<string> {
  const name = `namespace-${count++}`;
  await createNamespace(client, name);
  return name;
}

/** A reflector of the ConfigMaps of a namespace, and everything that it told. */
function reflect(namespace: string, options: Partial<ReflectorOptions<ConfigMap>> = {}) {
  const store = new ObjectStore<ConfigMap>();
  const told: { key: string; version: number | undefined; uid: string | undefined }[] = [];
  const errors: unknown[] = [];
  const waiting = new Set<() => void>();
  const reflector = new Reflector<ConfigMap>({
    ...{ client, resource: configMaps, namespace, store, backoff: { minMs: 50, maxMs: 500 } },
    onChange: (key, now) => {
      const version = now === undefined ? undefined : Number(now.metadata.resourceVersion);
      told.push({ key, version, uid: now?.metadata.uid });
      for (const look of waiting) look();
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  /** Resolves when a change has made it true. */
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!holds()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { reflector, store, told, errors, until };
}

type Reflection = ReturnType<typeof reflect>;

/** Creates, changes and deletes ConfigMaps, the same few again and again, until it is stopped; then a last one. */
async function stir(namespace: string, signal: AbortSignal): Promise<number> {
  const writer = new Writer({ client, term: undefined });
  let writes = 0;
  for (; !signal.aborted; writes++) {
    const name = `stirred-${Math.floor(Math.random() * 12)}`;
    const object = configMap(namespace, name, { count: `${writes}` });
    if (Math.random() < 0.7) await writer.apply(configMaps, object);
    else await client.request({ method: "DELETE", path: pathOf(configMaps, { namespace, name }) }).catch(ignoreAbsent);
    await delay(5);
  }
  await writer.apply(configMaps, configMap(namespace, "last"));
  return writes;
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof ApiError && error.status === 404)) throw error;
}

/** What it knows is what there is, it was told nothing twice, and nothing older after something newer. */
async function expectSame({ store, told }: Reflection, namespace: string): Promise<void> {
  const there = await listed<ConfigMap>(client, configMaps, namespace);
  const version = (object: ConfigMap) => [keyOf(object), object.metadata.resourceVersion] as const;
  expect(new Map([...store.values()].map(version))).toEqual(new Map(there.map(version)));
  const latest = new Map<string, number | undefined>();
  const newest = new Map<string, number>();
  for (const { key, version } of told) {
    expect(latest.has(key) && latest.get(key) === version).toBe(false);
    if (version !== undefined) expect(version).toBeGreaterThan(newest.get(key) ?? 0);
    latest.set(key, version);
    if (version !== undefined) newest.set(key, version);
  }
  const left = [...latest].filter(([, version]) => version !== undefined).map(([key, version]) => [key, `${version}`]);
  expect(new Map(left as [string, string][])).toEqual(new Map(there.map(version)));
}

describe("a reflector", () => {
  test("holds what is there, trimmed, and is told of each change once", async () => {
    const namespace = await newNamespace();
    const writer = new Writer({ client, term: undefined });
    for (let i = 0; i < 25; i++) await writer.apply(configMaps, configMap(namespace, `object-${i}`, { i: `${i}` }));
    const reflection = reflect(namespace);
    await using _ = reflection.reflector;
    await reflection.reflector.synced;
    expect(reflection.store.size).toBe(25);
    expect(reflection.store.get(`${namespace}/object-7`)?.metadata).not.toHaveProperty("managedFields");
    expect(reflection.store.get(`${namespace}/object-7`)?.data).toEqual({ i: "7" });

    await writer.delete(configMaps, await writer.apply(configMaps, configMap(namespace, "object-7", { i: "8" })));
    await reflection.until(() => reflection.store.size === 24);
    expect(reflection.told.filter(({ key }) => key.endsWith("/object-7"))).toHaveLength(3);
    expect(reflection.errors).toEqual([]);
    await expectSame(reflection, namespace);
  });

  test("misses nothing when its connections are cut every second", async () => {
    const namespace = await newNamespace();
    await using proxy = await CuttingProxy.listen(plane.port);
    const reflection = reflect(namespace, { client: plane.client({ port: proxy.port }) });
    await using _ = reflection.reflector;
    const stop = new AbortController();
    const stirring = stir(namespace, stop.signal);
    for (let cut = 0; cut < 6; cut++) {
      await delay(1_000);
      proxy.cut();
    }
    stop.abort();
    expect(await stirring).toBeGreaterThan(100);
    await reflection.until(() => reflection.store.get(`${namespace}/last`) !== undefined);
    expect(proxy.cuts).toBeGreaterThanOrEqual(5);
    await expectSame(reflection, namespace);
  });

  test("misses nothing when the API server is killed and started again", async () => {
    const namespace = await newNamespace();
    const reflection = reflect(namespace);
    await using _ = reflection.reflector;
    await reflection.reflector.synced;
    const writer = new Writer({ client, term: undefined });
    await writer.apply(configMaps, configMap(namespace, "before"));
    await reflection.until(() => reflection.store.size === 1);
    await plane.apiServer.kill();
    await plane.restartApiServer();
    await writer.apply(configMaps, configMap(namespace, "after"));
    await reflection.until(() => reflection.store.size === 2);
    await expectSame(reflection, namespace);
  });

  test("lists anew when the API server has forgotten what it saw last", async () => {
    const namespace = await newNamespace();
    await using proxy = await CuttingProxy.listen(plane.port);
    const writer = new Writer({ client, term: undefined });
    const gone = await writer.create(configMaps, configMap(namespace, "gone"));
    // It is listed again, and nothing is told of it.
    await writer.create(configMaps, configMap(namespace, "kept"));
    const reflection = reflect(namespace, { client: plane.client({ port: proxy.port }) });
    await using _ = reflection.reflector;
    await reflection.reflector.synced;
    proxy.refuses = true;
    await writer.delete(configMaps, gone);
    const stop = new AbortController();
    const stirring = stir(namespace, stop.signal);
    await delay(500);
    stop.abort();
    await stirring;
    // The API server has a cache of what happened since it was started.
    await compactEtcd(plane);
    await plane.apiServer.kill();
    await plane.restartApiServer();
    proxy.refuses = false;
    await reflection.until(() => reflection.store.get(`${namespace}/last`) !== undefined);
    expect(reflection.errors.some((error) => error instanceof ApiError && error.status === 410)).toBe(true);
    await expectSame(reflection, namespace);
  });

  test("knows what was made anew under the same name while nothing could be seen", async () => {
    const namespace = await newNamespace();
    const writer = new Writer({ client, term: undefined });
    const first = await writer.create<ConfigMap>(configMaps, configMap(namespace, "twice"));
    await using proxy = await CuttingProxy.listen(plane.port);
    const reflection = reflect(namespace, { client: plane.client({ port: proxy.port }) });
    await using _ = reflection.reflector;
    await reflection.reflector.synced;
    proxy.refuses = true;
    await writer.delete(configMaps, first);
    const second = await writer.create<ConfigMap>(configMaps, configMap(namespace, "twice"));
    proxy.refuses = false;
    await reflection.until(() => reflection.told.at(-1)?.uid === second.metadata.uid);
    await expectSame(reflection, namespace);
  });

  test("is told of each change also of what keeps no version", async () => {
    const namespace = await newNamespace();
    const trim = ({ metadata: { name }, data }: ConfigMap): ConfigMap => ({
      metadata: { namespace, name },
      ...(data && { data }),
    });
    const reflection = reflect(namespace, { trim });
    await using _ = reflection.reflector;
    await reflection.reflector.synced;
    const writer = new Writer({ client, term: undefined });
    for (const count of ["1", "2", "3"]) await writer.apply(configMaps, configMap(namespace, "counted", { count }));
    await reflection.until(() => reflection.store.get(`${namespace}/counted`)?.data?.count === "3");
    expect(reflection.told).toHaveLength(3);
    expect(reflection.store.get(`${namespace}/counted`)).toEqual({
      ...{ metadata: { namespace, name: "counted" }, data: { count: "3" } },
    });
  });

  test("goes on when a listener throws, and says so", async () => {
    const namespace = await newNamespace();
    const errors: unknown[] = [];
    const store = new ObjectStore<ConfigMap>();
    const last = Promise.withResolvers<void>();
    await using reflector = reflect(namespace, {
      store,
      onChange: (key) => {
        if (key.endsWith("/last")) last.resolve();
        throw new Error(key);
      },
      onError: (error) => errors.push(error),
    }).reflector;
    await reflector.synced;
    await stir(namespace, AbortSignal.timeout(200));
    await last.promise;
    expect(store.get(`${namespace}/last`)).toBeDefined();
    expect(errors.at(-1)).toEqual(new Error(`${namespace}/last`));
  });

  test("ends at once, and who waits for it is told", async () => {
    const proxy = await CuttingProxy.listen(plane.port);
    proxy.refuses = true;
    const { reflector } = reflect("default", { client: plane.client({ port: proxy.port }) });
    const synced = expect(reflector.synced).rejects.toThrow("not watched any more");
    await reflector[Symbol.asyncDispose]();
    await synced;
    await proxy[Symbol.asyncDispose]();
  });
});

describe("an API server that cannot stream lists", () => {
  let older: TestControlPlane;

  beforeAll(async () => {
    older = await startTestControlPlane(() => ["--feature-gates", "WatchList=false"]);
  }, 60_000);

  afterAll(async () => await older[Symbol.asyncDispose]());

  test("is asked for pages", async () => {
    const api = older.client();
    const writer = new Writer({ client: api, term: undefined });
    for (let i = 0; i < 23; i++) await writer.create(configMaps, configMap("default", `object-${i}`));
    const reflection = reflect("default", { client: api, pageSize: 5 });
    await using _ = reflection.reflector;
    await reflection.reflector.synced;
    // One is the cluster's own.
    expect(reflection.store.size).toBeGreaterThanOrEqual(23);
    await writer.create(configMaps, configMap("default", "later"));
    await reflection.until(() => reflection.store.get("default/later") !== undefined);
    expect(reflection.errors).toEqual([]);
  });
});
