import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { type DirectoryClient, DirectoryError, type DirectoryRecord } from "../directory-client.ts";
import type { Listing } from "../tenant/observe.ts";

/** Thrown without asking while the directory is known to be away: it is told when it is back. */
export class DirectoryAwayError extends Error {
  override readonly name = "DirectoryAwayError";
}

interface Options {
  readonly client: DirectoryClient;
  readonly cell: string;
  readonly log: Log;
  /** every key whose name the directory must know before this cell's part of it is whole */
  readonly keys: () => Iterable<string>;
  /** asks for another look at those whose listing is not known */
  readonly onForgotten: () => void;
  readonly pollMs?: number;
}

const incompletePollMs = 250;
const retry = { minMs: 250, maxMs: 5_000 };
const unknown: Listing = { state: "unknown" };

/**
 * What the directory has answered since it last lost anything, by the keys of AtSigns; of the leader alone. When its
 * registry was wiped, every name is written again, and then this cell's part of it is marked as whole.
 */
export class Directory {
  readonly #options: Options;
  readonly #listings = new Map<string, Listing>();
  #registry: string | undefined;
  #marked = false;
  #away = false;
  /** it may lack names, and takes new ones when it lacks none any more */
  #incomplete = false;

  constructor(options: Options) {
    this.#options = options;
  }

  get isAway(): boolean {
    return this.#away;
  }

  listing(key: string): Listing {
    return this.#listings.get(key) ?? unknown;
  }

  /** It was looked at, and there is no name to tell. */
  pass(key: string): void {
    this.#listings.set(key, unknown);
  }

  forget(key: string): void {
    this.#listings.delete(key);
  }

  /** @throws {Error} when it could not be asked */
  async put(key: string, record: DirectoryRecord): Promise<Listing> {
    return await this.#remember(key, (client) => client.put(record));
  }

  /** @throws {Error} when it could not be asked */
  async handOver(key: string, change: Parameters<DirectoryClient["handOver"]>[0]): Promise<Listing> {
    return await this.#remember(key, (client) => client.handOver(change));
  }

  /** @throws {Error} when it could not be asked */
  async release(key: string, record: Parameters<DirectoryClient["release"]>[0]): Promise<void> {
    await this.#ask((client) => client.release(record));
    this.#listings.delete(key);
  }

  /** Looks again and again whether the registry is the one that it was. @returns when the signal ends it */
  async watch(signal: AbortSignal): Promise<void> {
    const { log, client, pollMs = 2_000 } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      let pauseMs = pollMs;
      try {
        await this.#look(await client.registry());
        failures = 0;
        // New names wait for it.
        if (this.#incomplete) pauseMs = Math.min(pollMs, incompletePollMs);
      } catch (error) {
        if (!this.#away) log.warn({ error: String(error) }, "the directory is away");
        this.#away = true;
        pauseMs = backoffMs(failures++, retry);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look({ id, complete, cells }: Awaited<ReturnType<DirectoryClient["registry"]>>): Promise<void> {
    const { log, cell, onForgotten, client } = this.#options;
    const [wasAway, wasIncomplete] = [this.#away, this.#incomplete];
    [this.#away, this.#incomplete] = [false, !complete];
    const isOther = this.#registry !== undefined && id !== this.#registry;
    if (isOther) {
      log.warn({ registry: id }, "the registry was wiped: its names are written again");
      this.#listings.clear();
    }
    if (isOther || this.#registry === undefined) this.#marked = cells[cell] === true;
    this.#registry = id;
    if (isOther || wasAway || (wasIncomplete && complete)) onForgotten();
    if (this.#marked || !this.#isWhole()) return;
    await client.markComplete(cell, id);
    this.#marked = true;
    log.info({ registry: id }, "every name of this cell is in the registry");
  }

  #isWhole(): boolean {
    for (const key of this.#options.keys()) if (!this.#listings.has(key)) return false;
    return true;
  }

  async #remember(key: string, ask: (client: DirectoryClient) => Promise<Listing>): Promise<Listing> {
    const registry = this.#registry;
    const listing = await this.#ask(ask);
    // An answer of a registry that was wiped meanwhile says nothing of the one that is there now.
    if (registry !== this.#registry && registry !== undefined) throw new DirectoryAwayError("the registry has changed");
    this.#listings.set(key, listing);
    return listing;
  }

  async #ask<T>(ask: (client: DirectoryClient) => Promise<T>): Promise<T> {
    if (this.#away) throw new DirectoryAwayError("the directory is away");
    try {
      return await ask(this.#options.client);
    } catch (cause) {
      // One name that it does not take says nothing of the others.
      if (cause instanceof DirectoryError && cause.status < 500) throw cause;
      this.#away = true;
      this.#options.log.warn({ error: String(cause) }, "the directory is away");
      throw new DirectoryAwayError("the directory is away", { cause });
    }
  }
}
