import { ApiError } from "../controller/api.ts";
import type { Obstacle } from "../tenant/observe.ts";

/** What the operator cannot make, for a reason that people must see to. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly reason: Obstacle["reason"];

  constructor(reason: Obstacle["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** @returns undefined for what may succeed the next time */
export function refusalOf(error: unknown): Obstacle | undefined {
  if (error instanceof RefusedError) return { reason: error.reason, message: error.message, preventsStart: true };
  if (!(error instanceof ApiError) || (error.status !== 403 && error.status !== 422)) return undefined;
  // A namespace that was made a moment ago has it soon.
  if (error.message.includes("error looking up service account")) return undefined;
  return error.message.includes("exceeded quota")
    ? {
        reason: "QuotaExceeded",
        message: `${error.message}; raise the ResourceQuota, or delete something`,
        preventsStart: true,
      }
    : { reason: "ObjectRefused", message: `the API server refuses it: ${error.message}`, preventsStart: true };
}
