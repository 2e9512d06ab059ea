import { ProtocolError } from "@atrium/protocol";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import type { Dial } from "./dial.ts";
import { Dialogue } from "./dialogue.ts";

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

export interface PoolLimits {
  readonly connections: number;
  /** to one address, in use at the same time */
  readonly perAddress: number;
  readonly idleMs: number;
}

const poolLimits: PoolLimits = { connections: 200, perAddress: 16, idleMs: 599_000 };

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
  readonly #inUse = new Map<string, number>();
  /** in the order in which they became idle */
  readonly #idle = new Set<Member>();
  #open = 0;

  constructor(dial: Dial, limits = poolLimits) {
    this.#dial = dial;
    this.#limits = limits;
  }

  get size(): number {
    return this.#open;
  }

  /**
   * Lends a connection to `use`.
   *
   * @throws {ProtocolError} `outbound_limit` when there are too many; what dialling and `use` throw
   */
  async lend<T>(
    to: Address,
    use: (dialogue: Dialogue) => Promise<T>,
    { fresh = false, manner }: LendOptions = {},
  ): Promise<{ result: T; reused: boolean }> {
    const address = manner === undefined ? formatAddress(to) : `${formatAddress(to)} ${manner.name}`;
    const inUse = this.#inUse.get(address) ?? 0;
    if (inUse >= this.#limits.perAddress)
      throw new ProtocolError("outbound_limit", `too many connections to ${address}`);
    this.#inUse.set(address, inUse + 1);
    try {
      const kept = fresh ? undefined : this.#take(address);
      const member = kept ?? (await this.#connect(to, address, manner));
      const reused = kept !== undefined;
      try {
        return { result: await use(member.dialogue), reused };
      } catch (error) {
        member.dialogue.close();
        throw reused && hadEnded(error) ? new StaleConnectionError(error) : error;
      } finally {
        this.#keep(member);
      }
    } finally {
      this.#returned(address);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#idle) this.#drop(member);
  }

  #take(address: string): Member | undefined {
    for (const member of this.#idle) {
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
      const dialogue = new Dialogue(await this.#dial(to), to.host);
      dialogue.onClose(() => this.#open--);
      return dialogue;
    } catch (error) {
      this.#open--;
      throw error;
    }
  }

  #keep(member: Member): void {
    if (!member.dialogue.usable) return;
    this.#idle.add(member);
    member.idleTimer = setTimeout(() => this.#drop(member), this.#limits.idleMs).unref();
  }

  #drop(member: Member): void {
    this.#idle.delete(member);
    clearTimeout(member.idleTimer);
    member.dialogue.close();
  }

  #returned(address: string): void {
    const inUse = (this.#inUse.get(address) ?? 1) - 1;
    if (inUse === 0) this.#inUse.delete(address);
    else this.#inUse.set(address, inUse);
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
