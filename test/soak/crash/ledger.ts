/** What was found in the store after a restart. */
export interface Found {
  readonly values: ReadonlyMap<string, string>;
  /** of the live entry of each key, where that can be read */
  readonly commitIds: ReadonlyMap<string, number>;
  readonly lastCommitId: number;
}

/** A write that was sent. Its value is undefined when it deletes. */
export interface Write {
  readonly key: string;
  readonly value: string | undefined;
  /** an id that was known to be in use when it was sent */
  readonly sentAfter: number;
}

interface Known {
  readonly value: string | undefined;
  /** undefined when the write was found after a restart without having been acknowledged */
  readonly commitId: number | undefined;
}

/**
 * What a store promised, to compare it with what it kept. At most one write per key may be under way.
 *
 * Every violation is a line in `faults`.
 */
export class Ledger {
  readonly faults: string[] = [];
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Write>();
  readonly #ids = new Map<number, string>();
  #highestId = -1;
  #acknowledged = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** What a key has, as far as is known; undefined when it has nothing. */
  value(key: string): string | undefined {
    return this.#known.get(key)?.value;
  }

  sent(key: string, value: string | undefined): Write {
    const write = { key, value, sentAfter: this.#highestId };
    this.#underWay.set(key, write);
    return write;
  }

  acknowledge(write: Write, commitId: number): void {
    const { key, value, sentAfter } = write;
    this.#acknowledged++;
    this.#underWay.delete(key);
    this.#known.set(key, { value, commitId });
    const user = this.#ids.get(commitId);
    if (user !== undefined) this.faults.push(`id ${commitId} for ${key} was used before, for ${user}`);
    if (commitId <= sentAfter)
      this.faults.push(`id ${commitId} for ${key} is not above ${sentAfter}, given out before`);
    this.#ids.set(commitId, key);
    this.#highestId = Math.max(this.#highestId, commitId);
  }

  /** Compares with what a restart found, which is the truth from then on. Writes under way may have happened or not. */
  compare(found: Found): void {
    if (found.lastCommitId < this.#highestId) {
      this.faults.push(`the last id went back from ${this.#highestId} to ${found.lastCommitId}`);
    }
    for (const key of new Set([...this.#known.keys(), ...this.#underWay.keys(), ...found.values.keys()])) {
      this.#compareKey(key, found);
    }
    this.#underWay.clear();
    this.#highestId = Math.max(this.#highestId, found.lastCommitId);
  }

  #compareKey(key: string, { values, commitIds }: Found): void {
    const value = values.get(key);
    const known = this.#known.get(key);
    const attempt = this.#underWay.get(key);
    const commitId = commitIds.get(key);
    if (value === known?.value && (commitId === undefined || commitId === known?.commitId)) return;
    if (attempt !== undefined && value === attempt.value) {
      if (commitId !== undefined && commitId <= (known?.commitId ?? -1)) {
        this.faults.push(`${key} has id ${commitId} after ${known?.commitId}`);
      }
    } else if (value !== known?.value) {
      this.faults.push(`${key} is ${show(value)}, acknowledged ${show(known?.value)}, sent ${show(attempt?.value)}`);
    } else if (known?.commitId !== undefined) {
      this.faults.push(`${key} has id ${commitId}, acknowledged was ${known.commitId}`);
    }
    this.#known.set(key, { value, commitId });
  }
}

function show(value: string | undefined): string {
  return value === undefined ? "absent" : `"${value.slice(0, 40)}"`;
}
