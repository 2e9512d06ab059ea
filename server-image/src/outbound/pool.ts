import { ProtocolError } from "@atrium/protocol";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import { Turns } from "../turns.ts";
import type { Dial } from "./dial.ts";
import { Dialogue, type LargeReplies } from "./dialogue.ts";

/** How a connection is used that is not like any other to the same address. */
export interface Manner {
  /** connections of one manner to one address are alike */
  readonly name: string;
  /** brings a new one to where it can be used */
  prepare(dialogue: Dialogue): Promise<void>;
}

interface LendOptions {
  /** not one that was used before */
  readonly fresh?: boolean;
  readonly manner?: Manner;
}

interface Options {
  readonly dial: Dial;
  readonly limits?: PoolLimits;
  readonly large?: LargeReplies;
}

export interface PoolLimits {
  readonly connections: number;
  /** of one manner to one address, in use at the same time: one that hangs has no more */
  readonly perAddress: number;
  /** how long to wait for one of those */
  readonly turnMs: number;
  readonly idleMs: number;
}

const poolLimits: PoolLimits = { connections: 200, perAddress: 16, turnMs: 3_000, idleMs: 599_000 };

interface Member {
  readonly dialogue: Dialogue;
  readonly address: string;
  /** while nobody uses it */
  idleTimer?: NodeJS.Timeout;
}

/** Connections to other atServers: used by one at a time, kept for the next, the one that idled longest given up first. */
export class Pool implements AsyncDisposable {
  readonly #dial: Dial;
  readonly #limits: PoolLimits;
  readonly #large: LargeReplies | undefined;
  readonly #turns = new Map<string, Turns>();
  /** in the order in which they became idle */
  readonly #idle = new Set<Member>();
  #open = 0;
  #disposed = false;

  constructor({ dial, limits = poolLimits, large }: Options) {
    this.#dial = dial;
    this.#limits = limits;
    this.#large = large;
  }

  get size(): number {
    return this.#open;
  }

  /**
   * Lends a connection to `use`, which leaves it as it found it when it succeeds.
   *
   * @throws {ProtocolError} `outbound_limit` when there are too many; what dialling and `use` throw
   */
  async lend<T>(
    to: Address,
    use: (dialogue: Dialogue) => Promise<T>,
    { fresh = false, manner }: LendOptions = {},
  ): Promise<T> {
    const address = manner === undefined ? formatAddress(to) : `${formatAddress(to)} ${manner.name}`;
    const turns = this.#turnsAt(address);
    try {
      using _place = await turns.take();
      const kept = fresh ? undefined : this.#take(address);
      const member = kept ?? (await this.#connect(to, address, manner));
      return await this.#used(member, use, kept !== undefined);
    } finally {
      if (turns.unused) this.#turns.delete(address);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const member of this.#idle) this.#drop(member);
  }

  async #used<T>(member: Member, use: (dialogue: Dialogue) => Promise<T>, reused: boolean): Promise<T> {
    try {
      return await use(member.dialogue);
    } catch (error) {
      member.dialogue.close();
      throw reused && hadEnded(error) ? new StaleConnectionError(error) : error;
    } finally {
      this.#keep(member);
    }
  }

  #turnsAt(address: string): Turns {
    let turns = this.#turns.get(address);
    if (turns === undefined) {
      const { perAddress: places, turnMs: waitMs } = this.#limits;
      const refusal = () => new ProtocolError("outbound_limit", "too many wait for the same atServer");
      turns = new Turns({ places, waitMs, refusal });
      this.#turns.set(address, turns);
    }
    return turns;
  }

  /** The one that was used last, so that those beyond what is needed grow old. */
  #take(address: string): Member | undefined {
    for (const member of [...this.#idle].reverse()) {
      if (member.address !== address) continue;
      this.#idle.delete(member);
      clearTimeout(member.idleTimer);
      if (member.dialogue.usable) return member;
    }
    return undefined;
  }

  async #connect(to: Address, address: string, manner: Manner | undefined): Promise<Member> {
    if (this.#open >= this.#limits.connections) {
      const [longestIdle] = this.#idle;
      if (longestIdle === undefined) throw new ProtocolError("outbound_limit", "no outbound connection is free");
      this.#drop(longestIdle);
    }
    const dialogue = await this.#dialled(to);
    const member = { dialogue, address };
    dialogue.onClose(() => this.#drop(member));
    try {
      await manner?.prepare(dialogue);
      return member;
    } catch (error) {
      dialogue.close();
      throw error;
    }
  }

  /** Counted from the moment that it is begun. */
  async #dialled(to: Address): Promise<Dialogue> {
    this.#open++;
    try {
      const dialogue = new Dialogue(await this.#dial(to), to.host, { large: this.#large });
      dialogue.onClose(() => this.#open--);
      return dialogue;
    } catch (error) {
      this.#open--;
      throw error;
    }
  }

  #keep(member: Member): void {
    if (this.#disposed) member.dialogue.close();
    if (!member.dialogue.usable) return;
    this.#idle.add(member);
    member.idleTimer = setTimeout(() => this.#drop(member), this.#limits.idleMs).unref();
  }

  #drop(member: Member): void {
    this.#idle.delete(member);
    clearTimeout(member.idleTimer);
    member.dialogue.close();
  }
}

function hadEnded(error: unknown): boolean {
  return error instanceof ProtocolError && error.error === "socket";
}

/** A connection that had been used before failed: its end may have come before the question. */
export class StaleConnectionError extends Error {
  override readonly name = "StaleConnectionError";

  constructor(cause: unknown) {
    super("a kept connection failed", { cause });
  }
}
