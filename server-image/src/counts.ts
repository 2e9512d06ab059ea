/** What is counted as it happens; the metrics read it when they are asked for. */
export class Counts {
  accepted = 0;
  refused = 0;
  handshakesFailed = 0;
  idleClosed = 0;
  succeeded = 0;
  httpRequests = 0;
  readonly failures = new Map<string, number>();

  /** Grows with everything that happens. */
  get activity(): number {
    let sum = this.accepted + this.refused + this.handshakesFailed + this.succeeded + this.httpRequests;
    for (const count of this.failures.values()) sum += count;
    return sum;
  }

  /** @param code one of the protocol's table */
  failed(code: string): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }
}
