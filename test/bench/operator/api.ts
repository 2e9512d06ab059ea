import { once } from "node:events";
import { Agent, type RequestOptions, request } from "node:https";
import { json, text } from "node:stream/consumers";
import type { ControlPlane } from "../../cluster/control-plane.ts";

export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

const requestMs = 60_000;
const pageSize = 500;

/** The API server as the bench talks to it: many requests at a time, over connections that are kept. */
export class Api implements Disposable {
  readonly #url: URL;
  readonly #common: RequestOptions;

  constructor({ url, ca, token }: Pick<ControlPlane, "url" | "ca" | "token">, connections: number) {
    this.#url = new URL(url);
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#common = { ca, agent, headers: { authorization: `Bearer ${token}` } };
  }

  [Symbol.dispose](): void {
    (this.#common.agent as Agent).destroy();
  }

  get(path: string): Promise<unknown> {
    return this.#answer("GET", path);
  }

  create(path: string, object: object): Promise<unknown> {
    return this.#answer("POST", path, object);
  }

  replace(path: string, object: object): Promise<unknown> {
    return this.#answer("PUT", path, object);
  }

  /** Everything at a path, page by page. */
  async list(path: string): Promise<KubernetesObject[]> {
    const all: KubernetesObject[] = [];
    for (let next = ""; ; ) {
      const query = `limit=${pageSize}&continue=${encodeURIComponent(next)}`;
      const page = (await this.get(`${path}?${query}`)) as List;
      for (const item of page.items) all.push(item);
      if (!page.metadata.continue) return all;
      next = page.metadata.continue;
    }
  }

  /** The API server's own figures, in Prometheus' form. */
  async metrics(): Promise<string> {
    return text(await this.#send("GET", "/metrics", requestMs));
  }

  /**
   * Tells of everything that is at a path and of what changes there, until it is aborted: anew when the API server ends
   * it, as it does with who reads too slowly.
   */
  async watch(path: string, signal: AbortSignal, onObject: (object: KubernetesObject) => void): Promise<void> {
    try {
      while (!signal.aborted) await this.#watchOnce(path, signal, onObject);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #watchOnce(path: string, signal: AbortSignal, onObject: (object: KubernetesObject) => void): Promise<void> {
    const initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=";
    const query = `watch=true&allowWatchBookmarks=true&${initial}`;
    const response = await this.#send("GET", `${path}?${query}`, undefined, { signal });
    let rest = "";
    for await (const chunk of response.setEncoding("utf8")) {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const event = JSON.parse(line) as { type: string; object: KubernetesObject };
        if (event.type === "ERROR") throw new Error(`the watch of ${path} failed: ${line}`);
        if (event.type === "ADDED" || event.type === "MODIFIED") onObject(event.object);
      }
    }
  }

  async #answer(method: string, path: string, body?: object): Promise<unknown> {
    return json(await this.#send(method, path, requestMs, { body }));
  }

  /** @throws {Error} for every status but 2xx */
  async #send(
    method: string,
    path: string,
    withinMs: number | undefined,
    { body, signal }: { body?: object | undefined; signal?: AbortSignal } = {},
  ) {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const outgoing = request(new URL(path, this.#url), {
      ...this.#common,
      method,
      headers: { ...this.#common.headers, ...(content !== undefined && { "content-type": "application/json" }) },
      // A watch has a connection of its own.
      ...(withinMs === undefined && { agent: false }),
      ...(signal !== undefined && { signal }),
      ...(withinMs !== undefined && { signal: AbortSignal.timeout(withinMs) }),
    });
    outgoing.end(content);
    const [response] = (await once(outgoing, "response")) as [import("node:http").IncomingMessage];
    outgoing.on("error", () => undefined); // the reader of the response is told
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299)
      throw new Error(`${method} ${path}: ${statusCode} ${await text(response)}`);
    return response;
  }
}

interface List {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly KubernetesObject[];
}

/** Does something for each, so many at a time. */
export async function forEach<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
