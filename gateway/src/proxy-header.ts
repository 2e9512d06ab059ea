/** What a load balancer says of the connection that it passes on, or that there is not enough yet to know. */
export type ProxyHeader =
  | { readonly kind: "incomplete" }
  | { readonly kind: "malformed" }
  /** @property rest what follows the header */
  | { readonly kind: "proxied"; readonly address: string; readonly rest: Buffer }
  /** the load balancer speaks for itself, to see whether we are there; or for a client without an IP address */
  | { readonly kind: "local"; readonly rest: Buffer };

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const fixedBytes = 16;
/** Addresses take 36 bytes; the rest are fields that are not used here. */
const maxHeaderBytes = 4_096;

const malformed: ProxyHeader = { kind: "malformed" };
const incomplete: ProxyHeader = { kind: "incomplete" };

/**
 * Reads a header of the PROXY protocol, version 2, as it arrives.
 *
 * @see https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, section 2.2
 */
export class ProxyHeaderReader {
  #bytes: Buffer = Buffer.alloc(0);

  /**
   * @param chunk is copied
   * @returns "incomplete" until the answer is final
   */
  push(chunk: Uint8Array): ProxyHeader {
    // At most some kilobytes are gathered before an answer is due, so that even bytes one by one cost little.
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const head = this.#bytes.subarray(0, signature.length);
    if (!head.equals(signature.subarray(0, head.length))) return malformed;
    if (this.#bytes.length < fixedBytes) return incomplete;
    const end = fixedBytes + this.#bytes.readUInt16BE(14);
    if (end > maxHeaderBytes) return malformed;
    if (this.#bytes.length < end) return incomplete;
    return readHeader(this.#bytes.subarray(0, end), this.#bytes.subarray(end));
  }
}

function readHeader(header: Buffer, rest: Buffer): ProxyHeader {
  const [version, command] = [header.readUInt8(12) >> 4, header.readUInt8(12) & 0xf];
  const [family, transport] = [header.readUInt8(13) >> 4, header.readUInt8(13) & 0xf];
  if (version !== 2 || command > 1) return malformed;
  if (command === 0) return { kind: "local", rest };
  const addresses = header.subarray(fixedBytes);
  if (transport !== 1) return transport === 0 && family === 0 ? { kind: "local", rest } : malformed;
  if (family === 1 && addresses.length >= 12) return { kind: "proxied", address: formatIPv4(addresses), rest };
  if (family === 2 && addresses.length >= 36) return { kind: "proxied", address: formatIPv6(addresses), rest };
  return malformed;
}

function formatIPv4(addresses: Buffer): string {
  return [...addresses.subarray(0, 4)].join(".");
}

function formatIPv6(addresses: Buffer): string {
  return Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(2 * index).toString(16)).join(":");
}
