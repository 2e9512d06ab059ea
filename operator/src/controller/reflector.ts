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
import { trimmed } from "./trim.ts";

export interface ReflectorOptions<T extends KubernetesObject> {
  readonly client: Pick<ApiClient, "request" | "stream">;
  readonly resource: Resource;
  readonly store: ObjectStore<T>;
  /** without it all namespaces */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /**
   * What is kept of an object, after what nobody reads is gone: what is not kept costs no memory. Without its version,
   * an object that is listed again counts as changed.
   */
  readonly trim?: (object: T) => T;
  /**
   * Is told of every change, after the store knows it; `now` is undefined for what is gone. What was made anew under the
   * same name while nothing could be seen comes as one change, of another `uid`.
   */
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

/** The API server is asked to end a watch after five to ten minutes. */
const watchSeconds = 300;
/**
 * Where anything happens, a bookmark comes every minute. A watch of what never changes is silent: it is begun anew this
 * often, because it cannot be told from one that is cut and does not know.
 */
const idleMs = 90_000;
/** A watch that ended in good order, but sooner, is begun anew after a pause only. */
const shortMs = 1_000;

/** Set by the API server on the bookmark behind the objects that were there when a streaming list began. */
const initialEventsEnd = "k8s.io/initial-events-end";

/**
 * Keeps a store equal to what the API server has of one resource: a list, then a watch that goes on where the list ended;
 * from the last bookmark after a cut, from a new list when the API server has forgotten that far back.
 *
 * As client-go's Reflector; lists are streamed where the API server can (KEP-3157), else paged.
 */
export class Reflector<T extends KubernetesObject> implements AsyncDisposable {
  /** Resolves once the store holds what the API server had when this began; rejects when it is disposed of before. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #path: string;
  readonly #stop = new AbortController();
  readonly #onSynced: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #running: Promise<void>;
  #version: string | undefined;
  #streams = true;
  /** in a row */
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#path = pathOf(options.resource, { namespace: options.namespace });
    this.synced = this.#onSynced.promise;
    // It may be that nobody waits for it.
    this.synced.catch(() => undefined);
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#onSynced.reject(new Error(`${this.#path} is not watched any more`));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#go();
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      }
    }
  }

  async #go(): Promise<void> {
    const beganMs = performance.now();
    if (this.#version !== undefined) await this.#watch();
    else if (this.#streams) await this.#listByStream();
    else return await this.#listByPages();
    if (performance.now() - beganMs < shortMs) throw new NoAnswerError(`GET ${this.#path}: a watch ended at once`);
  }

  async #failed(error: unknown): Promise<void> {
    const watching = this.#version !== undefined;
    if (!watching && this.#streams && error instanceof ApiError && isUnsupported(error)) {
      this.#streams = false;
      return;
    }
    // That a watch is cut now and then is ordinary.
    if (!watching || this.#failures > 0 || error instanceof ApiError) this.#options.onError(error);
    // Too far back: everything anew.
    if (error instanceof ApiError && error.status === 410) this.#version = undefined;
    const { backoff = { minMs: 500, maxMs: 5_000 }, random = Math.random } = this.#options;
    const pauseMs = backoffMs(this.#failures++, { ...backoff, random });
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    await delay(askedMs + pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** One watch that begins with all objects that are there, and goes on. */
  async #listByStream(): Promise<void> {
    const seen = new Map<string, T>();
    const parameters = { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan", resourceVersion: "" };
    for await (const event of this.#events(parameters)) {
      if (this.#version !== undefined) this.#apply(event);
      else if (event.type === "ERROR") throw failureOf(event);
      else if (event.type === "DELETED") seen.delete(keyOf(event.object));
      else if (event.type !== "BOOKMARK") seen.set(keyOf(event.object), this.#trimmed(event.object));
      else if (event.object.metadata.annotations?.[initialEventsEnd] === "true") {
        this.#replace(seen, event.object.metadata.resourceVersion);
        seen.clear();
      }
    }
    if (this.#version === undefined) throw new NoAnswerError(`GET ${this.#path}: a list ended before it was whole`);
  }

  async #listByPages(): Promise<void> {
    const { client, pageSize = 500, labelSelector, fieldSelector } = this.#options;
    const objects = new Map<string, T>();
    for (let next: string | undefined = ""; next !== undefined; ) {
      const query = { limit: pageSize, continue: next === "" ? undefined : next, labelSelector, fieldSelector };
      const request = { method: "GET", path: this.#path, query, signal: this.#stop.signal } as const;
      const page: List<T> = await client.request(request);
      for (const item of page.items) objects.set(keyOf(item), this.#trimmed(item));
      next = page.metadata.continue || undefined;
      if (next === undefined) this.#replace(objects, page.metadata.resourceVersion);
    }
  }

  async #watch(): Promise<void> {
    for await (const event of this.#events({ resourceVersion: this.#version })) this.#apply(event);
  }

  #events(parameters: Readonly<Record<string, string | boolean | undefined>>): AsyncGenerator<WatchEvent<T>> {
    const { client, labelSelector, fieldSelector, random = Math.random } = this.#options;
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(watchSeconds * (1 + random())),
      labelSelector,
      fieldSelector,
      ...parameters,
    };
    const onHead = () => {
      if (this.#version !== undefined) this.#failures = 0;
    };
    return client.stream<WatchEvent<T>>({ path: this.#path, query, signal: this.#stop.signal, onHead }, idleMs);
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === "ERROR") throw failureOf(event);
    if (event.type === "DELETED") this.#delete(keyOf(event.object));
    else if (event.type !== "BOOKMARK") this.#set(this.#trimmed(event.object));
    // Behind the change: what was not applied is told again.
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
  }

  /** Makes the store hold these objects alone, and tells what that changed. */
  #replace(objects: ReadonlyMap<string, T>, version: string | undefined): void {
    for (const key of [...this.#options.store.keys()]) if (!objects.has(key)) this.#delete(key);
    for (const object of objects.values()) this.#set(object);
    this.#version = version;
    this.#failures = 0;
    this.#onSynced.resolve();
  }

  #set(object: T): void {
    const before = this.#options.store.set(object);
    const { resourceVersion: version } = object.metadata;
    const same = version !== undefined && before?.metadata.resourceVersion === version;
    if (!same) this.#tell(keyOf(object), object, before);
  }

  #delete(key: string): void {
    const before = this.#options.store.delete(key);
    if (before !== undefined) this.#tell(key, undefined, before);
  }

  /** The store goes on whatever is made of a change. */
  #tell(key: string, now: T | undefined, before: T | undefined): void {
    try {
      this.#options.onChange(key, now, before);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #trimmed(object: T): T {
    const { trim = (whole: T) => whole } = this.#options;
    return trim(trimmed(object));
  }
}

function failureOf<T>({ object: { code = 0, reason = "", message = "the watch failed" } }: WatchEvent<T>): ApiError {
  return new ApiError(code, reason, message);
}

/** Older API servers, and those on which streaming lists are switched off, refuse its parameters. */
function isUnsupported({ status }: ApiError): boolean {
  return status === 400 || status === 422;
}
