/**
 * How many bytes of large commands or replies may be in memory at once, over all connections. Who asks for more than is
 * left waits for its turn; turns come in the order of asking, so that nobody waits for ever.
 */
export class ByteBudget {
  readonly capBytes: number;
  #takenBytes = 0;
  readonly #waiting = new Set<Lease>();

  constructor(capBytes: number) {
    this.capBytes = capBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /**
   * @param bytes at most the cap
   * @param onGranted is called when its turn comes, unless that is at once
   * @returns what was taken, `granted` or not
   */
  take(bytes: number, onGranted: () => void): Lease {
    const lease = new Lease(bytes, onGranted, (change) => this.#changed(lease, change));
    if (this.#waiting.size === 0 && this.#fits(bytes)) this.#grant(lease);
    else this.#waiting.add(lease);
    return lease;
  }

  /** @returns undefined when there is no room now */
  tryTake(bytes: number): Lease | undefined {
    if (this.#waiting.size > 0 || !this.#fits(bytes)) return undefined;
    return this.take(bytes, () => undefined);
  }

  /** @returns undefined when its turn did not come in time */
  turn(bytes: number, deadlineMs: number): Promise<Lease | undefined> {
    return new Promise((resolve) => {
      const lease = this.take(bytes, () => {
        clearTimeout(timer);
        resolve(lease);
      });
      const timer = setTimeout(() => {
        lease.release();
        resolve(undefined);
      }, deadlineMs).unref();
      if (lease.granted) lease.onGranted();
    });
  }

  #fits(bytes: number): boolean {
    return this.#takenBytes + bytes <= this.capBytes;
  }

  #grant(lease: Lease): void {
    this.#takenBytes += lease.bytes;
    lease.granted = true;
  }

  #changed(lease: Lease, change: number): void {
    if (this.#waiting.delete(lease)) return;
    this.#takenBytes += change;
    for (const next of this.#waiting) {
      if (!this.#fits(next.bytes)) return;
      this.#waiting.delete(next);
      this.#grant(next);
      queueMicrotask(next.onGranted);
    }
  }
}

/** A part of a budget. To be released in every case, also when its turn never came. */
export class Lease {
  granted = false;
  readonly onGranted: () => void;
  readonly #changed: (change: number) => void;
  #bytes: number;

  constructor(bytes: number, onGranted: () => void, changed: (change: number) => void) {
    this.#bytes = bytes;
    this.onGranted = onGranted;
    this.#changed = changed;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Gives back what is beyond `bytes`. */
  shrink(bytes: number): void {
    const change = Math.min(bytes, this.#bytes) - this.#bytes;
    if (change === 0) return;
    this.#bytes += change;
    this.#changed(change);
  }

  release(): void {
    this.shrink(0);
  }
}
