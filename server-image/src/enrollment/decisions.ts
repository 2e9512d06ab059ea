import { type EnrollmentState, ProtocolError } from "@atrium/protocol";

export type Decision = "approve" | "deny" | "revoke" | "unrevoke" | "delete";

interface Rule {
  /** in which states it may be taken */
  readonly from: readonly EnrollmentState[];
  readonly to: EnrollmentState;
  /** after `Cannot`, of a state it may not be taken in */
  readonly refusal: (state: EnrollmentState) => string;
}

const rules: Readonly<Record<Exclude<Decision, "delete">, Rule>> & { readonly delete: Omit<Rule, "to"> } = {
  approve: {
    from: ["pending"],
    to: "approved",
    refusal: (state) => `approve a ${state} enrollment. Only pending enrollments can be approved`,
  },
  deny: {
    from: ["pending"],
    to: "denied",
    refusal: (state) => `deny a ${state} enrollment. Only pending enrollments can be denied`,
  },
  revoke: {
    from: ["approved"],
    to: "revoked",
    refusal: (state) => `revoke a ${state} enrollment. Only approved enrollments can be revoked`,
  },
  unrevoke: {
    from: ["revoked"],
    to: "approved",
    refusal: (state) => `un-revoke a ${state} enrollment. Only revoked enrollments can be un-revoked`,
  },
  delete: {
    from: ["denied", "revoked"],
    refusal: (state) => `delete ${state} enrollments. Only denied and revoked enrollments can be deleted`,
  },
};

/** The state that a decision leads to. */
export function stateAfter(decision: Exclude<Decision, "delete">): EnrollmentState {
  return rules[decision].to;
}

/** @throws {ProtocolError} `internal` when it cannot be taken in this state */
export function assertDecidable(decision: Decision, id: string, state: EnrollmentState): void {
  const { from, refusal } = rules[decision];
  if (!from.includes(state)) throw failed(decision, id, `Cannot ${refusal(state)}`);
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
