export interface ConnectionLimitSettings {
  readonly total: number;
  readonly perAddress: number;
}

/** How many connections there are, in all and from each client address. */
export class ConnectionLimits {
  readonly #settings: ConnectionLimitSettings;
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(settings: ConnectionLimitSettings) {
    this.#settings = settings;
  }

  /**
   * Counts one more.
   * @returns the limit that it would exceed; then it is not counted
   */
  open(address: string): "total" | "address" | undefined {
    const count = this.#perAddress.get(address) ?? 0;
    if (this.#total >= this.#settings.total) return "total";
    if (count >= this.#settings.perAddress) return "address";
    this.#total += 1;
    this.#perAddress.set(address, count + 1);
    return undefined;
  }

  close(address: string): void {
    const count = this.#perAddress.get(address) ?? 0;
    this.#total -= 1;
    if (count > 1) this.#perAddress.set(address, count - 1);
    else this.#perAddress.delete(address);
  }
}
