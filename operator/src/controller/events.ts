import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import { type ApiClient, ApiError, NoAnswerError, pathOf, type RequestParts, type Resource } from "./api.ts";
import {
  eventName,
  eventObject,
  type Happening,
  namespaceOf,
  type Reporter,
  series,
  seriesKey,
} from "./event-object.ts";
import { type Term, TermOverError } from "./term.ts";
import { type Rate, TokenBucket } from "./token-bucket.ts";

export type { Happening } from "./event-object.ts";

export interface EventRecorderOptions {
  readonly client: Pick<ApiClient, "request">;
  /** of the leader; undefined for what any replica may tell */
  readonly term: Term | undefined;
  readonly reporter: Reporter;
  /** is told of what could not be told to the API server */
  readonly onError: (error: unknown) => void;
  readonly rate?: Rate;
  /** series that are remembered; of more, the one that was silent for longest is forgotten */
  readonly maxSeries?: number;
  /** how often it is told that the same happens again and again */
  readonly updateMs?: number;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
}

interface Series {
  readonly key: string;
  readonly happening: Happening<string>;
  readonly first: Date;
  last: Date;
  lastMs: number;
  count: number;
  name: string;
  /** the count that the API server has; 0 when it does not know of it */
  toldCount: number;
  toldMs: number;
  timer: NodeJS.Timeout | undefined;
}

const events: Resource = { group: "events.k8s.io", version: "v1", plural: "events" };
/** What happens again after so long is told as something new. */
const seriesMs = 6 * 60_000;
/** At the end, for what was not told yet. */
const flushMs = 2_000;
const requestMs = 5_000;

/**
 * Tells people what happened to an object, by Events of Kubernetes. Nobody waits for it and nothing depends on it: it is
 * limited in rate and memory, and what the API server does not take is dropped.
 *
 * As client-go's tools/events.
 */
export class EventRecorder<Reason extends string> implements AsyncDisposable {
  readonly #options: EventRecorderOptions;
  readonly #bucket: TokenBucket;
  /** the one that was silent for longest is first */
  readonly #series = new Map<string, Series>();
  /** those to be told now */
  readonly #pending = new Set<Series>();
  readonly #stop = new AbortController();
  /** aborted when the time for what was not told yet has passed */
  readonly #over = new AbortController();
  #telling: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(options.rate ?? { perSecond: 5, burst: 50 });
  }

  /** Those that were never told. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Returns at once, whatever the API server does. */
  record(happening: Happening<Reason>): void {
    if (this.#stop.signal.aborted) return;
    const known = this.#known(happening);
    known.count++;
    known.last = new Date();
    known.lastMs = performance.now();
    this.#series.delete(known.key);
    this.#series.set(known.key, known);
    this.#forget();
    this.#due(known);
  }

  /** Tells what was not told yet, for a short time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const timer = setTimeout(() => this.#over.abort(), flushMs);
    for (const one of this.#series.values()) {
      clearTimeout(one.timer);
      if (one.toldCount < one.count) this.#pending.add(one);
    }
    this.#tell();
    await this.#telling;
    clearTimeout(timer);
  }

  #known(happening: Happening<Reason>): Series {
    const key = seriesKey(happening);
    const known = this.#series.get(key);
    if (known !== undefined && performance.now() - known.lastMs < seriesMs) return known;
    if (known !== undefined) this.#drop(known);
    const now = new Date();
    const name = newName(happening);
    return {
      ...{ key, happening, name, first: now, last: now, lastMs: 0, count: 0 },
      ...{ toldCount: 0, toldMs: 0, timer: undefined },
    };
  }

  #forget(): void {
    const { maxSeries = 1_000 } = this.#options;
    for (const [key, one] of this.#series) {
      if (this.#series.size <= maxSeries) return;
      this.#series.delete(key);
      this.#drop(one);
    }
  }

  #drop(one: Series): void {
    clearTimeout(one.timer);
    this.#pending.delete(one);
    if (one.toldCount === 0) this.#dropped += one.count;
  }

  /** The first of a series at once, then its count, not too often. */
  #due(one: Series): void {
    if (one.timer !== undefined || this.#pending.has(one)) return;
    const { updateMs = 60_000 } = this.#options;
    const tell = () => {
      one.timer = undefined;
      this.#pending.add(one);
      this.#tell();
    };
    if (one.toldCount === 0) tell();
    else one.timer = setTimeout(tell, Math.max(0, one.toldMs + updateMs - performance.now())).unref();
  }

  #tell(): void {
    if (this.#pending.size > 0) this.#telling ??= this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    for (let failures = 0; ; ) {
      const [one] = this.#pending;
      if (one === undefined) {
        this.#telling = undefined;
        return;
      }
      await this.#pause(this.#bucket.take());
      try {
        await this.#send(one);
        failures = 0;
      } catch (error) {
        this.#options.onError(error);
        if (this.#over.signal.aborted || error instanceof TermOverError)
          for (const late of this.#pending) this.#drop(late);
        else if (!isPassing(error) || performance.now() - one.lastMs >= seriesMs) this.#drop(one);
        await this.#pause(backoffMs(failures++, this.#options.backoff ?? { minMs: 1_000, maxMs: 30_000 }));
      }
    }
  }

  async #send(one: Series): Promise<void> {
    const { count } = one;
    if (one.toldCount === 0) await this.#create(one);
    else await this.#update(one);
    this.#pending.delete(one);
    one.toldCount = count;
    one.toldMs = performance.now();
    if (one.count > count && !this.#stop.signal.aborted) this.#due(one);
  }

  async #create({ happening, name, count, first, last }: Series): Promise<void> {
    const body = eventObject(happening, { name, reporter: this.#options.reporter, count: { count, first, last } });
    try {
      await this.#request({ method: "POST", path: pathOf(events, { namespace: namespaceOf(happening) }), body });
    } catch (error) {
      // An attempt that was not answered had its effect.
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
  }

  async #update(one: Series): Promise<void> {
    const path = pathOf(events, { namespace: namespaceOf(one.happening), name: one.name });
    const body = { series: series(one) };
    try {
      await this.#request({ method: "PATCH", path, body, contentType: "application/merge-patch+json" });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      // The API server forgets events after an hour.
      one.name = newName(one.happening);
      await this.#create(one);
    }
  }

  #request(parts: Pick<RequestParts, "method" | "path" | "body" | "contentType">): Promise<unknown> {
    const { client, term } = this.#options;
    return client.request({ ...parts, term, signal: this.#over.signal, deadlineMs: requestMs });
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}

function newName(happening: Happening<string>): string {
  return eventName(happening, randomBytes(8).toString("hex"));
}

/** Another attempt may succeed. */
function isPassing(error: unknown): boolean {
  return error instanceof NoAnswerError || (error instanceof ApiError && (error.status === 429 || error.status >= 500));
}
