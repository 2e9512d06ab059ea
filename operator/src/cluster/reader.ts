import {
  type ApiClient,
  ApiError,
  type KubernetesObject,
  type List,
  pathOf,
  type Resource,
} from "../controller/api.ts";
import type { Term } from "../controller/term.ts";

const pageSize = 500;

/** Asks the API server itself, where what the stores say is not enough. */
export class Reader {
  readonly #client: Pick<ApiClient, "request">;
  readonly #term: Term;

  constructor(client: Pick<ApiClient, "request">, term: Term) {
    this.#client = client;
    this.#term = term;
  }

  /** All of a kind in the cluster, a page at a time. */
  async *list<T extends KubernetesObject>(resource: Resource): AsyncGenerator<T> {
    let next: string | undefined;
    do {
      const { items, metadata } = await this.#client.request<List<T>>({
        method: "GET",
        path: pathOf(resource),
        query: { limit: pageSize, ...(next && { continue: next }) },
        signal: this.#term.signal,
      });
      yield* items;
      next = metadata.continue;
    } while (next);
  }

  /** @returns undefined when there is none */
  async read<T>(resource: Resource, of: { namespace?: string; name: string }): Promise<T | undefined> {
    const { name, namespace } = of;
    try {
      return await this.#client.request<T>({
        method: "GET",
        path: pathOf(resource, { name, namespace }),
        signal: this.#term.signal,
      });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }
}
