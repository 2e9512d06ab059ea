/**
 * How many bytes of large commands may be in memory at once, over all connections.
 *
 * How long a command gets is not known before all of it is there, so more is asked for again and again while it arrives.
 * The one that began first may always become as long as commands may be: room for that is never given to others. So those
 * who hold something never wait for each other, a small command does not wait behind a large one that comes slowly, and
 * everybody's turn comes.
 */
export class LineBudget {
  readonly capBytes: number;
  readonly #maxLineBytes: number;
  readonly #onOpen: () => void;
  /** of commands that are arriving, in the order in which they began */
  readonly #growing = new Set<LineLease>();
  #takenBytes = 0;

  /**
   * @param capBytes at least `maxLineBytes`, which is the longest that a command may be
   * @param onOpen is told of each command that will take some
   */
  constructor(capBytes: number, maxLineBytes: number, onOpen: () => void = () => undefined) {
    this.capBytes = capBytes;
    this.#maxLineBytes = maxLineBytes;
    this.#onOpen = onOpen;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** @param onGranted is called whenever the lease got what it had to wait for */
  open(onGranted: () => void): LineLease {
    this.#onOpen();
    const lease = new LineLease(onGranted, {
      wants: () => this.#grantWhatFits(),
      has: (change) => {
        this.#takenBytes += change;
        if (lease.whole) this.#growing.delete(lease);
        this.#grantWhatFits();
      },
    });
    this.#growing.add(lease);
    return lease;
  }

  /** The oldest first; who does not fit is passed by who does. */
  #grantWhatFits(): void {
    const [oldest, ...others] = this.#growing;
    if (oldest === undefined) return;
    this.#grant(oldest, this.capBytes);
    let besideBytes = others.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const lease of others) besideBytes += this.#grant(lease, this.capBytes - this.#maxLineBytes - besideBytes);
  }

  /** @param atMostBytes for it to get more @returns how many it got */
  #grant(lease: LineLease, atMostBytes: number): number {
    const missingBytes = lease.wantedBytes - lease.bytes;
    if (missingBytes === 0 || missingBytes > Math.min(atMostBytes, this.capBytes - this.#takenBytes)) return 0;
    this.#takenBytes += missingBytes;
    lease.grant();
    return missingBytes;
  }
}

/** What one command may take of a budget. To be released in every case. */
export class LineLease {
  readonly #onGranted: () => void;
  readonly #budget: { readonly wants: () => void; readonly has: (change: number) => void };
  #bytes = 0;
  #wantedBytes = 0;
  #whole = false;
  #waited = false;

  constructor(onGranted: () => void, budget: { wants: () => void; has: (change: number) => void }) {
    this.#onGranted = onGranted;
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get wantedBytes(): number {
    return this.#wantedBytes;
  }

  /** Whether it has not got yet what it asked for. */
  get waiting(): boolean {
    return this.#wantedBytes > this.#bytes;
  }

  /** Whether it asks for no more. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Asks for so many bytes in all, at most as many as the longest command has. */
  want(bytes: number): void {
    if (this.#whole || bytes <= this.#wantedBytes) return;
    this.#wantedBytes = bytes;
    this.#budget.wants();
    this.#waited = this.waiting;
  }

  /** For the budget, which has room for what this one wants. */
  grant(): void {
    this.#bytes = this.#wantedBytes;
    if (this.#waited) queueMicrotask(() => this.#granted());
    this.#waited = false;
  }

  #granted(): void {
    if (!this.#whole) this.#onGranted();
  }

  /** The command is there: what is beyond `bytes` is given back, and no more is needed. */
  end(bytes: number): void {
    const change = Math.min(bytes, this.#bytes) - this.#bytes;
    this.#whole = true;
    this.#bytes += change;
    this.#wantedBytes = this.#bytes;
    this.#budget.has(change);
  }

  release(): void {
    this.end(0);
  }
}
