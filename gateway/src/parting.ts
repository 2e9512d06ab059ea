import type { Deadlines, Timed } from "./deadlines.ts";
import type { Link, LinkUser } from "./net/link.ts";

/**
 * The end of a connection from our side: FIN behind what was written, then what still comes is thrown away until the
 * peer has finished, too. Closing at once instead would make the kernel answer late bytes with a RST, and a peer that
 * gets one may never see our last bytes.
 */
export class Parting implements LinkUser, Timed {
  readonly due: number;
  place = 0;
  readonly #deadlines: Deadlines;
  readonly #links: Set<Link>;
  readonly #onEnd: () => void;

  constructor(
    links: readonly Link[],
    { deadlines, lingerMs, onEnd }: { deadlines: Deadlines; lingerMs: number; onEnd: () => void },
  ) {
    this.#links = new Set(links);
    this.#deadlines = deadlines;
    this.#onEnd = onEnd;
    this.due = deadlines.tick + deadlines.ticks(lingerMs);
    deadlines.add(this);
    for (const link of links) link.user = this;
    for (const link of links) {
      link.end();
      link.read();
    }
  }

  onConnect(): void {}

  onData(): void {}

  onDrain(): void {}

  onEnd(): void {}

  onClose(link: Link): void {
    this.#links.delete(link);
    if (this.#links.size === 0) this.#ended();
  }

  onDue(): void {
    for (const link of this.#links) link.destroy();
    this.#ended();
  }

  finish(): void {}

  #ended(): void {
    this.#deadlines.delete(this);
    this.#onEnd();
  }
}
