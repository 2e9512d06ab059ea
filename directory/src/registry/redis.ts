import { setTimeout as pause } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import {
  type Found,
  type Marked,
  type NameRecord,
  type Outcome,
  type Page,
  type Refusal,
  type Registry,
  RegistryAway,
  type RegistryState,
} from "../registry.ts";
import { parseStored } from "./redis/change.ts";
import { RedisRefused, type RedisSettings } from "./redis/link.ts";
import { Remembered } from "./redis/remembered.ts";
import type { ScriptName } from "./redis/scripts.ts";
import { type Content, type ContentReply, origin, type Position, Session } from "./redis/session.ts";

interface Options {
  readonly redis: RedisSettings;
  /** the cells that must have written their names before the registry is complete */
  readonly cells: readonly string[];
  readonly maxRemembered: number;
  readonly log: Log;
}

/** A memory that has not been proven current for so long is asked no more while Redis can be. */
/** About so many; Redis gives more of a small registry at once. */
const pageSize = 100;
const maxAgeMs = 1_000;
/** Questions to Redis at one time. */
const maxReads = 1_000;
const pauses = { minMs: 50, maxMs: 1_000 };

const unsure: Found = { kind: "unsure" };

/**
 * The registry in Redis, as one of several replicas sees it.
 *
 * Names that have been asked for are answered from memory, which follows the stream of changes. While Redis is away,
 * the addresses in memory go on being given, and everything else is unsure. What Redis says counts only as long as its
 * content goes on from what this replica has seen (scripts.ts). When it does not, the content is of a new era, and
 * incomplete: a record is then sure once its cell has written it again, and until then what this replica remembers is
 * better than what a dump brought back.
 *
 * What no replica that is still running has seen cannot be missed. Who restores a Redis while no directory runs
 * deletes the marker, `{prefix}:registry`: then the restored content is incomplete in the same way.
 */
export function redisRegistry(options: Options): Registry {
  return new RedisRegistry(options);
}

class RedisRegistry implements Registry {
  reached = false;
  readonly #options: Options;
  readonly #remembered: Remembered;
  readonly #reads = new Map<string, Promise<Found>>();
  readonly #closing = new AbortController();
  readonly #following: Promise<void>;
  #session: Session | undefined;
  /** what was known when the last session ended */
  #content: Content | undefined;
  #seen: Position = origin;
  /** at this time, of performance.now(), memory was current */
  #currentAtMs = Number.NEGATIVE_INFINITY;
  #trouble: string | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#remembered = new Remembered(options.maxRemembered);
    this.#following = this.#follow();
  }

  get away(): boolean {
    return this.#session === undefined;
  }

  get complete(): boolean {
    return (this.#session?.content ?? this.#content)?.complete ?? false;
  }

  get remembered(): number {
    return this.#remembered.size;
  }

  recall(name: string): Found | undefined {
    if (this.#session === undefined) return this.#remembered.recallAddress(name) ?? unsure;
    if (performance.now() - this.#currentAtMs > maxAgeMs) return undefined;
    return this.#remembered.recall(name);
  }

  find(name: string): Promise<Found> {
    const running = this.#reads.get(name);
    if (running !== undefined) return running;
    if (this.#reads.size >= maxReads) return Promise.resolve(this.#remembered.recallAddress(name) ?? unsure);
    const started = this.#find(name).finally(() => {
      if (this.#reads.get(name) === started) this.#reads.delete(name);
    });
    this.#reads.set(name, started);
    return started;
  }

  async read(name: string): Promise<NameRecord | undefined> {
    const { reply } = await this.#call("read", name);
    try {
      return parseStored(name, reply[0] ?? "")?.record;
    } catch (error) {
      throw new RegistryAway(messageOf(error), { cause: error });
    }
  }

  async put(record: NameRecord, held = false): Promise<Outcome> {
    const { name, claim, generation, address } = record;
    if (generation < this.#remembered.lostGeneration(name, claim)) return { refused: "stale-generation" };
    const { host = "", port = "" } = address ?? {};
    return this.#write("put", record, [name, claim, generation, host, port, held ? 1 : 0]);
  }

  async release({ name, claim, generation }: { name: string; claim: string; generation: number }): Promise<Outcome> {
    if (generation < this.#remembered.lostGeneration(name, claim)) return { refused: "stale-generation" };
    return this.#write("release", { name }, [name, claim, generation]);
  }

  async handOver({ name, claim, to }: { name: string; claim: string; to: string }): Promise<Outcome> {
    return this.#write("handOver", { name, claim: to, generation: 0, address: undefined }, [name, claim, to]);
  }

  async list(claimPrefix: string, cursor: string): Promise<Page> {
    const { reply } = await this.#call("page", cursor, pageSize);
    const [next = "0", ...found] = reply;
    try {
      const records = found
        .map((name, i) => (i % 2 === 0 ? parseStored(name, found[i + 1] ?? "")?.record : undefined))
        .filter((record) => record?.claim.startsWith(claimPrefix) === true) as NameRecord[];
      return { records, next: next === "0" ? undefined : next };
    } catch (error) {
      throw new RegistryAway(messageOf(error), { cause: error });
    }
  }

  async state(): Promise<RegistryState> {
    const session = this.#present();
    const { reply, complete } = await this.#callOn(session, "state");
    const marks = new Map(reply.map((cell, i) => [cell, reply[i + 1]] as const).filter((_, i) => i % 2 === 0));
    const { cells } = this.#options;
    const marked = cells.map((cell) => [cell, marks.get(cell) === session.registryId] as const);
    return { id: session.registryId, complete, cells: Object.fromEntries(marked) };
  }

  async markCell(cell: string, registryId: string): Promise<Marked> {
    const { cells } = this.#options;
    if (!cells.includes(cell)) return "unknown-cell";
    const { reply } = await this.#call("mark", cell, registryId, ...cells);
    return oneOf<Marked>(reply[0], ["marked", "other-registry"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#session?.[Symbol.dispose]();
    await this.#following;
  }

  async #find(name: string): Promise<Found> {
    const session = this.#session;
    const fallback = () => this.#remembered.recallAddress(name) ?? unsure;
    if (session === undefined) return fallback();
    try {
      const { reply, asOf, complete } = await this.#callOn(session, "read", name);
      if (session !== this.#session) return fallback();
      const stored = parseStored(name, reply[0] ?? "");
      if (!complete && stored?.era !== session.registryId) return fallback();
      const keep = asOf >= session.content.position.number;
      return this.#remembered.learn(name, stored?.record, asOf, { keep });
    } catch (error) {
      if (!(error instanceof RegistryAway)) this.#leave(session, error);
      return fallback();
    }
  }

  /**
   * @param result what the name's record is when the script says that it has changed; without members: none
   */
  async #write(
    script: "put" | "release" | "handOver",
    result: NameRecord | { readonly name: string },
    args: readonly (string | number)[],
  ): Promise<Outcome> {
    const { reply, asOf } = await this.#call(script, ...args);
    const outcome = oneOf(reply[0], ["changed", "unchanged", ...refusals]);
    if (outcome === "unchanged") return { changed: false };
    if (outcome !== "changed") return { refused: outcome };
    const { name } = result;
    this.#remembered.apply({ name, record: "claim" in result ? result : undefined, number: asOf });
    // Who asks from now on shall not be told what was read before.
    this.#reads.delete(name);
    return { changed: true };
  }

  #call(script: Exclude<ScriptName, "attach">, ...args: readonly (string | number)[]): Promise<ContentReply> {
    return this.#callOn(this.#present(), script, ...args);
  }

  async #callOn(
    session: Session,
    script: Exclude<ScriptName, "attach">,
    ...args: readonly (string | number)[]
  ): Promise<ContentReply> {
    try {
      return await session.call(script, ...args);
    } catch (error) {
      if (!(error instanceof RedisRefused)) this.#leave(session, error);
      throw new RegistryAway(messageOf(error), { cause: error });
    }
  }

  /** @throws {RegistryAway} */
  #present(): Session {
    if (this.#session === undefined) throw new RegistryAway(this.#trouble ?? "not connected yet");
    return this.#session;
  }

  /** One session after the other. */
  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        using session = await Session.begin(this.#options.redis, this.#content, this.#seen);
        if (signal.aborted) return;
        await this.#enter(session);
        while (!signal.aborted) {
          await this.#followChanges(session);
          attempt = 0;
        }
      } catch (error) {
        this.#leave(this.#session, error);
      }
      await pause(backoffMs(attempt, pauses), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #enter(session: Session): Promise<void> {
    const { continuity, content } = session;
    const { log } = this.#options;
    if (await session.mayEvict()) {
      log.error("Redis may evict the registry: it needs maxmemory-policy noeviction");
    }
    if (continuity === "trimmed") this.#remembered.clear();
    if (continuity === "other") this.#remembered.beginEra(content.id, content);
    this.#session = session;
    this.reached = true;
    this.#trouble = undefined;
    log.info({ continuity, registry: content.id, complete: content.complete }, "registry reached");
  }

  async #followChanges(session: Session): Promise<void> {
    const askedAtMs = performance.now();
    const wasComplete = session.content.complete;
    const { changes, current } = await session.nextChanges();
    for (const change of changes) {
      this.#remembered.apply(change);
      this.#reads.delete(change.name);
    }
    if (current) this.#currentAtMs = askedAtMs;
    if (!wasComplete && session.content.complete) {
      this.#remembered.endEarlierEras();
      this.#options.log.info({ registry: session.registryId }, "registry complete");
    }
  }

  /** Ends a session, if it has not ended before, and says why. */
  #leave(session: Session | undefined, error: unknown): void {
    if (session !== undefined && session === this.#session) {
      this.#content = session.content;
      this.#seen = session.seen;
      this.#session = undefined;
      this.#currentAtMs = Number.NEGATIVE_INFINITY;
      session[Symbol.dispose]();
    }
    const trouble = messageOf(error);
    if (trouble !== this.#trouble && !this.#closing.signal.aborted) {
      this.#options.log.warn({ trouble }, "registry away");
    }
    this.#trouble = trouble;
  }
}

const refusals: readonly Refusal[] = ["claimed", "host-taken", "stale-generation", "absent", "incomplete"];

/** @throws {RegistryAway} */
function oneOf<T extends string>(text: string | undefined, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === text);
  if (found === undefined) throw new RegistryAway("Redis answered something else");
  return found;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
