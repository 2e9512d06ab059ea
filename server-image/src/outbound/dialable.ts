import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** Networks that may be dialled although their addresses are private. */
export type Networks = Pick<BlockList, "check">;

/** IPv4 that is not the Internet's. @see IANA's registry of special-purpose addresses, RFC 6890 */
const special4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;

/** Of IPv6, only 2000::/3 is given out; this is what is special in it. */
const special6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const;

const refused = listOf([...special4, ...special6]);
const given6 = listOf([["2000::", 3]]);
/** The last 32 bits are an IPv4 address: as such, and behind a translator (RFC 6052). */
const embedding6 = listOf([
  ["::ffff:0:0", 96],
  ["64:ff9b::", 96],
]);

/**
 * Whether an atServer may connect to an address because a directory said so: to the Internet and to what is allowed, not to
 * its own machine, node, cluster or any other network that trusts who is in it.
 *
 * @param allowed the exceptions
 */
export function isDialable(address: string, allowed: Networks): boolean {
  const version = isIP(address);
  // An address with a zone is a link's own.
  if (version === 0 || address.includes("%")) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  if (allowed.check(address, family)) return true;
  if (version === 4) return !refused.check(address, family);
  if (embedding6.check(address, family)) return isDialable(embedded4(address), allowed);
  return given6.check(address, family) && !refused.check(address, family);
}

/** An address that was found is not dialled. */
export class RefusedAddressError extends Error {
  override readonly name = "RefusedAddressError";

  constructor() {
    super("its address is not a public one");
  }
}

/**
 * Looks up names for `net.connect`, which dials the very addresses that it is given: what a name says to somebody who asks
 * a second time makes no difference.
 */
export function dialableLookup(allowed: Networks): LookupFunction {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, "");
        return;
      }
      const dialable = found.filter(({ address }) => isDialable(address, allowed));
      const [first] = dialable;
      if (first === undefined) callback(new RefusedAddressError(), "");
      else if (options.all === true) callback(null, dialable);
      else callback(null, first.address, first.family);
    });
  };
}

/**
 * @param text networks as ADDRESS/PREFIX, and single addresses, separated by commas
 * @throws {Error} whose message completes the name of a setting
 */
export function parseNetworks(text: string): Networks {
  const networks = text.split(",").map((each): [string, number] => {
    const [, address = "", prefix] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(each.trim()) ?? [];
    const bits = isIP(address) === 4 ? 32 : 128;
    const length = Number(prefix ?? bits);
    if (isIP(address) === 0 || length > bits) throw new Error("must be ADDRESS/PREFIX,…");
    return [address, length];
  });
  return listOf(networks);
}

export const noNetworks: Networks = { check: () => false };

function listOf(networks: readonly (readonly [address: string, prefix: number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, isIP(address) === 4 ? "ipv4" : "ipv6");
  return list;
}

/** The last 32 bits of an IPv6 address, in IPv4's notation. */
function embedded4(address: string): string {
  // The URL parser's form is canonical: no dots, groups in hexadecimal.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(":");
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || "0", 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
