/**
 * The objects below Node's `net` module, as far as `handle-net.ts` uses them. They are internal, so what is here is
 * checked once at the start, and missing means: use the public API (`socket-net.ts`).
 */

/** A libuv TCP handle. Functions that return a number return 0 or a negative error code. */
export interface TcpHandle<Owner> {
  /** ours: whose handle it is; the callbacks below have the handle as `this` */
  owner: Owner;
  /** called for each read; the outcome is in {@link Libuv.state} */
  onread: () => void;
  /** -1 once closed */
  readonly fd: number;
  /** every read goes to this memory; the caller keeps it alive */
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** tries to write at once; what the kernel does not take is written later from the same memory */
  writeBuffer(request: WriteRequest<Owner>, bytes: Uint8Array): number;
  shutdown(request: ShutdownRequest<Owner>): number;
  connect(request: ConnectRequest<Owner>, address: string, port: number): number;
  connect6(request: ConnectRequest<Owner>, address: string, port: number): number;
  getpeername(out: { address?: string }): number;
  setNoDelay(on: boolean): number;
  /** RST and close */
  reset(): number;
  close(): void;
}

/** A libuv TCP handle that listens. */
export interface ServerHandle<Owner> {
  /** @param client undefined when accepting failed */
  onconnection: (status: number, client: TcpHandle<Owner> | undefined) => void;
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  listen(backlog: number): number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

export interface WriteRequest<Owner> {
  /** ours: keeps the memory alive until libuv is done with it */
  bytes: Uint8Array | undefined;
  oncomplete: (this: WriteRequest<Owner>, status: number, handle: TcpHandle<Owner>) => void;
}

export interface ShutdownRequest<Owner> {
  owner: Owner;
  oncomplete: (this: ShutdownRequest<Owner>, status: number) => void;
}

export interface ConnectRequest<Owner> {
  owner: Owner;
  oncomplete: (this: ConnectRequest<Owner>, status: number) => void;
}

export interface Libuv<Owner> {
  newServer(): ServerHandle<Owner>;
  newHandle(): TcpHandle<Owner>;
  newWrite(): WriteRequest<Owner>;
  newShutdown(): ShutdownRequest<Owner>;
  newConnect(): ConnectRequest<Owner>;
  /** results of the call or callback that runs now, at the two places below */
  readonly state: Int32Array;
  /** in `state`: how many bytes were read, or a negative error code */
  readonly readAt: number;
  /** in `state`: was a write left to be finished later? */
  readonly asyncAt: number;
  readonly endOfFile: number;
  /** @returns for instance ECONNRESET */
  errorName(code: number): string;
}

const methods = [
  "bind",
  "bind6",
  "listen",
  "getsockname",
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "shutdown",
  "connect",
  "connect6",
  "getpeername",
  "setNoDelay",
  "reset",
  "close",
];

/**
 * @returns undefined when this Node does not have them in the form that is known here
 */
export function openLibuv<Owner>(): Libuv<Owner> | undefined {
  try {
    const tcp = binding("tcp_wrap");
    const stream = binding("stream_wrap");
    const uv = binding("uv");
    const prototype = tcp.TCP.prototype;
    const known =
      methods.every((name) => typeof prototype[name] === "function") &&
      "onread" in prototype &&
      "fd" in prototype &&
      typeof tcp.TCPConnectWrap === "function" &&
      typeof tcp.constants.SOCKET === "number" &&
      typeof tcp.constants.SERVER === "number" &&
      typeof stream.WriteWrap === "function" &&
      typeof stream.ShutdownWrap === "function" &&
      ArrayBuffer.isView(stream.streamBaseState) &&
      typeof stream.kReadBytesOrError === "number" &&
      typeof stream.kLastWriteWasAsync === "number" &&
      typeof uv.UV_EOF === "number" &&
      typeof uv.errname === "function";
    return known ? assemble(tcp, stream, uv) : undefined;
  } catch {
    // Absent or renamed: `process.binding` throws for what it does not know, and is to disappear one day.
    return undefined;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: its form is what the function above finds out
function binding(name: string): any {
  return (process as unknown as { binding(name: string): unknown }).binding(name);
}

// biome-ignore lint/suspicious/noExplicitAny: checked by the caller
function assemble<Owner>(tcp: any, stream: any, uv: any): Libuv<Owner> {
  return {
    newServer: () => new tcp.TCP(tcp.constants.SERVER),
    newHandle: () => new tcp.TCP(tcp.constants.SOCKET),
    newWrite: () => new stream.WriteWrap(),
    newShutdown: () => new stream.ShutdownWrap(),
    newConnect: () => new tcp.TCPConnectWrap(),
    state: stream.streamBaseState,
    readAt: stream.kReadBytesOrError,
    asyncAt: stream.kLastWriteWasAsync,
    endOfFile: uv.UV_EOF,
    errorName: (code) => uv.errname(code),
  };
}
