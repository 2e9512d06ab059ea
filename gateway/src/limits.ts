/** What one connection is counted under. */
export interface Lease {
  address: string | undefined;
  host: string | undefined;
}

export interface LimitSettings {
  readonly total: number;
  readonly perAddress: number;
  readonly perHost: number;
}

/** How many connections there are: in all, from one client address, to one Atsign's host. */
export class Limits {
  readonly #settings: LimitSettings;
  readonly #addresses = new Map<string, number>();
  readonly #hosts = new Map<string, number>();
  #total = 0;

  constructor(settings: LimitSettings) {
    this.#settings = settings;
  }

  get total(): number {
    return this.#total;
  }

  /** @returns undefined when there are as many as there may be */
  open(): Lease | undefined {
    if (this.#total >= this.#settings.total) return undefined;
    this.#total += 1;
    return { address: undefined, host: undefined };
  }

  /**
   * Counts a connection under its client's address, once that is known.
   * @param address as the kernel or a PROXY header gives it
   * @returns false when that address has as many as it may have
   */
  countAddress(lease: Lease, address: string): boolean {
    const key = addressKey(address);
    if (!increment(this.#addresses, key, this.#settings.perAddress)) return false;
    lease.address = key;
    return true;
  }

  countHost(lease: Lease, host: string): boolean {
    if (lease.host === host) return true;
    if (!increment(this.#hosts, host, this.#settings.perHost)) return false;
    lease.host = host;
    return true;
  }

  close(lease: Lease): void {
    this.#total -= 1;
    if (lease.address !== undefined) decrement(this.#addresses, lease.address);
    if (lease.host !== undefined) decrement(this.#hosts, lease.host);
  }
}

/**
 * What counts as one client: an IPv4 address, or the /64 network that a household or a server gets in IPv6 (a limit
 * per IPv6 address would be none).
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = address.replace(/%.*$/s, "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return `${[...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4).join(":")}::/64`;
}

function increment(counts: Map<string, number>, key: string, limit: number): boolean {
  const count = counts.get(key) ?? 0;
  if (count >= limit) return false;
  counts.set(key, count + 1);
  return true;
}

/** Entries go with their last connection: the keys come from the network. */
function decrement(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
}
