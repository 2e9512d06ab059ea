import { randomUUID } from "node:crypto";
import type { Found, Marked, NameRecord, Outcome, Page, Registry, RegistryState } from "../registry.ts";

const pageSize = 100;
const absent: Found = { kind: "absent" };
const parked: Found = { kind: "parked" };
const unsure: Found = { kind: "unsure" };

/**
 * A registry that lasts as long as its process: it begins incomplete, under a new id, and is filled by its cells.
 *
 * @param cells the cells that must have written their names before it is complete
 */
export function memoryRegistry({ cells }: { cells: readonly string[] }): Registry {
  return new MemoryRegistry(cells);
}

class MemoryRegistry implements Registry {
  readonly reached = true;
  readonly away = false;
  readonly #id = randomUUID();
  readonly #records = new Map<string, NameRecord>();
  /** the same as lookups want it */
  readonly #found = new Map<string, Found>();
  /** which name has a host */
  readonly #hosts = new Map<string, string>();
  readonly #marks: Map<string, boolean>;
  complete = false;

  constructor(cells: readonly string[]) {
    this.#marks = new Map(cells.map((cell) => [cell, false]));
  }

  get remembered(): number {
    return this.#records.size;
  }

  recall(name: string): Found {
    return this.#found.get(name) ?? (this.complete ? absent : unsure);
  }

  async find(name: string): Promise<Found> {
    return this.recall(name);
  }

  async read(name: string): Promise<NameRecord | undefined> {
    return this.#records.get(name);
  }

  async put(record: NameRecord, isHeld = false): Promise<Outcome> {
    const { name, claim, generation, address } = record;
    const held = this.#records.get(name);
    if (held === undefined && !this.complete && !isHeld) return { refused: "incomplete" };
    if (held !== undefined && held.claim !== claim) return { refused: "claimed" };
    if (held !== undefined && held.generation > generation) return { refused: "stale-generation" };
    if (address !== undefined && (this.#hosts.get(address.host) ?? name) !== name) return { refused: "host-taken" };
    if (held !== undefined && same(held, record)) return { changed: false };
    this.#write(held, record);
    return { changed: true };
  }

  async release({ name, claim, generation }: { name: string; claim: string; generation: number }): Promise<Outcome> {
    const held = this.#records.get(name);
    if (held === undefined) return { changed: false };
    if (held.claim !== claim) return { refused: "claimed" };
    if (held.generation > generation) return { refused: "stale-generation" };
    this.#erase(held);
    return { changed: true };
  }

  async handOver({ name, claim, to }: { name: string; claim: string; to: string }): Promise<Outcome> {
    const held = this.#records.get(name);
    if (held === undefined) return { refused: "absent" };
    if (held.claim === to) return { changed: false };
    if (held.claim !== claim) return { refused: "claimed" };
    this.#write(held, { name, claim: to, generation: 0, address: undefined });
    return { changed: true };
  }

  async list(claimPrefix: string, cursor: string): Promise<Page> {
    const from = Number(cursor);
    const page = [...this.#records.values()].slice(from, from + pageSize);
    return {
      records: page.filter(({ claim }) => claim.startsWith(claimPrefix)),
      next: page.length < pageSize ? undefined : String(from + pageSize),
    };
  }

  async state(): Promise<RegistryState> {
    return { id: this.#id, complete: this.complete, cells: Object.fromEntries(this.#marks) };
  }

  async markCell(cell: string, registryId: string): Promise<Marked> {
    if (!this.#marks.has(cell)) return "unknown-cell";
    if (registryId !== this.#id) return "other-registry";
    this.#marks.set(cell, true);
    this.complete = [...this.#marks.values()].every(Boolean);
    return "marked";
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #write(before: NameRecord | undefined, record: NameRecord): void {
    this.#erase(before);
    const { name, address } = record;
    this.#records.set(name, record);
    this.#found.set(name, address === undefined ? parked : { kind: "listed", address });
    if (address !== undefined) this.#hosts.set(address.host, name);
  }

  #erase(record: NameRecord | undefined): void {
    if (record === undefined) return;
    this.#records.delete(record.name);
    this.#found.delete(record.name);
    if (record.address !== undefined) this.#hosts.delete(record.address.host);
  }
}

function same(a: NameRecord, b: NameRecord): boolean {
  return (
    a.claim === b.claim &&
    a.generation === b.generation &&
    a.address?.host === b.address?.host &&
    a.address?.port === b.address?.port
  );
}
