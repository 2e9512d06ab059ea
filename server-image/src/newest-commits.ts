import type { Pace } from "./pace.ts";
import type { Store } from "./store/store.ts";

/** A client polls with one selection; each has few clients. */
const maxKept = 64;
const pageSize = 500;

/** Some of the keys. */
export interface Selection {
  /** the same for all that have the same keys */
  readonly name: string;
  readonly has: (key: string) => boolean;
}

/** What is known of a selection. */
interface Known {
  /** up to this id the log was looked through */
  readonly lookedUpTo: number;
  /** the highest id of a key in it, -1 when there is none */
  readonly newest: number;
}

/**
 * The newest commits of some keys. All clients that see a part of the keys ask for them again and again: what was looked
 * through for one question is not looked through for the next.
 */
export class NewestCommits {
  readonly #store: Pick<Store, "changes" | "changesBefore" | "lastCommitId">;
  /** the one that was asked for last is the last one */
  readonly #known = new Map<string, Known>();

  constructor(store: Pick<Store, "changes" | "changesBefore" | "lastCommitId">) {
    this.#store = store;
  }

  /**
   * @returns the highest id in the commit log of a key in `selection`; -1 when there is none
   * @throws what `pace` rejects with
   */
  async of(selection: Selection, pace: Pace): Promise<number> {
    let known = this.#known.get(selection.name) ?? { lookedUpTo: -1, newest: -1 };
    for (;;) {
      // What was found may go up in the log, or go, while the rest is looked through.
      if (known.lookedUpTo < this.#store.lastCommitId) known = await this.#lookFurther(known, selection, pace);
      else if (known.newest < 0 || this.#isLive(known.newest)) break;
      else known = { ...known, newest: await this.#search(known.newest, -1, selection, pace) };
    }
    this.#keep(selection.name, known);
    return known.newest;
  }

  async #lookFurther({ lookedUpTo, newest }: Known, selection: Selection, pace: Pace): Promise<Known> {
    const { lastCommitId } = this.#store;
    const found = await this.#search(lastCommitId + 1, lookedUpTo, selection, pace);
    return { lookedUpTo: lastCommitId, newest: Math.max(found, newest) };
  }

  /** The highest id of a key of the selection that is below `before` and above `after`; -1 when there is none. */
  async #search(before: number, after: number, selection: Selection, pace: Pace): Promise<number> {
    for (let end = before; end > after + 1; ) {
      const page = this.#store.changesBefore({ before: end, limit: pageSize });
      for (const { key, commitId } of page) {
        if (commitId <= after) return -1;
        if (selection.has(key)) return commitId;
        end = commitId;
        const pause = pace.next();
        if (pause !== undefined) await pause;
      }
      if (page.length < pageSize) break;
    }
    return -1;
  }

  /** Records that go without a word take their entry with them. */
  #isLive(commitId: number): boolean {
    return this.#store.changes({ after: commitId - 1, limit: 1 })[0]?.commitId === commitId;
  }

  #keep(name: string, known: Known): void {
    this.#known.delete(name);
    this.#known.set(name, known);
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size > maxKept) this.#known.delete(oldest);
  }
}
