import type { TLSSocket } from "node:tls";

interface Options {
  readonly monotonic: () => number;
  /** is told when the next request must be whole */
  readonly onDue: (dueMs: number) => void;
  /** see {@link HttpConnection.loginDueMs} */
  readonly loginDueMs?: number;
}

/** From the beginning of a connection, or the end of a response, to the end of the next request's head. */
const requestMs = 15_000;
/** Requests that may wait for the one before. Nobody needs many: no browser sends any. */
const maxWaiting = 16;

/**
 * A connection of HTTP, as others see it: how long it has been idle, and by when something must have come. Its requests
 * are answered one after the other, so that one client holds one response.
 */
export class HttpConnection {
  /** Nobody logs in here. */
  readonly connection = { state: "anonymous" } as const;
  readonly socket: TLSSocket;
  readonly createdMs: number;
  /** A reserved place is lost then. */
  readonly loginDueMs: number | undefined;
  readonly #monotonic: () => number;
  readonly #onDue: (dueMs: number) => void;
  #lastActiveMs = 0;
  #requestDueMs = 0;
  #waiting = 0;
  #turn: Promise<void> = Promise.resolve();
  #ending = false;

  constructor(socket: TLSSocket, { monotonic, onDue, loginDueMs }: Options) {
    this.socket = socket;
    this.loginDueMs = loginDueMs;
    this.#monotonic = monotonic;
    this.#onDue = onDue;
    this.createdMs = monotonic();
    this.#waitForRequest();
  }

  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  /** Whether a request is being answered. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  get ending(): boolean {
    return this.#ending;
  }

  get lineDueMs(): number | undefined {
    return this.busy ? undefined : this.#requestDueMs;
  }

  /** The request that is arriving took too long, or none came. */
  expire(): void {
    this.end();
  }

  end(): void {
    this.#ending = true;
    this.socket.destroySoon();
  }

  /** Lets the response that is under way end, then closes. */
  drain(): void {
    if (!this.busy) {
      this.end();
      return;
    }
    this.#ending = true;
  }

  /** @param answer resolves when the response is written or the connection gone, and never rejects */
  take(answer: () => Promise<void>): void {
    if (this.#waiting === maxWaiting) this.socket.destroy();
    if (this.socket.destroyed) return;
    this.#waiting++;
    this.#turn = this.#turn.then(async () => {
      if (this.#ending) this.end();
      if (!this.socket.destroyed) await answer();
      this.#waiting--;
      if (this.#ending) this.end();
      else if (!this.busy) this.#waitForRequest();
    });
  }

  #waitForRequest(): void {
    this.#lastActiveMs = this.#monotonic();
    this.#requestDueMs = this.#lastActiveMs + requestMs;
    this.#onDue(this.#requestDueMs);
  }
}
