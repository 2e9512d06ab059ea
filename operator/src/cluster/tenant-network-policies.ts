import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Log } from "@atrium/runtime/log.ts";
import { type ApiClient, ApiError, type KubernetesObject, type Resource } from "../controller/api.ts";
import { Controller } from "../controller/controller.ts";
import { Reflector } from "../controller/reflector.ts";
import { ObjectStore } from "../controller/store.ts";
import type { Term } from "../controller/term.ts";
import { Writer } from "../controller/writer.ts";

interface NetworkPolicy extends KubernetesObject {
  readonly spec?: unknown;
}

const networkPolicies: Resource = { group: "networking.k8s.io", version: "v1", plural: "networkpolicies" };
const policyName = "atrium-atservers";

interface Options {
  readonly client: ApiClient;
  /** of the policy, as {@link readPolicySpec} gives it */
  readonly spec: object;
  /** with AtSigns; asked again and again */
  readonly namespaces: () => ReadonlySet<string>;
  readonly log: Log;
}

/**
 * Keeps one NetworkPolicy in each namespace with AtSigns. It selects the pods of their atServers; what it says comes from
 * the chart, and nothing here depends on it.
 *
 * @see docs/decisions/0009-the-operator-writes-one-network-policy-per-tenant.md
 */
export class TenantNetworkPolicies implements AsyncDisposable {
  readonly #options: Options;
  readonly #store = new ObjectStore<NetworkPolicy>();
  readonly #reflector: Reflector<NetworkPolicy>;
  readonly #controller: Controller;

  constructor(options: Options) {
    const { client, namespaces, log } = options;
    this.#options = options;
    this.#reflector = new Reflector<NetworkPolicy>({
      client,
      resource: networkPolicies,
      fieldSelector: `metadata.name=${policyName}`,
      store: this.#store,
      onChange: (key) => this.changed(key.slice(0, key.indexOf("/"))),
      onError: (error) => log.warn({ err: error }, "network policies cannot be watched"),
    });
    this.#controller = new Controller({
      ...{ workers: 2, backoff: { minMs: 500, maxMs: 60_000 } },
      keys: () => new Set([...namespaces(), ...this.#kept()]),
      synced: this.#reflector.synced,
      reconcile: async (namespace, term) => {
        if (namespaces().has(namespace)) await this.ensure(namespace, term);
        else await this.#remove(namespace, term);
        return undefined;
      },
      onError: (namespace, error) => log.warn({ namespace, err: error }, "network policy not written"),
    });
  }

  /** Once it is known which are there. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  /** The first AtSign of a namespace came, or its last one went. */
  changed(namespace: string): void {
    this.#controller.add(namespace);
  }

  /** For the leader. @returns once the term shall end */
  lead(term: Term): Promise<void> {
    return this.#controller.lead(term);
  }

  /**
   * Before the first pod of a namespace is made. Writes nothing when the policy is there as it should be.
   *
   * @throws {ApiError} when it is refused
   */
  async ensure(namespace: string, term: Term): Promise<void> {
    const { client, spec } = this.#options;
    if (isDeepStrictEqual(this.#store.get(`${namespace}/${policyName}`)?.spec, spec)) return;
    const metadata = { namespace, name: policyName, labels: { "app.kubernetes.io/managed-by": "atrium-operator" } };
    const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec };
    await new Writer({ client, term }).apply(networkPolicies, policy);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reflector[Symbol.asyncDispose]();
  }

  *#kept(): Iterable<string> {
    for (const { metadata } of this.#store.values()) {
      if (metadata.namespace !== undefined) yield metadata.namespace;
    }
  }

  async #remove(namespace: string, term: Term): Promise<void> {
    const policy = this.#store.get(`${namespace}/${policyName}`);
    // Somebody else's of this name is left alone.
    if (policy?.metadata.labels?.["app.kubernetes.io/managed-by"] !== "atrium-operator") return;
    try {
      await new Writer({ client: this.#options.client, term }).delete(networkPolicies, policy);
    } catch (error) {
      // Changed meanwhile: the change brings it here again.
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
  }
}

/**
 * The file that the chart mounts.
 *
 * @throws {Error} when it is none
 */
export function readPolicySpec(file: string): object {
  const spec: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof spec !== "object" || spec === null || !("podSelector" in spec) || !("policyTypes" in spec)) {
    throw new Error(`${file} is not the spec of a NetworkPolicy`);
  }
  return spec;
}
