import type { Address } from "@atrium/runtime/config.ts";

/**
 * One TCP connection, as little as copying needs. There are two implementations with one contract: `handle-net.ts`
 * for speed and memory, `socket-net.ts` over the public API.
 */
export interface Link {
  /** who is told what happens; may be exchanged at any time */
  user: LinkUser;
  /** text form without brackets; empty when the peer had gone before it was asked for */
  readonly remoteAddress: string;
  /** Begins or goes on to read. */
  read(): void;
  /** Stops reading: the peer is held back by its window. Its FIN or RST is then not noticed either. */
  pause(): void;
  /**
   * @param bytes may be used again after the call
   * @returns false when the kernel did not take everything: the rest is kept, `onDrain` follows, and until then the
   *   caller must not write again. Also false when the connection broke; `onClose` has then been called.
   */
  write(bytes: Uint8Array): boolean;
  /** FIN behind everything written. */
  end(): void;
  /** RST, at once; no call of the user follows. */
  reset(): void;
  /** Closes at once, and drops what the kernel did not take; no call of the user follows. */
  destroy(): void;
}

export interface LinkUser {
  /** Only for links that were made by {@link Net.connect}. */
  onConnect(link: Link): void;
  /** @param bytes of use during this call alone: the memory is reused for the next read of any connection */
  onData(link: Link, bytes: Uint8Array): void;
  /** Everything kept has been taken by the kernel. */
  onDrain(link: Link): void;
  /** The peer's FIN. */
  onEnd(link: Link): void;
  /**
   * The last call: both sides have finished, or the connection broke or never came to be.
   * @param error a name like ECONNRESET; undefined when both sides finished
   */
  onClose(link: Link, error: string | undefined): void;
}

export interface Net {
  /** @throws {Error} with a `code` like EADDRINUSE, when the address cannot be listened on */
  listen(address: Address, user: ListenerUser): Promise<Listener>;
  /** @param address with an IP address as its host: names are not resolved here */
  connect(address: Address, user: LinkUser): Link;
}

export interface ListenerUser {
  /** Must set the user of the link before it returns; the link does not read yet. */
  accept(link: Link): void;
  /** @param error a name like EMFILE */
  acceptFailed(error: string): void;
}

/** Disposed, it accepts no more; connections that were accepted live on. */
export interface Listener extends AsyncDisposable {
  readonly address: Address;
}
