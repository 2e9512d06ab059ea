import { RecentMap } from "../../recent-map.ts";
import type { Found, NameRecord } from "../../registry.ts";
import type { Change } from "./change.ts";

/** What was known of a name, and when. */
interface Memory {
  readonly found: Found;
  /** undefined: nobody held it */
  readonly record: NameRecord | undefined;
  /** nothing that happened up to this change makes it wrong */
  readonly revision: number;
  /** id of the registry that it is from */
  readonly era: string;
}

const absent: Found = { kind: "absent" };
const parked: Found = { kind: "parked" };

/**
 * What this process has been asked for and has found out, bounded, and kept up to date by the changes.
 *
 * It is of one era, that of the registry's present id. When the registry has lost content, addresses of the era before
 * are kept beside: they are newer than what a dump brought back, until all cells have written their names again.
 */
export class Remembered {
  /** Apart, so that asking for names that do not exist pushes none out that do. */
  readonly #listed: RecentMap<Memory>;
  readonly #unlisted: RecentMap<Memory>;
  #era = "";

  /** @param maxNames that have an address; half as many more that have none */
  constructor(maxNames: number) {
    this.#listed = new RecentMap(maxNames);
    this.#unlisted = new RecentMap(maxNames / 2);
  }

  get size(): number {
    return this.#listed.size + this.#unlisted.size;
  }

  /** What is known from the present era. */
  recall(name: string): Found | undefined {
    const memory = this.#recall(name);
    return memory?.era === this.#era ? memory.found : undefined;
  }

  /** Where it was last seen, in whatever era: it may have moved since. */
  recallAddress(name: string): Found | undefined {
    return this.#listed.get(name)?.found;
  }

  /**
   * The generation that the same claim had reached in an era whose content is lost; 0 when that is not known.
   */
  lostGeneration(name: string, claim: string): number {
    const memory = this.#listed.get(name);
    return memory?.era !== this.#era && memory?.record?.claim === claim ? memory.record.generation : 0;
  }

  /**
   * What holds, now that the registry says this: it, or what is known to be newer.
   *
   * @param record undefined: nobody holds the name
   * @param revision the newest change that this takes into account
   * @param keep false when changes after that one have been handed out already: then it may be outdated by one of them
   */
  learn(name: string, record: NameRecord | undefined, revision: number, { keep }: { keep: boolean }): Found {
    const known = this.#recall(name);
    if (known?.era === this.#era && known.revision > revision) return known.found;
    if (known !== undefined && record !== undefined && record.generation < this.lostGeneration(name, record.claim)) {
      return known.found;
    }
    const found = foundOf(record);
    if (!keep) return found;
    const [into, outOf] = found.kind === "listed" ? [this.#listed, this.#unlisted] : [this.#unlisted, this.#listed];
    outOf.delete(name);
    into.set(name, { found, record, revision, era: this.#era });
    return found;
  }

  /** A change of a name that nobody has asked for is of no interest. */
  apply({ name, record, number }: Pick<Change, "name" | "record" | "number">): void {
    if (this.#recall(name) !== undefined) this.learn(name, record, number, { keep: true });
  }

  /** From now on the registry has another id. What had an address is kept beside, unless it has all names again. */
  beginEra(era: string, { complete }: { complete: boolean }): void {
    this.#era = era;
    this.#unlisted.clear();
    if (complete) this.endEarlierEras();
  }

  /** The registry has all names again: what is remembered from before can only be older. */
  endEarlierEras(): void {
    this.#listed.filter(({ era }) => era === this.#era);
  }

  /** Changes were missed: everything may be wrong. */
  clear(): void {
    this.#listed.clear();
    this.#unlisted.clear();
  }

  #recall(name: string): Memory | undefined {
    return this.#listed.get(name) ?? this.#unlisted.get(name);
  }
}

function foundOf(record: NameRecord | undefined): Found {
  if (record === undefined) return absent;
  return record.address === undefined ? parked : { kind: "listed", address: record.address };
}
