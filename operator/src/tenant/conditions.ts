/**
 * The conditions of an AtSign and every reason that they can have. Published: users write alerts on them.
 *
 * @see Kubernetes API conventions, "Typical status properties"
 */
export const reasons = {
  Ready: ["Serving", "Starting", "Restarting", "Suspended", "Unclaimed", "Withdrawn"],
  Claimed: ["Claimed", "NameTaken", "HostTaken", "StaleGeneration", "DirectoryUnreachable"],
  Listed: ["Listed", "Parked", "NotListed"],
  Activated: ["Activated", "NotActivated"],
  Degraded: ["AsExpected", "CrashLoop"],
} as const;

export type ConditionType = keyof typeof reasons;

export interface Condition<T extends ConditionType = ConditionType> {
  readonly type: T;
  readonly status: boolean;
  readonly reason: (typeof reasons)[T][number];
  readonly message?: string;
}

export function condition<T extends ConditionType>(
  type: T,
  status: boolean,
  reason: (typeof reasons)[T][number],
  message?: string,
): Condition<T> {
  return { type, status, reason, ...(message !== undefined && { message }) };
}
