import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, ApiError, pathOf } from "./api.ts";
import { Controller } from "./controller.ts";
import { Leader } from "./leader.ts";
import { Reflector } from "./reflector.ts";
import { ObjectStore, splitKey } from "./store.ts";
import { type Term, TermOverError } from "./term.ts";
import {
  type ConfigMap,
  configMap,
  configMaps,
  createNamespace,
  listed,
  startTestControlPlane,
  type TestControlPlane,
  throttle,
} from "./testing/control-plane.ts";
import { CuttingProxy } from "./testing/cutting-proxy.ts";
import { Writer } from "./writer.ts";

let plane: TestControlPlane;
let count = 0;

beforeAll(async () => {
  plane = await startTestControlPlane(() => ["--max-requests-inflight", "8", "--max-mutating-requests-inflight", "4"]);
  await throttle(plane, "stormy");
}, 60_000);

afterAll(async () => await plane[Symbol.asyncDispose]());

async function newNamespaces(): Promise<{ from: string; to: string }> {
  const [from, to] = [`from-${count}`, `to-${count++}`] as const;
  for (const name of [from, to]) await createNamespace(plane.client(), name);
  return { from, to };
}

/** Keeps a copy of each ConfigMap of one namespace in another: as small as an operator can be. */
function copier(client: ApiClient, { from, to }: { from: string; to: string }) {
  const stop = new AbortController();
  const errors: unknown[] = [];
  const writes: string[] = [];
  const [sources, copies] = [new ObjectStore<ConfigMap>(), new ObjectStore<ConfigMap>()] as const;
  const changed = (key: string) => controller.add(splitKey(key).name);
  const onError = (error: unknown) => void errors.push(error);
  const reflect = (namespace: string, store: ObjectStore<ConfigMap>) =>
    new Reflector({
      ...{ client, resource: configMaps, namespace, store, onChange: changed, onError },
      backoff: { minMs: 50, maxMs: 500 },
    });
  const reflectors = [reflect(from, sources), reflect(to, copies)];
  const reconcile = async (name: string, term: Term): Promise<undefined> => {
    const writer = new Writer({ client, term });
    const source = sources.get(`${from}/${name}`);
    const copy = copies.get(`${to}/${name}`);
    if (source === undefined && copy !== undefined) {
      await writer.delete(configMaps, copy);
      writes.push(`delete ${name}`);
    } else if (source !== undefined && source.data?.count !== copy?.data?.count) {
      await writer.apply(configMaps, configMap(to, name, { ...source.data }));
      writes.push(`apply ${name} ${source.data?.count}`);
    }
  };
  const controller: Controller = new Controller({
    ...{ workers: 8, backoff: { minMs: 50, maxMs: 2_000 }, reconcile },
    synced: Promise.all(reflectors.map(({ synced }) => synced)),
    keys: () => new Set([...sources.keys(), ...copies.keys()].map((key) => splitKey(key).name)),
    onError: (_, error) => onError(error),
  });
  const times = { leaseMs: 2_000, deadlineMs: 1_250, renewMs: 400 };
  const leader = new Leader({ client, namespace: to, name: "leader", ...times, onError });
  const running = leader.run((term) => controller.lead(term), stop.signal);
  return {
    ...{ controller, writes, errors, copies },
    /** resolves when nothing is to be done, every source has its copy, and that has been seen too */
    async settled() {
      for (const deadline = AbortSignal.timeout(20_000); ; await delay(50)) {
        deadline.throwIfAborted();
        const all = [await contents(from), await contents(to), counts(sources.values()), counts(copies.values())];
        const same = new Set(all.map((each) => JSON.stringify(each))).size === 1;
        if (same && controller.queue?.size === 0) return;
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      for (const reflector of reflectors) await reflector[Symbol.asyncDispose]();
    },
  };
}

/** Data by name, of what there really is. */
async function contents(namespace: string): Promise<[string, string | undefined][]> {
  return counts(await listed<ConfigMap>(plane.client(), configMaps, namespace));
}

function counts(items: Iterable<ConfigMap>): [string, string | undefined][] {
  return [...items].map(({ metadata: { name }, data }): [string, string | undefined] => [name, data?.count]).sort();
}

/** Changes the sources until it is stopped. The administrator's client waits where the API server is away. */
async function stir(from: string, signal: AbortSignal): Promise<void> {
  const client = plane.client();
  const writer = new Writer({ client, term: undefined });
  for (let count = 0; !signal.aborted; count++) {
    const name = `object-${Math.floor(Math.random() * 40)}`;
    try {
      if (Math.random() < 0.8) await writer.apply(configMaps, configMap(from, name, { count: `${count}` }));
      else await client.request({ method: "DELETE", path: pathOf(configMaps, { namespace: from, name }) });
    } catch (error) {
      if (!(error instanceof Error && ["ApiError", "NoAnswerError"].includes(error.name))) throw error;
    }
    await delay(5);
  }
}

/** A term that lasts until the test ends it. */
function termOf() {
  const [stop, over] = [new AbortController(), new AbortController()];
  const term: Term = { signal: stop.signal, over: over.signal, remainingMs: () => (over.signal.aborted ? 0 : 1_000) };
  return { term, stop: () => stop.abort() };
}

/** A controller whose work is ended by the test. */
function workbench(synced: Promise<void>) {
  const began: string[] = [];
  const work = Promise.withResolvers<undefined>();
  const errors: unknown[] = [];
  const controller = new Controller({
    ...{ workers: 1, backoff: { minMs: 1, maxMs: 1 }, keys: () => ["a", "b"], synced },
    reconcile: (key) => {
      began.push(key);
      return work.promise;
    },
    onError: (_, error) => errors.push(error),
  });
  return { controller, began, work, errors };
}

describe("a term of a controller", () => {
  test("begins when the stores are complete, with everything that there is", async () => {
    const synced = Promise.withResolvers<void>();
    const { controller, began, work } = workbench(synced.promise);
    const { term, stop } = termOf();
    // Nothing is remembered: it is among everything that there is.
    controller.add("a");
    const leading = controller.lead(term);
    await delay(10);
    expect(began).toEqual([]);
    synced.resolve();
    work.resolve(undefined);
    await delay(10);
    expect(began).toEqual(["a", "b"]);
    controller.add("c");
    await delay(10);
    expect(began).toEqual(["a", "b", "c"]);
    stop();
    await leading;
    expect(controller.queue).toBeUndefined();
  });

  test("ends when what was begun has ended, and begins nothing more", async () => {
    const { controller, began, work } = workbench(Promise.resolve());
    const { term, stop } = termOf();
    let ended = false;
    const leading = controller.lead(term).then(() => {
      ended = true;
    });
    await delay(10);
    stop();
    controller.add("c");
    await delay(10);
    expect(ended).toBe(false);
    work.resolve(undefined);
    await leading;
    expect(began).toEqual(["a"]);
  });

  test("ends at once while the stores are not complete", async () => {
    const { controller, began } = workbench(new Promise(() => undefined));
    const { term, stop } = termOf();
    const leading = controller.lead(term);
    stop();
    await leading;
    expect(began).toEqual([]);
  });

  test("says nothing of what was not written because it is over", async () => {
    const { controller, work, errors } = workbench(Promise.resolve());
    const { term, stop } = termOf();
    const leading = controller.lead(term);
    await delay(10);
    work.reject(new TermOverError("late"));
    stop();
    await leading;
    expect(errors).toEqual([]);
  });
});

describe("a controller", () => {
  test("waits for complete stores, does everything, and then writes nothing", async () => {
    const namespaces = await newNamespaces();
    const writer = new Writer({ client: plane.client(), term: undefined });
    for (let i = 0; i < 60; i++)
      await writer.apply(configMaps, configMap(namespaces.from, `object-${i}`, { count: "1" }));
    {
      await using first = copier(plane.client(), namespaces);
      await first.settled();
      // Each once: what it wrote itself, it sees, and finds nothing to do.
      expect(first.writes).toHaveLength(60);
      await writer.apply(configMaps, configMap(namespaces.from, "object-7", { count: "2" }));
      await first.settled();
      expect(first.writes.slice(60)).toEqual(["apply object-7 2"]);
      expect(first.errors).toEqual([]);
    }
    // Another process, or this one after a restart.
    await using second = copier(plane.client(), namespaces);
    while (second.controller.queue === undefined) await delay(10);
    await second.settled();
    expect(second.writes).toEqual([]);
    expect(second.errors).toEqual([]);
  });

  test("misses nothing while connections are cut, the API server is killed, and most requests are refused", async () => {
    const namespaces = await newNamespaces();
    await using proxy = await CuttingProxy.listen(plane.port);
    await using copying = copier(plane.client({ port: proxy.port, user: "stormy" }), namespaces);
    const stop = new AbortController();
    const stirring = stir(namespaces.from, stop.signal);
    for (let second = 0; second < 6; second++) {
      await delay(1_000);
      if (second === 3) {
        await plane.apiServer.kill();
        await plane.restartApiServer();
      } else {
        proxy.cut();
      }
    }
    stop.abort();
    await stirring;
    await copying.settled();
    expect(copying.writes.length).toBeGreaterThan(40);
    const statuses = copying.errors.filter((error) => error instanceof ApiError).map(({ status }) => status);
    // Too much to do; what was seen was old; an API server that has just begun knows nobody's rights yet; or it is itself in trouble.
    expect(statuses.filter((status) => status < 500 && ![403, 409, 410, 429].includes(status))).toEqual([]);
    expect(statuses).toContain(429);
    const before = copying.writes.length;
    for (const key of copying.copies.keys()) copying.controller.add(splitKey(key).name);
    await copying.settled();
    expect(copying.writes).toHaveLength(before);
  }, 60_000);
});
