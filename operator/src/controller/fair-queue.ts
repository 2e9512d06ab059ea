/** The lower, the sooner. */
export type Priority = 0 | 1 | 2;

const priorities: readonly Priority[] = [0, 1, 2];
/** Of so many keys one is taken from the lowest priority that has any, so that each is taken at last. */
const lowestEvery = 8;

/**
 * Keys that wait, each once. A higher priority comes first, most of the time; within one, groups take turns, so that one
 * with ten thousand keys does not keep the others waiting; within a group, the first is first.
 */
export class FairQueue {
  readonly #groupOf: (key: string) => string;
  /** by priority, then by group */
  readonly #waiting: readonly Map<string, Set<string>>[] = priorities.map(() => new Map());
  readonly #sizes = [0, 0, 0];
  #taken = 0;

  constructor(groupOf: (key: string) => string) {
    this.#groupOf = groupOf;
  }

  /** of one priority */
  size(priority: Priority): number {
    return this.#sizes[priority] ?? 0;
  }

  /** The key does not wait yet. */
  add(key: string, priority: Priority): void {
    const groups = this.#groups(priority);
    const group = this.#groupOf(key);
    const keys = groups.get(group) ?? new Set();
    groups.set(group, keys.add(key));
    this.#sizes[priority] = this.size(priority) + 1;
  }

  delete(key: string, priority: Priority): void {
    const groups = this.#groups(priority);
    const group = this.#groupOf(key);
    const keys = groups.get(group);
    if (keys?.delete(key) !== true) return;
    if (keys.size === 0) groups.delete(group);
    this.#sizes[priority] = this.size(priority) - 1;
  }

  /** @returns the next one, which does not wait any more; undefined when none does */
  take(): string | undefined {
    const used = priorities.filter((priority) => this.size(priority) > 0);
    const priority = this.#taken % lowestEvery === lowestEvery - 1 ? used.at(-1) : used[0];
    if (priority === undefined) return undefined;
    const groups = this.#groups(priority);
    const [[group, keys] = []] = groups;
    const [key] = keys ?? [];
    if (group === undefined || keys === undefined || key === undefined) return undefined;
    this.#taken++;
    this.delete(key, priority);
    // Behind the others, until it is its turn again.
    if (groups.delete(group)) groups.set(group, keys);
    return key;
  }

  clear(): void {
    for (const groups of this.#waiting) groups.clear();
    this.#sizes.fill(0);
  }

  #groups(priority: Priority): Map<string, Set<string>> {
    return this.#waiting[priority] ?? new Map();
  }
}
