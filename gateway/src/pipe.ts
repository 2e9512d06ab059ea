import type { Deadlines, Timed } from "./deadlines.ts";
import type { Link, LinkUser } from "./net/link.ts";
import { Parting } from "./parting.ts";

/** What all pipes of a server have in common: a pipe itself is as small as can be, as thousands are idle. */
export interface PipeContext<Lease> {
  readonly deadlines: Deadlines;
  readonly traffic: Traffic;
  /** without a byte in either direction */
  readonly idleMs: number;
  /** the same, once one side has finished: TLS has no use for half a connection */
  readonly halfClosedMs: number;
  /** for the last bytes to leave when this process ends the connection */
  readonly lingerMs: number;
  /** @param lease what the pipe was made with */
  readonly onEnd: (lease: Lease, outcome: PipeOutcome) => void;
}

/** Bytes copied since the start of the process. Plain numbers: they are added to for every packet. */
export interface Traffic {
  fromClients: number;
  fromUpstreams: number;
}

/** How a connection that was served came to its end. */
export const pipeOutcomes = ["finished", "broken", "idle", "drained"] as const;
export type PipeOutcome = (typeof pipeOutcomes)[number];

/**
 * Two connections joined: what comes from one goes to the other, FIN and RST as well. A side that takes its bytes
 * slowly holds the other back.
 */
export class Pipe<Lease> implements LinkUser, Timed {
  due: number;
  place = 0;
  readonly #client: Link;
  readonly #upstream: Link;
  readonly #context: PipeContext<Lease>;
  readonly #lease: Lease;
  #openLinks = 2;
  #idleTicks: number;

  constructor(client: Link, upstream: Link, lease: Lease, context: PipeContext<Lease>) {
    const { deadlines, idleMs } = context;
    this.#client = client;
    this.#upstream = upstream;
    this.#lease = lease;
    this.#context = context;
    this.#idleTicks = deadlines.ticks(idleMs);
    this.due = deadlines.tick + this.#idleTicks;
    client.user = this;
    upstream.user = this;
    deadlines.add(this);
  }

  onConnect(): void {}

  onData(link: Link, bytes: Uint8Array): void {
    const { deadlines, traffic } = this.#context;
    this.due = deadlines.tick + this.#idleTicks;
    if (link === this.#client) traffic.fromClients += bytes.length;
    else traffic.fromUpstreams += bytes.length;
    if (!this.#other(link).write(bytes)) link.pause();
  }

  onDrain(link: Link): void {
    this.due = this.#context.deadlines.tick + this.#idleTicks;
    this.#other(link).read();
  }

  onEnd(link: Link): void {
    const { deadlines, halfClosedMs } = this.#context;
    this.#idleTicks = Math.min(this.#idleTicks, deadlines.ticks(halfClosedMs));
    this.due = deadlines.tick + this.#idleTicks;
    this.#other(link).end();
  }

  onClose(link: Link, error: string | undefined): void {
    if (error !== undefined) {
      this.#other(link).reset();
      this.#ended("broken");
      return;
    }
    this.#openLinks -= 1;
    if (this.#openLinks === 0) this.#ended("finished");
  }

  onDue(): void {
    this.#part("idle");
  }

  finish(): void {
    this.#part("drained");
  }

  /** FIN to both: clients reconnect by themselves after a FIN, not all of them after a RST. */
  #part(outcome: PipeOutcome): void {
    const { deadlines, lingerMs, onEnd } = this.#context;
    deadlines.delete(this);
    new Parting([this.#client, this.#upstream], { deadlines, lingerMs, onEnd: () => onEnd(this.#lease, outcome) });
  }

  #other(link: Link): Link {
    return link === this.#client ? this.#upstream : this.#client;
  }

  #ended(outcome: PipeOutcome): void {
    this.#context.deadlines.delete(this);
    this.#context.onEnd(this.#lease, outcome);
  }
}
