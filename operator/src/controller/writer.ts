import { type ApiClient, ApiError, type KubernetesObject, pathOf, type RequestParts, type Resource } from "./api.ts";
import type { Term } from "./term.ts";

export interface WriterOptions {
  readonly client: Pick<ApiClient, "request">;
  /** of the leader, who alone may write; undefined for what any replica may write */
  readonly term: Term | undefined;
  /** whose fields they are in what is applied */
  readonly fieldManager?: string;
}

/** What an object must say for server-side apply and to be created. */
export type Applied = KubernetesObject & { readonly apiVersion: string; readonly kind: string };

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground";
}

/** Every write of the operator. Each is sent while the term lasts or not at all, and says of which object it is. */
export class Writer {
  readonly #options: WriterOptions;
  readonly #fieldManager: string;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#fieldManager = options.fieldManager ?? "atrium-operator";
  }

  /**
   * Makes the object have these fields, and none of the fields that were applied before and are not among these
   * (server-side apply; whoever else has them loses them).
   *
   * @param object with `metadata.uid`, only that very object; with `metadata.resourceVersion`, only while nobody changed
   *   it; with neither, it is made when it is not there
   * @throws {ApiError} 409 when it was changed or is gone, 422 when there is another object of that name
   */
  apply<T extends KubernetesObject>(resource: Resource, object: Applied): Promise<T> {
    return this.#write<T>({
      method: "PATCH",
      path: pathOf(resource, nameOf(object)),
      query: { force: true, fieldValidation: "Strict" },
      contentType: "application/apply-patch+yaml",
      body: object,
    });
  }

  /** @throws {ApiError} 409 when the name is taken */
  create<T extends KubernetesObject>(resource: Resource, object: Applied): Promise<T> {
    const { namespace } = object.metadata;
    const query = { fieldValidation: "Strict" };
    return this.#write<T>({ method: "POST", path: pathOf(resource, { namespace }), query, body: object });
  }

  /**
   * Writes the status alone.
   *
   * @param object as it was read, with the new status
   * @throws {ApiError} 409 when it was changed since it was read
   * @throws {RangeError} when it does not say which version was read
   */
  async putStatus<T extends KubernetesObject>(resource: Resource, object: T): Promise<T> {
    if (object.metadata.resourceVersion === undefined) throw new RangeError("a status is written with a version");
    const path = pathOf(resource, { ...nameOf(object), subresource: "status" });
    return await this.#write<T>({ method: "PUT", path, body: object });
  }

  /**
   * Deletes that very object. With finalizers it is there until they are gone.
   *
   * @param object as it was read; when it has a `metadata.resourceVersion`, it is deleted only while nobody changed it
   * @returns false when nothing of this name was there
   * @throws {ApiError} 409 when it is another object, or was changed
   * @throws {RangeError} when it does not say which one was read
   */
  async delete(resource: Resource, object: KubernetesObject, options: DeleteOptions = {}): Promise<boolean> {
    const { uid, resourceVersion } = object.metadata;
    if (uid === undefined) throw new RangeError("an object is deleted by its UID");
    const preconditions = { uid, ...(resourceVersion !== undefined && { resourceVersion }) };
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions, ...options };
    try {
      await this.#write({ method: "DELETE", path: pathOf(resource, nameOf(object)), body });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  #write<T>(parts: RequestParts): Promise<T> {
    const { client, term } = this.#options;
    const query = parts.method === "DELETE" ? parts.query : { ...parts.query, fieldManager: this.#fieldManager };
    return client.request<T>({ ...parts, query, term });
  }
}

function nameOf({ metadata: { namespace, name } }: KubernetesObject) {
  return { namespace, name };
}
