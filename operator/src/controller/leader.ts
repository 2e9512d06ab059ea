import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { type ApiClient, ApiError, type KubernetesObject, pathOf, type RequestParts } from "./api.ts";
import { LeaseTerm } from "./lease-term.ts";
import type { Term } from "./term.ts";

export type { Term } from "./term.ts";

export interface LeaderOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly namespace: string;
  readonly name: string;
  /** of this process; made up without it */
  readonly identity?: string;
  /** others may lead when they saw no renewal for so long; told to them in whole seconds, rounded up */
  readonly leaseMs?: number;
  /** a leader that could not renew for so long writes nothing any more; below `leaseMs` */
  readonly deadlineMs?: number;
  /** a leader renews so often; a follower looks so often, or when the lease may have ended */
  readonly renewMs?: number;
  readonly monotonic?: () => number;
  /** for people who read the Lease; nothing is decided by it */
  readonly now?: () => Date;
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
  readonly #deadlineMs: number;
  readonly #renewMs: number;
  /** for one request, so that there is time for another when it is lost */
  readonly #attemptMs: number;
  readonly #monotonic: () => number;
  readonly #path: string;
  /** what was seen of the lease last, and when that changed */
  #seen: { readonly lease: Lease; readonly atMs: number } | undefined;

  /** @throws {RangeError} when the times do not fit together */
  constructor(options: LeaderOptions) {
    const { leaseMs = 8_000, deadlineMs = 5_000, renewMs = 2_000 } = options;
    if (!(renewMs < deadlineMs && deadlineMs < leaseMs)) throw new RangeError("not renewMs < deadlineMs < leaseMs");
    this.#options = options;
    this.identity = options.identity ?? `${hostname()}_${randomUUID()}`;
    this.#leaseMs = leaseMs;
    this.#deadlineMs = deadlineMs;
    this.#renewMs = renewMs;
    this.#attemptMs = deadlineMs / 2;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#path = pathOf(leases, { namespace: options.namespace, name: options.name });
  }

  /**
   * Waits for the lease, and runs `lead` while it is held; again and again, until the signal ends it. The lease is renewed
   * until `lead` has ended, and then given up, so that the next one need not wait.
   *
   * @param lead ends soon after its term's signal was aborted
   * @throws what `lead` throws
   */
  async run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const takenMs = await this.#acquired(signal);
      if (takenMs !== undefined) await this.#lead(takenMs, lead, signal);
    }
  }

  /** @returns when it was taken, before the request; undefined when it was ended */
  async #acquired(signal: AbortSignal): Promise<number | undefined> {
    while (!signal.aborted) {
      const beganMs = this.#monotonic();
      try {
        if (await this.#take({ deadlineMs: this.#attemptMs, signal })) return beganMs;
      } catch (error) {
        // Of candidates that try at once, all but one meet a conflict.
        if (!signal.aborted && !isConflict(error)) this.#options.onError(error);
      }
      await delay(this.#followMs(), undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  /** Until the lease may have ended, at most one interval; not all candidates at the same time. */
  #followMs(): number {
    const leftMs = this.#seen === undefined ? Number.POSITIVE_INFINITY : this.#endMs(this.#seen) - this.#monotonic();
    const jitter = 0.75 + Math.random() / 2;
    return leftMs > 0 ? Math.min(this.#renewMs * jitter, leftMs + Math.random() * 100) : this.#renewMs * jitter;
  }

  async #lead(takenMs: number, lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    using term = new LeaseTerm({ endMs: takenMs + this.#deadlineMs, stop: signal, monotonic: this.#monotonic });
    const ended = new AbortController();
    const leading = lead(term).finally(() => ended.abort());
    // Told to the caller below.
    leading.catch(() => undefined);
    await this.#renewed(term, ended.signal);
    const held = term.remainingMs();
    term.end();
    if (held > 0) await this.#release(held).catch(this.#options.onError);
    await leading;
  }

  /** @returns once the lease is lost, or leading has ended */
  async #renewed(term: LeaseTerm, ended: AbortSignal): Promise<void> {
    for (let pauseMs = this.#renewMs; ; ) {
      await delay(Math.min(pauseMs, term.remainingMs()), undefined, { signal: ended }).catch(() => undefined);
      const beganMs = this.#monotonic();
      const leftMs = term.remainingMs();
      if (ended.aborted || leftMs === 0) return;
      try {
        // Not cut short when leading ends: then it would not be known what to give up.
        if (!(await this.#take({ deadlineMs: Math.min(leftMs, this.#attemptMs) }))) return;
        term.extend(beganMs + this.#deadlineMs);
        pauseMs = this.#renewMs;
      } catch (error) {
        this.#options.onError(error);
        pauseMs = Math.max(this.#renewMs / 4, error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0);
      }
    }
  }

  /**
   * Takes or renews it.
   *
   * @returns whether it is ours now
   * @throws {ApiError} a conflict when another was faster
   */
  async #take(how: Pick<RequestParts, "deadlineMs" | "signal">): Promise<boolean> {
    const held = this.#seen?.lease.spec.holderIdentity === this.identity;
    if (held && (await this.#renew(how))) return true;
    const lease = await this.#read(how);
    const seen = this.#seen;
    // That it is gone ends nobody's term.
    const holder = (lease ?? seen?.lease)?.spec.holderIdentity ?? "";
    const free = holder === "" || holder === this.identity || seen === undefined;
    if (!free && this.#monotonic() < this.#endMs(seen)) return false;
    await this.#write(lease, how);
    return true;
  }

  /** Without reading it first. @returns false when it is not what we wrote last */
  async #renew(how: Pick<RequestParts, "deadlineMs" | "signal">): Promise<boolean> {
    try {
      await this.#write(this.#seen?.lease, how);
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }

  /** @returns undefined when there is none */
  async #read(how: Pick<RequestParts, "deadlineMs" | "signal">): Promise<Lease | undefined> {
    try {
      const lease = await this.#request<Lease>({ ...how, method: "GET", path: this.#path });
      const known = this.#seen?.lease.metadata;
      const { uid, resourceVersion } = lease.metadata;
      if (known?.uid !== uid || known?.resourceVersion !== resourceVersion) this.#see(lease);
      return lease;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #write(previous: Lease | undefined, how: Pick<RequestParts, "deadlineMs" | "signal">): Promise<void> {
    const { namespace, name, now = () => new Date() } = this.#options;
    const time = now().toISOString().replace("Z", "000Z");
    const ours = previous?.spec.holderIdentity === this.identity;
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      // With the version that was read: of two that try at once, one is refused.
      metadata: { ...previous?.metadata, namespace, name },
      spec: {
        holderIdentity: this.identity,
        leaseDurationSeconds: Math.ceil(this.#leaseMs / 1000),
        acquireTime: ours ? (previous.spec.acquireTime ?? time) : time,
        renewTime: time,
        leaseTransitions: (previous?.spec.leaseTransitions ?? 0) + (ours || previous === undefined ? 0 : 1),
      },
    };
    const target =
      previous === undefined
        ? ({ method: "POST", path: pathOf(leases, { namespace }) } as const)
        : ({ method: "PUT", path: this.#path } as const);
    this.#see(await this.#request<Lease>({ ...how, ...target, body: lease }));
  }

  async #release(deadlineMs: number): Promise<void> {
    try {
      await this.#giveUp(deadlineMs);
    } catch (error) {
      if (!isConflict(error)) throw error;
      // A renewal that was not answered had its effect.
      await this.#read({ deadlineMs });
      await this.#giveUp(deadlineMs);
    }
  }

  async #giveUp(deadlineMs: number): Promise<void> {
    const lease = this.#seen?.lease;
    if (lease?.spec.holderIdentity !== this.identity) return;
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
    this.#see(await this.#request<Lease>({ method: "PUT", path: this.#path, body: { ...lease, spec }, deadlineMs }));
  }

  #see(lease: Lease): void {
    this.#seen = { lease, atMs: this.#monotonic() };
  }

  /** When the lease ends for those who do not hold it. */
  #endMs({ lease, atMs }: { readonly lease: Lease; readonly atMs: number }): number {
    return atMs + (lease.spec.leaseDurationSeconds ?? 0) * 1000;
  }

  #request<T>(parts: RequestParts): Promise<T> {
    return this.#options.client.request<T>({ ...parts, urgent: true });
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}
