import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { type ApiClient, ApiError, type KubernetesObject, pathOf } from "./api.ts";

export interface LeaderOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly namespace: string;
  readonly name: string;
  /** of this process; made up without it */
  readonly identity?: string;
  readonly leaseMs?: number;
  /** a leader renews so often; a follower looks so often, or when the lease may have ended */
  readonly renewMs?: number;
  readonly monotonic?: () => number;
  readonly onError: (error: unknown) => void;
}

interface Lease extends KubernetesObject {
  readonly spec: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

const leases = { group: "coordination.k8s.io", version: "v1", plural: "leases" } as const;

/** The time in which this process may write: `deadlineMs` of the monotonic clock moves on with each renewal. */
export interface Term {
  /** aborted when the lease was lost or given up */
  readonly signal: AbortSignal;
  /** what is not answered by then must not be sent: another may lead after it */
  remainingMs(): number;
}

/**
 * Leads when it holds the Lease, one process at a time: others count the lease's duration from when *they* saw it renewed
 * last, so no clocks are compared. A leader that could not renew in time stops before another may begin, also when it was
 * stopped itself (SIGSTOP) and continued: the time is looked at before each write.
 *
 * As client-go's leader election.
 */
export class Leader {
  readonly identity: string;
  readonly #options: LeaderOptions;
  readonly #leaseMs: number;
  readonly #renewMs: number;
  readonly #monotonic: () => number;
  /** what was seen of the lease last, and when that changed */
  #seen: { readonly version: string; readonly atMs: number } | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.identity = options.identity ?? `${hostname()}_${randomUUID()}`;
    this.#leaseMs = options.leaseMs ?? 8_000;
    this.#renewMs = options.renewMs ?? 2_000;
    this.#monotonic = options.monotonic ?? (() => performance.now());
  }

  /**
   * Waits for the lease, and runs `lead` while it is held; again and again, until the signal ends it. The lease is given
   * up in the end, so that the next one need not wait.
   */
  async run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const held = await this.#acquired(signal);
      if (held === undefined) return;
      await this.#lead(held, lead, signal);
    }
  }

  /** @returns when it was taken, before the request; undefined when it was ended */
  async #acquired(signal: AbortSignal): Promise<number | undefined> {
    while (!signal.aborted) {
      const beganMs = this.#monotonic();
      try {
        if (await this.#tryTake(signal)) return beganMs;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#options.onError(error);
      }
      await delay(this.#renewMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  async #lead(takenMs: number, lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    const lost = new AbortController();
    let deadlineMs = takenMs + this.#leaseMs;
    const remainingMs = () => (lost.signal.aborted ? 0 : Math.max(0, deadlineMs - this.#monotonic()));
    const leading = lead({ signal: AbortSignal.any([lost.signal, signal]), remainingMs });
    const over = new AbortController();
    void leading.then(
      () => over.abort(),
      () => over.abort(),
    );
    const ended = AbortSignal.any([over.signal, signal]);
    while (!ended.aborted) {
      await delay(this.#renewMs, undefined, { signal: ended }).catch(() => undefined);
      if (ended.aborted) break;
      const beganMs = this.#monotonic();
      if (beganMs >= deadlineMs) break;
      try {
        const deadline = AbortSignal.timeout(Math.max(1, Math.floor(deadlineMs - beganMs)));
        if (!(await this.#tryTake(AbortSignal.any([deadline, signal])))) break;
        if (this.#monotonic() >= deadlineMs) break;
        deadlineMs = beganMs + this.#leaseMs;
      } catch (error) {
        if (ended.aborted) break;
        this.#options.onError(error);
        if (this.#monotonic() >= deadlineMs) break;
      }
    }
    const stillHeld = remainingMs() > 0;
    lost.abort();
    await leading;
    if (stillHeld) await this.#release().catch(this.#options.onError);
  }

  /** Takes or renews it. @returns whether it is ours now */
  async #tryTake(signal: AbortSignal): Promise<boolean> {
    const { client, namespace, name } = this.#options;
    const path = pathOf(leases, { namespace, name });
    let lease: Lease;
    try {
      lease = await client.request<Lease>({ method: "GET", path, signal });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      return await this.#write("POST", undefined, signal);
    }
    const { holderIdentity = "", leaseDurationSeconds = 0 } = lease.spec;
    const version = lease.metadata.resourceVersion ?? "";
    if (this.#seen?.version !== version) this.#seen = { version, atMs: this.#monotonic() };
    const ours = holderIdentity === this.identity;
    const over = this.#monotonic() >= this.#seen.atMs + leaseDurationSeconds * 1000;
    if (!ours && holderIdentity !== "" && !over) return false;
    return await this.#write("PUT", lease, signal);
  }

  /** @returns false when another was faster */
  async #write(method: "POST" | "PUT", previous: Lease | undefined, signal: AbortSignal): Promise<boolean> {
    const { client, namespace, name } = this.#options;
    const now = new Date().toISOString().replace("Z", "000Z");
    const ours = previous?.spec.holderIdentity === this.identity;
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      // With the version that was read: of two that try at once, one is refused.
      metadata: { ...previous?.metadata, namespace, name },
      spec: {
        holderIdentity: this.identity,
        leaseDurationSeconds: Math.ceil(this.#leaseMs / 1000),
        acquireTime: ours ? (previous?.spec.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: (previous?.spec.leaseTransitions ?? 0) + (ours || previous === undefined ? 0 : 1),
      },
    };
    const path = pathOf(leases, method === "POST" ? { namespace } : { namespace, name });
    try {
      const written = await client.request<Lease>({ method, path, body: lease, signal });
      this.#seen = { version: written.metadata.resourceVersion ?? "", atMs: this.#monotonic() };
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return false;
      throw error;
    }
  }

  async #release(): Promise<void> {
    const { client, namespace, name } = this.#options;
    const path = pathOf(leases, { namespace, name });
    const lease = await client.request<Lease>({ method: "GET", path });
    if (lease.spec.holderIdentity !== this.identity) return;
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
    await client.request({ method: "PUT", path, body: { ...lease, spec } });
  }
}
