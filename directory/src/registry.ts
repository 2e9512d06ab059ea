import type { Address } from "@atrium/runtime/config.ts";

/**
 * What the directory holds of one atSign.
 *
 * The claim says who may change it: the registry compares it and knows nothing else about owners. The generation is
 * the epoch of the one who wrote it: an older writer comes too late.
 */
export interface NameRecord {
  /** normalised, without `@` */
  readonly name: string;
  /** opaque */
  readonly claim: string;
  readonly generation: number;
  /** undefined: parked, which is claimed and nowhere to be found */
  readonly address: Address | undefined;
}

/**
 * What is known of a name.
 *
 * - `listed`: there it is
 * - `parked`, `absent`: nowhere, and that is certain
 * - `unsure`: nobody can say now; it must never be taken for `absent`
 */
export type Found =
  | { readonly kind: "listed"; readonly address: Address }
  | { readonly kind: "parked" | "absent" | "unsure" };

/**
 * - `claimed`: another claim holds the name
 * - `host-taken`: another name has that host
 * - `stale-generation`: a newer writer was here
 * - `absent`: nobody holds the name (handover only)
 * - `incomplete`: the name is not there, and the registry may lack it: somebody may hold it who has not written it again
 */
export type Refusal = "claimed" | "host-taken" | "stale-generation" | "absent" | "incomplete";

export type Outcome = { readonly changed: boolean } | { readonly refused: Refusal };

export interface RegistryState {
  /** of the registry's content: a new one when it was lost, wholly or in part */
  readonly id: string;
  /** false: it may lack names, because not every cell has written its own since the content was lost */
  readonly complete: boolean;
  /** of each known cell: has it written its names to the content of that id? */
  readonly cells: Readonly<Record<string, boolean>>;
}

export interface Page {
  readonly records: readonly NameRecord[];
  /** of the next page; undefined: this was the last */
  readonly next: string | undefined;
}

export type Marked = "marked" | "other-registry" | "unknown-cell";

/** Writes and state are not to be had now: there is no connection, no answer in time, or none that makes sense. */
export class RegistryAway extends Error {
  override readonly name = "RegistryAway";
}

/** Where the names are kept. Names come in normalised. */
export interface Registry extends AsyncDisposable {
  /**
   * From memory, at once.
   * @returns undefined when it is not known there, or not well enough: then {@link find} it
   */
  recall(name: string): Found | undefined;

  /** From the registry itself where possible. Never rejects: what cannot be found out is `unsure`. */
  find(name: string): Promise<Found>;

  /**
   * The whole record, never from memory.
   * @throws {RegistryAway}
   */
  read(name: string): Promise<NameRecord | undefined>;

  /**
   * Claims a name, moves or parks it. Refused while another claim holds the name or another name has the host.
   *
   * @param held the writer knows that the name was this claim's before; others wait until the registry is complete
   * @throws {RegistryAway}
   */
  put(record: NameRecord, held?: boolean): Promise<Outcome>;

  /**
   * Gives a name up. One that nobody holds is no change.
   * @throws {RegistryAway}
   */
  release(held: { name: string; claim: string; generation: number }): Promise<Outcome>;

  /**
   * Gives a name from one claim to another. It is parked then, because where it was is not the new holder's, and its
   * generation is 0, because generations of two holders come from two clocks.
   * @throws {RegistryAway}
   */
  handOver(change: { name: string; claim: string; to: string }): Promise<Outcome>;

  /**
   * A page of the records whose claims begin like this. A record that is there from the first page to the last is on one of them at least.
   *
   * @param cursor `0` for the first page, then what the page before says
   * @throws {RegistryAway}
   */
  list(claimPrefix: string, cursor: string): Promise<Page>;

  /** @throws {RegistryAway} */
  state(): Promise<RegistryState>;

  /**
   * Notes that a cell has written all its names to the content of that id.
   * @throws {RegistryAway}
   */
  markCell(cell: string, registryId: string): Promise<Marked>;

  /** has it been reached since the start? */
  readonly reached: boolean;
  /** are answers those of memory alone, because it cannot be reached? */
  readonly away: boolean;
  /** had it all names when it was last heard of? */
  readonly complete: boolean;
  /** how many names are in memory */
  readonly remembered: number;
}
