import { lookup } from "node:dns/promises";
import { writeSync } from "node:fs";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import type { ConnectRequest, Libuv, ShutdownRequest, TcpHandle, WriteRequest } from "./libuv.ts";
import type { Link, LinkUser, Net } from "./link.ts";
import { Slab } from "./slab.ts";
import { backlog, nobody } from "./socket-net.ts";

/** What one read may bring, and so what one connection may keep back for a peer that does not read. */
const chunkBytes = 262_144;

/** From this size on, copying costs more than a second way of writing. */
const directBytes = 16_384;

const slabBytes = 65_536;

/**
 * TCP on libuv's handles, without the sockets and streams of Node above them: those take most of the time that a small
 * packet takes, and most of the memory of an idle connection.
 *
 * All connections read into one buffer. A write must not use it, as libuv goes on to write from the memory it was given
 * when the kernel has no room: bytes are copied to a slab, which costs little next to the system call, and only a write
 * that was not finished at once keeps its part of the slab.
 *
 * @see docs/decisions/0004-gateway-copies-with-reused-buffers.md
 */
export function handleNet(libuv: Libuv<HandleLink>, { maxKeptBytes }: { maxKeptBytes: number }): Net {
  const shared = new Shared(libuv, maxKeptBytes);
  return {
    async listen({ host, port }, { accept, acceptFailed }) {
      const handle = libuv.newServer();
      handle.onconnection = (status, client) => {
        if (client === undefined) acceptFailed(libuv.errorName(status));
        else accept(new HandleLink(client, shared, nobody));
      };
      const { address, family } = await lookup(host);
      const fault =
        (family === 6 ? handle.bind6(address, port, 0) : handle.bind(address, port)) || handle.listen(backlog);
      const bound: { port?: number } = {};
      if (fault === 0) handle.getsockname(bound);
      else {
        handle.close();
        throw listenError(libuv.errorName(fault), { host, port });
      }
      return {
        address: { host, port: bound.port ?? port },
        async [Symbol.asyncDispose]() {
          handle.close();
        },
      };
    },
    connect(address, user) {
      const link = new HandleLink(libuv.newHandle(), shared, user);
      link.connect(address);
      return link;
    },
  };
}

/** As `net.Server` has it, so that whoever starts us sees what it knows. */
function listenError(code: string, address: Address): Error {
  return Object.assign(new Error(`listen ${code}: ${formatAddress(address)}`), { code });
}

/** What the links of one Net have in common. */
class Shared {
  readonly libuv: Libuv<HandleLink>;
  readonly readBuffer = new Uint8Array(chunkBytes);
  readonly slab = new Slab(slabBytes);
  /** waiting for peers that do not read; with more than `maxKeptBytes`, the one that adds to them is cut off */
  keptBytes = 0;
  readonly maxKeptBytes: number;
  /** never in use between two calls: a write that finishes at once leaves no trace in it */
  write: WriteRequest<HandleLink>;
  #lastRead = this.readBuffer;

  constructor(libuv: Libuv<HandleLink>, maxKeptBytes: number) {
    this.libuv = libuv;
    this.maxKeptBytes = maxKeptBytes;
    this.write = libuv.newWrite();
  }

  /** What has just been read. Sizes tend to repeat, and a view costs more than copying a small packet. */
  lastRead(length: number): Uint8Array {
    if (this.#lastRead.length !== length) this.#lastRead = this.readBuffer.subarray(0, length);
    return this.#lastRead;
  }
}

export class HandleLink implements Link {
  user: LinkUser;
  readonly #shared: Shared;
  /** undefined once closed: libuv may still call back for requests that were under way */
  #handle: TcpHandle<HandleLink> | undefined;
  #reading = false;
  #writing = false;
  #peerEnded = false;
  #ending = false;
  #ended = false;

  constructor(handle: TcpHandle<HandleLink>, shared: Shared, user: LinkUser) {
    this.user = user;
    this.#shared = shared;
    this.#handle = handle;
    handle.owner = this;
    handle.onread = onRead;
    handle.useUserBuffer(shared.readBuffer);
    handle.setNoDelay(true);
  }

  get remoteAddress(): string {
    const out: { address?: string } = {};
    this.#handle?.getpeername(out);
    return out.address ?? "";
  }

  connect({ host, port }: Address): void {
    const request = this.#shared.libuv.newConnect();
    request.owner = this;
    request.oncomplete = onConnected;
    const code = host.includes(":")
      ? this.#handle?.connect6(request, host, port)
      : this.#handle?.connect(request, host, port);
    // Not from within `connect`: the caller does not have the link yet.
    if (code) queueMicrotask(() => this.#failed(code));
  }

  read(): void {
    if (this.#reading || this.#peerEnded || this.#handle === undefined) return;
    this.#reading = true;
    this.#handle.readStart();
  }

  pause(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#handle?.readStop();
  }

  write(bytes: Uint8Array): boolean {
    const written = bytes.length < directBytes ? 0 : this.#writeDirectly(bytes);
    return written === bytes.length || this.#writeCopy(written === 0 ? bytes : bytes.subarray(written));
  }

  /**
   * Offers the bytes to the kernel from where they are. Unlike libuv's own write, this one does not hold on to them.
   *
   * @returns how many it took
   */
  #writeDirectly(bytes: Uint8Array): number {
    const handle = this.#handle;
    if (handle === undefined) return 0;
    try {
      // The handle is asked for its descriptor each time: a closed one has none, and numbers are used again.
      return writeSync(handle.fd, bytes, 0, bytes.length);
    } catch {
      // No room, or broken: the other way of writing waits for the one, and tells of the other.
      return 0;
    }
  }

  #writeCopy(bytes: Uint8Array): boolean {
    const handle = this.#handle;
    if (handle === undefined) return false;
    const shared = this.#shared;
    const { libuv, write } = shared;
    const small = bytes.length < directBytes;
    const copy = small ? shared.slab.copy(bytes) : new Uint8Array(bytes);
    const code = handle.writeBuffer(write, copy);
    if (code !== 0) {
      this.#failed(code);
      return false;
    }
    if (libuv.state[libuv.asyncAt] === 0) return true;
    if (small) shared.slab.keep(copy);
    shared.write = libuv.newWrite();
    write.bytes = copy;
    write.oncomplete = onWritten;
    this.#writing = true;
    shared.keptBytes += copy.length;
    if (shared.keptBytes > shared.maxKeptBytes) this.#fail("ENOBUFS");
    return false;
  }

  end(): void {
    if (this.#ending || this.#handle === undefined) return;
    this.#ending = true;
    // The peer has finished and everything is written: closing sends the FIN, too, and saves a system call.
    if (this.#peerEnded && !this.#writing) {
      this.#finished();
      return;
    }
    const request = this.#shared.libuv.newShutdown();
    request.owner = this;
    request.oncomplete = onShutDown;
    const code = this.#handle.shutdown(request);
    if (code !== 0) this.#failed(code);
  }

  reset(): void {
    // libuv refuses to reset what is being shut down, and Node would then never close it.
    if (this.#ending) this.destroy();
    else this.#release()?.reset();
  }

  destroy(): void {
    this.#release()?.close();
  }

  hasRead(): void {
    const { libuv } = this.#shared;
    const code = libuv.state[libuv.readAt] ?? 0;
    if (this.#handle === undefined) return;
    if (code > 0) this.user.onData(this, this.#shared.lastRead(code));
    else if (code === libuv.endOfFile) this.#peerFinished();
    else if (code < 0) this.#failed(code);
  }

  hasConnected(code: number): void {
    if (this.#handle === undefined) return;
    if (code < 0) this.#failed(code);
    else this.user.onConnect(this);
  }

  /** Called for closed links, too: with an error, once libuv has let go of the bytes. */
  hasWritten(code: number, length: number): void {
    this.#shared.keptBytes -= length;
    if (this.#handle === undefined) return;
    this.#writing = false;
    if (code < 0) this.#failed(code);
    else if (!this.#ending) this.user.onDrain(this);
  }

  hasShutDown(code: number): void {
    if (this.#handle === undefined) return;
    this.#ended = true;
    if (code < 0) this.#failed(code);
    else if (this.#peerEnded) this.#finished();
  }

  #peerFinished(): void {
    this.pause();
    this.#peerEnded = true;
    this.user.onEnd(this);
    if (this.#ended) this.#finished();
  }

  #finished(): void {
    if (this.#handle === undefined) return;
    this.destroy();
    this.user.onClose(this, undefined);
  }

  #failed(code: number): void {
    this.#fail(this.#shared.libuv.errorName(code));
  }

  #fail(error: string): void {
    if (this.#handle === undefined) return;
    this.destroy();
    this.user.onClose(this, error);
  }

  #release(): TcpHandle<HandleLink> | undefined {
    const handle = this.#handle;
    this.#handle = undefined;
    return handle;
  }
}

// The same functions for all links: closures per connection would be the greater part of it.

function onRead(this: TcpHandle<HandleLink>): void {
  this.owner.hasRead();
}

function onConnected(this: ConnectRequest<HandleLink>, status: number): void {
  this.owner.hasConnected(status);
}

function onWritten(this: WriteRequest<HandleLink>, status: number, handle: TcpHandle<HandleLink>): void {
  handle.owner.hasWritten(status, this.bytes?.length ?? 0);
  this.bytes = undefined;
}

function onShutDown(this: ShutdownRequest<HandleLink>, status: number): void {
  this.owner.hasShutDown(status);
}
