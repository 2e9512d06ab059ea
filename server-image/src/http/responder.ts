import type { IncomingMessage, ServerResponse } from "node:http";
import type { AtSign } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { ByteBudget, Lease } from "../byte-budget.ts";
import type { Limits } from "../limits.ts";
import { resolveReference } from "../references.ts";
import type { Store } from "../store/store.ts";
import { type Content, recordContent, textContent } from "./content.ts";
import { keyOfPath } from "./record-path.ts";

export interface ResponderParts {
  readonly atSign: AtSign;
  readonly store: Pick<Store, "get" | "getLive">;
  readonly limits: Limits;
  /** for contents longer than `limits.pieceBytes` */
  readonly budget: ByteBudget;
  /** is told when the memory of a long content is no longer needed */
  readonly onLarge: (bytes: number) => void;
  readonly log: Log;
  readonly now: () => number;
}

/** Longer than any record name, percent-encoded or not, that can be stored. */
const maxUriLength = 1_000;
/** Where WebSocket is. */
const webSocketPath = "/ws";

/**
 * On every response. What the owner publishes may be read by pages of any origin, and is shown by browsers without being
 * able to do anything: no scripts, no forms, an origin of its own. Nobody is to make a page that acts in the name of this
 * host out of a record and a content type.
 */
const headers = {
  "Access-Control-Allow-Origin": "*",
  "Cache-Control": "no-cache",
  "Content-Security-Policy": "sandbox",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "X-Content-Type-Options": "nosniff",
} as const;

/** Whether a request is for the line protocol over WebSocket. */
export function asksForWebSocket({ url = "", headers }: IncomingMessage): boolean {
  return splitTarget(url).path === webSocketPath && headers.upgrade?.toLowerCase() === "websocket";
}

/** Answers `GET` and `HEAD` with the public records of the owner. */
export class Responder {
  readonly #parts: ResponderParts;

  constructor(parts: ResponderParts) {
    this.#parts = parts;
  }

  /** @returns once the response is written, or its connection is gone; never rejects */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A body is of no use here: nobody needs to wait for the end of it.
    if (hasBody(request)) response.setHeader("Connection", "close");
    try {
      await this.#answer(request, response);
    } catch (error) {
      this.#parts.log.error({ err: error }, "HTTP request failed");
      if (response.headersSent) response.destroy();
      else await this.#refuse(response, 500);
    }
  }

  async #answer({ method, url = "" }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url.length > maxUriLength) return await this.#refuse(response, 400);
    if (method !== "GET" && method !== "HEAD") return await this.#refuse(response, 405, { Allow: "GET, HEAD" });
    const { path, query } = splitTarget(url);
    if (path === webSocketPath)
      return await this.#refuse(response, 426, { Upgrade: "websocket", Connection: "Upgrade" });
    const key = keyOfPath(path, this.#parts.atSign);
    if (key === undefined) return await this.#refuse(response, 400);
    await this.#answerRecord(response, () => this.#content(key, query));
  }

  async #answerRecord(response: ServerResponse, read: () => Content | undefined): Promise<void> {
    let content = read();
    if (content === undefined) return await this.#refuse(response, 404);
    const { length } = content;
    if (length <= this.#parts.limits.pieceBytes) return await this.#send(response, 200, content);
    let lease = this.#parts.budget.tryTake(length);
    if (lease === undefined) {
      // Not kept while there is no room for it.
      content = undefined;
      this.#parts.onLarge(length);
      lease = await this.#turn(length);
      content = lease && read();
    }
    try {
      // It may have changed since.
      if (content === undefined || content.length > length) await this.#refuse(response, 503, { "Retry-After": "1" });
      else await this.#send(response, 200, content);
    } finally {
      if (lease !== undefined) {
        this.#parts.onLarge(lease.bytes);
        lease.release();
      }
    }
  }

  async #turn(length: number): Promise<Lease | undefined> {
    const { budget, limits } = this.#parts;
    return length > budget.capBytes ? undefined : await budget.turn(length, limits.turnMs);
  }

  #content(key: string, query: URLSearchParams): Content | undefined {
    const { store, now } = this.#parts;
    const time = now();
    const record = store.getLive(key, time);
    return record && recordContent(resolveReference(store, record, "public:", time), query);
  }

  #refuse(response: ServerResponse, status: number, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const text = `${status} ${reasons[status]}`;
    return this.#send(response, status, textContent("text/plain; charset=utf-8", text), more);
  }

  async #send(
    response: ServerResponse,
    status: number,
    content: Content,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { pieceBytes, largeReplyMs, unreadMs } = this.#parts.limits;
    response.writeHead(status, { ...headers, "Content-Type": content.type, "Content-Length": content.bytes, ...more });
    using _deadline = after(largeReplyMs, () => response.destroy());
    if (response.req.method !== "HEAD") {
      for (const piece of content.pieces(pieceBytes)) {
        if (response.closed) return;
        if (!response.write(piece)) await happened(response, "drain", unreadMs);
      }
    }
    if (response.closed) return;
    response.end();
    await happened(response, "close", unreadMs);
  }
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** @param url as requested, in the form with an origin, too */
function splitTarget(url: string): { path: string; query: URLSearchParams } {
  const target = url.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = target.indexOf("?");
  return mark === -1
    ? { path: target, query: new URLSearchParams() }
    : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark)) };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** Waits for an event, or for the end of the connection, which comes when the deadline has passed. */
function happened(response: ServerResponse, event: "drain" | "close", deadlineMs: number): Promise<void> {
  if (response.closed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), deadlineMs);
    const done = () => {
      clearTimeout(timer);
      response.off(event, done).off("close", done);
      resolve();
    };
    response.on(event, done).on("close", done);
  });
}

function after(delayMs: number, act: () => void): Disposable {
  const timer = setTimeout(act, delayMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
