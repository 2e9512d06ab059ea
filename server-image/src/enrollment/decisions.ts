import { type EnrollmentState, ProtocolError } from "@atrium/protocol";

export type Decision = "approve" | "deny" | "revoke" | "unrevoke" | "delete";

interface Rule {
  /** in which states it may be taken */
  readonly from: readonly EnrollmentState[];
  /** what the enrolment is then; undefined: not there any more */
  readonly to: EnrollmentState | undefined;
  /** for the refusal */
  readonly done: string;
}

const rules = {
  approve: { from: ["pending"], to: "approved", done: "approved" },
  deny: { from: ["pending"], to: "denied", done: "denied" },
  revoke: { from: ["approved"], to: "revoked", done: "revoked" },
  unrevoke: { from: ["revoked"], to: "approved", done: "unrevoked" },
  delete: { from: ["denied", "revoked"], to: undefined, done: "deleted" },
} as const satisfies Record<Decision, Rule>;

/** The state that a decision leads to. */
export function stateAfter(decision: Exclude<Decision, "delete">): EnrollmentState {
  return rules[decision].to;
}

/** @throws {ProtocolError} `internal` when it cannot be taken in this state */
export function assertDecidable(decision: Decision, id: string, state: EnrollmentState): void {
  const { from, done }: Rule = rules[decision];
  if (from.includes(state)) return;
  const possible = `Only ${from.join(" and ")} enrollments can be ${done}`;
  throw failed(decision, id, `Cannot ${decision} a ${state} enrollment. ${possible}`);
}

/** A fault of the request; the connection stays open. */
export function failed(decision: Decision, id: string, reason: string): ProtocolError {
  return refused(`Failed to ${decision} enrollment id: ${id}. ${reason}`);
}

export function refused(reason: string): ProtocolError {
  return new ProtocolError("internal", reason, { closes: false });
}

/** Clients read these from their text form. */
export function notApproved(id: string, state: EnrollmentState | undefined, closes = false): ProtocolError {
  const form = { colonForm: true, closes };
  if (state === "denied") return new ProtocolError("apkam_denied", `enrollment_id: ${id} is denied`, form);
  if (state === "pending") return new ProtocolError("apkam_pending", `enrollment_id: ${id} is pending`, form);
  if (state === "revoked") return new ProtocolError("apkam_revoked", `enrollment_id: ${id} is revoked`, form);
  return new ProtocolError("too_many_requests", `enrollment_id: ${id} is expired or invalid`, form);
}
