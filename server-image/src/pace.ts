import { setImmediate as turn } from "node:timers/promises";
import { ProtocolError } from "@atrium/protocol";
import type { Connection } from "./connection.ts";

/** How long others may have to wait for one step of something long. */
const sliceMs = 2;
const callsPerLook = 8;
/** How often, in slices, it is told that something takes long. */
const slicesPerLook = 25;
/** No client waits longer for a first byte. */
const deadlineMs = 90_000;

/**
 * Lets other connections in while something long is done for one of them: what a name costs depends on the client's
 * expression, so steps are measured in time.
 */
export class Pace {
  readonly #for: Connection | undefined;
  readonly #beganMs = performance.now();
  #calls = 0;
  #slices = 0;
  #sliceEndsMs = this.#beganMs + sliceMs;

  /** @param connection whose client alone has a use for it; undefined for what is done to its end in any case */
  constructor(connection?: Connection) {
    this.#for = connection;
  }

  get elapsedMs(): number {
    return performance.now() - this.#beganMs;
  }

  /**
   * To be called for each name, or whatever else is done many times.
   *
   * @returns undefined while there is time left; else what to wait for, which rejects with a {@link ProtocolError} when
   *   the client has gone or waited for too long
   */
  next(): Promise<void> | undefined {
    // To look at the clock takes as long as to look at most names.
    if (++this.#calls % callsPerLook !== 0) return undefined;
    return performance.now() < this.#sliceEndsMs ? undefined : this.#pause();
  }

  async #pause(): Promise<void> {
    await turn();
    if (this.#for !== undefined) {
      this.#assertOfUse(this.#for);
      if (++this.#slices % slicesPerLook === 0) this.#for.channel.working();
    }
    this.#sliceEndsMs = performance.now() + sliceMs;
  }

  #assertOfUse({ channel }: Connection): void {
    if (!channel.open) throw new ProtocolError("timeout", "the client has gone");
    if (this.elapsedMs > deadlineMs) throw new ProtocolError("timeout", "looking through all names takes too long");
  }
}
