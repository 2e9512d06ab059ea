/** What the first bytes of a connection are known to be so far. */
export type Hello =
  | { readonly kind: "incomplete" }
  /** a whole ClientHello; the name is in lower case, without trailing dot */
  | { readonly kind: "named"; readonly serverName: string }
  | { readonly kind: "nameless" }
  /** the first byte is not that of a TLS record: plain HTTP, SSH, a port scanner */
  | { readonly kind: "not-tls" }
  | { readonly kind: "malformed" }
  | { readonly kind: "oversize" };

/** Up to its end a ClientHello may take this many bytes, record headers included. Real ones have 200 to 2,500. */
export const maxHelloBytes = 16_384;

const incomplete: Hello = { kind: "incomplete" };
const malformed: Hello = { kind: "malformed" };
const oversize: Hello = { kind: "oversize" };
const notTls: Hello = { kind: "not-tls" };

const recordHeaderBytes = 5;
const messageHeaderBytes = 4;
const handshakeRecord = 22;
const clientHelloMessage = 1;
const serverNameExtension = 0;
const hostNameType = 0;

/**
 * Reads the ClientHello of a TLS connection as it arrives, in chunks of any size, and keeps every byte, so that they
 * can go on unchanged. The message may be spread over several records.
 *
 * Takes time linear in the bytes, and does not throw.
 *
 * @see RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3
 */
export class HelloReader {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  /** where the first record that is not yet in `#message` begins */
  #recordAt = 0;
  /** the handshake bytes of the complete records so far */
  #message: Buffer = Buffer.alloc(0);

  /** Everything that was pushed. A view: of use until the next push. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * @param chunk is copied
   * @returns "incomplete" until the answer is final
   */
  push(chunk: Uint8Array): Hello {
    this.#append(chunk);
    for (;;) {
      const record = this.#nextRecord();
      if (record.kind !== "whole") return this.#bounded(record.result);
      // Nearly always the message is in one record, which is then not copied once more.
      this.#message = this.#message.length === 0 ? record.payload : Buffer.concat([this.#message, record.payload]);
      const result = readMessage(this.#message);
      if (result.kind !== "incomplete") return result;
    }
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      // The first chunk is nearly always the whole hello; after it, doubling keeps the copying linear.
      const grown = Buffer.allocUnsafe(this.#length === 0 ? needed : Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  #nextRecord(): { kind: "whole"; payload: Buffer } | { kind: "partial"; result: Hello } {
    // What lies behind the limit is not looked at: the answer must not depend on how the bytes were cut.
    const rest = this.#bytes.subarray(this.#recordAt, Math.min(this.#length, maxHelloBytes));
    const fault = recordFault(rest, this.#recordAt === 0);
    if (fault !== undefined) return { kind: "partial", result: fault };
    if (rest.length < recordHeaderBytes) return { kind: "partial", result: incomplete };
    const end = recordHeaderBytes + rest.readUInt16BE(3);
    const payload = rest.subarray(recordHeaderBytes, end);
    if (rest.length < end) {
      // What is there of this record may already show that the rest is not worth waiting for.
      return { kind: "partial", result: this.#message.length === 0 ? messageFault(payload) : incomplete };
    }
    this.#recordAt += end;
    return { kind: "whole", payload };
  }

  #bounded(result: Hello): Hello {
    return result.kind === "incomplete" && this.#length >= maxHelloBytes ? oversize : result;
  }
}

function recordFault(record: Buffer, first: boolean): Hello | undefined {
  if (record.length >= 1 && record[0] !== handshakeRecord) return first ? notTls : malformed;
  if (record.length >= 2 && record[1] !== 3) return first ? notTls : malformed;
  if (record.length < recordHeaderBytes) return undefined;
  const length = record.readUInt16BE(3);
  return length === 0 || length > 16_384 ? malformed : undefined;
}

/** @returns "incomplete" when there is nothing against the message yet */
function messageFault(message: Buffer): Hello {
  if (message.length >= 1 && message[0] !== clientHelloMessage) return malformed;
  if (message.length < messageHeaderBytes) return incomplete;
  const bytes = recordHeaderBytes + messageHeaderBytes + message.readUIntBE(1, 3);
  return bytes > maxHelloBytes ? oversize : incomplete;
}

function readMessage(message: Buffer): Hello {
  const fault = messageFault(message);
  if (fault.kind !== "incomplete" || message.length < messageHeaderBytes) return fault;
  const end = messageHeaderBytes + message.readUIntBE(1, 3);
  return message.length < end ? incomplete : readClientHello(new Fields(message, messageHeaderBytes, end));
}

function readClientHello(fields: Fields): Hello {
  fields.skip(2 + 32); // version, random
  fields.vector(1); // session id
  const cipherSuites = fields.vector(2);
  const compressionMethods = fields.vector(1);
  if (cipherSuites.length < 2 || compressionMethods.length < 1) return malformed;
  if (fields.atEnd) return { kind: "nameless" }; // no extensions at all: TLS 1.2 and older
  const extensions = fields.vector(2);
  return fields.atEnd ? readExtensions(extensions) : malformed;
}

function readExtensions(extensions: Fields): Hello {
  let found: Hello | undefined;
  while (extensions.hasMore) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (type !== serverNameExtension) continue;
    if (found !== undefined) return malformed;
    found = readServerNames(data);
  }
  return extensions.atEnd ? (found ?? { kind: "nameless" }) : malformed;
}

function readServerNames(data: Fields): Hello {
  const names = data.vector(2);
  let found: Hello | undefined;
  while (names.hasMore) {
    const type = names.number(1);
    const name = names.vector(2);
    if (type !== hostNameType) continue;
    if (found !== undefined) return malformed;
    found = readHostName(name.text());
  }
  return data.atEnd && names.atEnd ? (found ?? { kind: "nameless" }) : malformed;
}

function readHostName(name: string): Hello {
  return name.length <= 255 && /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i.test(name)
    ? { kind: "named", serverName: (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase() }
    : malformed;
}

/**
 * Reads big-endian fields one after the other. A field that is not all there is empty, and from then on there is
 * nothing more, and the end has not been reached.
 */
class Fields {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  #broken = false;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get length(): number {
    return this.#end - this.#at;
  }

  get atEnd(): boolean {
    return !this.#broken && this.#at === this.#end;
  }

  get hasMore(): boolean {
    return !this.#broken && this.#at < this.#end;
  }

  skip(length: number): void {
    this.#take(length);
  }

  number(length: 1 | 2): number {
    const at = this.#take(length);
    if (this.#broken) return 0;
    return length === 1 ? this.#bytes.readUInt8(at) : this.#bytes.readUInt16BE(at);
  }

  /** Bytes behind their own length. */
  vector(lengthBytes: 1 | 2): Fields {
    const length = this.number(lengthBytes);
    const at = this.#take(length);
    return new Fields(this.#bytes, at, this.#broken ? at : at + length);
  }

  text(): string {
    return this.#bytes.toString("latin1", this.#at, this.#end);
  }

  /** @returns where the field begins */
  #take(length: number): number {
    const at = this.#at;
    if (this.#broken || length > this.#end - at) this.#broken = true;
    else this.#at += length;
    return at;
  }
}
