import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import {
  type ApiClient,
  ApiError,
  type KubernetesObject,
  type List,
  NoAnswerError,
  pathOf,
  type Resource,
} from "./api.ts";
import { keyOf, type ObjectStore } from "./store.ts";

export interface ReflectorOptions<T extends KubernetesObject> {
  readonly client: Pick<ApiClient, "request" | "stream">;
  readonly resource: Resource;
  readonly store: ObjectStore<T>;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** what is kept of an object: managed fields and what nobody reads cost memory */
  readonly trim?: (object: T) => T;
  /** is told of every change, after the store knows it; `now` is undefined for what is gone */
  readonly onChange: (key: string, now: T | undefined, before: T | undefined) => void;
  /** is told why list or watch failed; it is tried again */
  readonly onError: (error: unknown) => void;
  readonly pageSize?: number;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  readonly random?: () => number;
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T & { readonly code?: number; readonly reason?: string; readonly message?: string };
}

/** The API server ends a watch after five to ten minutes; bookmarks come about every minute. */
const watchSeconds = 300;
const idleMs = 120_000;

/** Set by the API server on the bookmark behind the objects that were there when a streaming list began. */
const initialEventsEnd = "k8s.io/initial-events-end";

/**
 * Keeps a store equal to what the API server has of one resource: a list, then a watch that goes on where the list ended;
 * from the last bookmark after a cut, from a new list when the API server has forgotten that far back.
 *
 * As client-go's Reflector; lists are streamed where the API server can (KEP-3157), else paged.
 */
export class Reflector<T extends KubernetesObject> implements AsyncDisposable {
  /** Resolves once the store holds what the API server had when this began. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #stop = new AbortController();
  readonly #resolveSynced: () => void;
  readonly #running: Promise<void>;
  #version: string | undefined;
  #streams = true;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    ({ promise: this.synced, resolve: this.#resolveSynced } = Promise.withResolvers<void>());
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await (this.#streams ? this.#listByStream() : this.#listByPages());
        else await this.#watch();
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      }
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (error instanceof ApiError && error.status === 410) {
      // Too far back: everything anew, at once.
      this.#version = undefined;
      return;
    }
    if (this.#streams && this.#version === undefined && error instanceof ApiError && isUnsupported(error)) {
      this.#streams = false;
      return;
    }
    this.#options.onError(error);
    const { backoff = { minMs: 500, maxMs: 30_000 }, random } = this.#options;
    const pauseMs = backoffMs(this.#failures++, { ...backoff, ...(random !== undefined && { random }) });
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    await delay(Math.max(pauseMs, askedMs), undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** One watch that begins with all objects that are there, and goes on. */
  async #listByStream(): Promise<void> {
    const seen = new Map<string, T>();
    let listed = false;
    const parameters = {
      sendInitialEvents: true,
      resourceVersionMatch: "NotOlderThan",
      resourceVersion: "",
    };
    for await (const event of this.#events(parameters)) {
      if (listed) {
        this.#apply(event);
        continue;
      }
      if (event.type === "ERROR") throw failureOf(event);
      if (event.type !== "BOOKMARK") {
        const object = this.#trimmed(event.object);
        if (event.type === "DELETED") seen.delete(keyOf(object));
        else seen.set(keyOf(object), object);
      } else if (event.object.metadata.annotations?.[initialEventsEnd] === "true") {
        listed = true;
        this.#replace(seen);
        seen.clear();
        this.#version = event.object.metadata.resourceVersion;
        this.#failures = 0;
        this.#resolveSynced();
      }
    }
    if (!listed) throw new NoAnswerError("a list ended before it was whole");
  }

  async #listByPages(): Promise<void> {
    const { client, resource, labelSelector, fieldSelector, pageSize = 500 } = this.#options;
    const objects = new Map<string, T>();
    for (let next: string | undefined; ; ) {
      const page: List<T> = await client.request({
        method: "GET",
        path: pathOf(resource),
        query: { limit: pageSize, continue: next, labelSelector, fieldSelector },
        signal: this.#stop.signal,
      });
      for (const item of page.items) objects.set(keyOf(item), this.#trimmed(item));
      next = page.metadata.continue === "" ? undefined : page.metadata.continue;
      if (next === undefined) {
        this.#replace(objects);
        this.#version = page.metadata.resourceVersion;
        this.#resolveSynced();
        return;
      }
    }
  }

  async #watch(): Promise<void> {
    for await (const event of this.#events({ resourceVersion: this.#version })) this.#apply(event);
  }

  #events(parameters: Readonly<Record<string, string | boolean | undefined>>): AsyncGenerator<WatchEvent<T>> {
    const { client, resource, labelSelector, fieldSelector, random = Math.random } = this.#options;
    const path = pathOf(resource);
    const timeoutSeconds = Math.round(watchSeconds * (1 + random()));
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      timeoutSeconds,
      labelSelector,
      fieldSelector,
      ...parameters,
    };
    return client.stream<WatchEvent<T>>({ path, query, signal: this.#stop.signal }, idleMs);
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === "ERROR") throw failureOf(event);
    this.#failures = 0;
    if (event.type !== "BOOKMARK") {
      const object = this.#trimmed(event.object);
      if (event.type === "DELETED") this.#delete(keyOf(object));
      else this.#set(object);
    }
    // Behind the change: what was not applied is told again.
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
  }

  /** Makes the store hold these objects alone, and tells what that changed. */
  #replace(objects: ReadonlyMap<string, T>): void {
    for (const key of [...this.#options.store.keys()]) if (!objects.has(key)) this.#delete(key);
    for (const object of objects.values()) this.#set(object);
  }

  #set(object: T): void {
    const { store, onChange } = this.#options;
    const before = store.set(object);
    const same = before !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion;
    if (!same) onChange(keyOf(object), object, before);
  }

  #delete(key: string): void {
    const { store, onChange } = this.#options;
    const before = store.delete(key);
    if (before !== undefined) onChange(key, undefined, before);
  }

  #trimmed(object: T): T {
    return this.#options.trim === undefined ? object : this.#options.trim(object);
  }
}

function failureOf<T>({ object: { code = 0, reason = "", message = "the watch failed" } }: WatchEvent<T>): ApiError {
  return new ApiError(code, reason, message);
}

/** Older API servers, and those on which streaming lists are switched off, refuse its parameters. */
function isUnsupported({ status }: ApiError): boolean {
  return status === 400 || status === 422;
}
