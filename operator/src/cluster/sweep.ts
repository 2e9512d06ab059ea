import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@atrium/runtime/log.ts";
import type { Term } from "../controller/term.ts";
import type { DirectoryClient, RecordPage } from "../directory-client.ts";
import { type Volume, volumes } from "./kubernetes-objects.ts";
import { type Claims, nameAnnotation, ownerAnnotation } from "./names.ts";
import type { Reader } from "./reader.ts";

type DirectoryRecord = RecordPage["records"][number];

interface Options {
  readonly directory: Pick<DirectoryClient, "list" | "registry" | "release">;
  readonly claims: Claims;
  /** whose names are held: of AtSigns, and of claims of volumes. It must know all of them */
  readonly keys: () => Iterable<string | undefined>;
  readonly reader: Pick<Reader, "list">;
  readonly term: Pick<Term, "signal">;
  readonly log: Log;
  readonly everyMs: number;
}

/**
 * Gives names back that the directory has for nothing: their AtSign was taken away by force, or its deletion ended without the
 * directory, or its retained data was removed. Twice in a row a name must be found so.
 */
export class Sweep {
  readonly #options: Options;
  /** claim to generation, of the look before */
  #suspects: ReadonlyMap<string, number> = new Map();

  constructor(options: Options) {
    this.#options = options;
  }

  /** @returns when the term is over */
  async run(): Promise<void> {
    const { term, everyMs, log } = this.#options;
    while (!term.signal.aborted) {
      // Not all clusters of a directory at once.
      const pauseMs = everyMs * (0.5 + Math.random() / 2);
      await delay(pauseMs, undefined, { signal: term.signal }).catch(() => undefined);
      if (term.signal.aborted) return;
      try {
        await this.#look();
      } catch (error) {
        if (!term.signal.aborted) log.warn({ error: String(error) }, "names without AtSigns could not be looked for");
      }
    }
  }

  async #look(): Promise<void> {
    const { directory, term, log } = this.#options;
    // While names are written again it says nothing that one is not.
    if (!(await directory.registry()).complete) return;
    const orphans = await this.#orphans();
    const twice = orphans.filter(({ claim, generation }) => this.#suspects.get(claim) === generation);
    this.#suspects = new Map(orphans.map(({ claim, generation }) => [claim, generation]));
    if (twice.length === 0) return;
    const retained = await this.#retained();
    for (const record of twice) {
      if (retained.has(record.claim)) continue;
      term.signal.throwIfAborted();
      await directory.release(record);
      log.info({ atSign: record.atSign }, "a name was given back: there is no AtSign and no data that it belongs to");
    }
  }

  async #orphans(): Promise<DirectoryRecord[]> {
    const { directory, claims, keys, term } = this.#options;
    const found = new Map<string, DirectoryRecord>();
    let cursor: string | undefined;
    do {
      term.signal.throwIfAborted();
      const { records, next } = await directory.list(claims.prefix, cursor);
      // Of generation 0 is what was handed to an AtSign that may yet be made.
      for (const record of records) if (record.generation > 0) found.set(record.claim, record);
      cursor = next;
    } while (cursor !== undefined);
    // Afterwards: who came meanwhile is here, too.
    if (found.size > 0) for (const key of keys()) if (key !== undefined) found.delete(claims.of(key));
    return [...found.values()];
  }

  /** Claims whose data is in a volume that has outlived the claim on it, as when its namespace was deleted. */
  async #retained(): Promise<Set<string>> {
    const { reader, claims } = this.#options;
    const found = new Set<string>();
    for await (const { metadata, spec } of reader.list<Volume>(volumes)) {
      const owner = metadata.annotations?.[ownerAnnotation];
      const namespace = spec?.claimRef?.namespace;
      if (metadata.annotations?.[nameAnnotation] === undefined || owner === undefined || namespace === undefined)
        continue;
      found.add(claims.of(`${namespace}/${owner}`));
    }
    return found;
  }
}
