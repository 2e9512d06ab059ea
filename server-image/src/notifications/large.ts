import { setImmediate as turn } from "node:timers/promises";
import type { ByteBudget } from "../byte-budget.ts";

/** Up to here a notification takes no share. */
const smallBytes = 65_536;
const turnMs = 30_000;

export function isLarge(size: number): boolean {
  return size > smallBytes;
}

/** A share of the memory for large notifications, which are in memory one after the other. */
export class LargeShare {
  readonly #budget: ByteBudget;
  readonly #onLarge: (bytes: number) => void;

  /** @param onLarge is told when the memory of a large one is no longer needed */
  constructor(budget: ByteBudget, onLarge: (bytes: number) => void) {
    this.#budget = budget;
    this.#onLarge = onLarge;
  }

  /**
   * Waits until there is room.
   *
   * @param size in bytes
   * @returns what gives the room back; undefined when there was none for half a minute
   */
  take(size: number): Disposable | Promise<Disposable | undefined> {
    return isLarge(size) ? this.#takeLarge(Math.min(size, this.#budget.capBytes)) : nothing;
  }

  async #takeLarge(bytes: number): Promise<Disposable | undefined> {
    const lease = await this.#budget.turn(bytes, turnMs);
    if (lease === undefined) return undefined;
    // What was large before, the command that brought it among it, is collected first.
    this.#onLarge(bytes);
    await turn();
    return {
      [Symbol.dispose]: () => {
        this.#onLarge(bytes);
        // What it leaves is collected first.
        setImmediate(() => lease.release());
      },
    };
  }
}

const nothing: Disposable = { [Symbol.dispose]: () => undefined };
