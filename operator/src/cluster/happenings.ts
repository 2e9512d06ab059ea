import type { EventRecorder } from "../controller/events.ts";
import type { AtSign } from "../resources/at-sign.ts";

/** Every reason of an Event that the operator tells of an AtSign. Published: people filter by them. */
export type EventReason =
  | "Claimed"
  | "Unclaimed"
  | "Released"
  | "Started"
  | "Stopped"
  | "Replaced"
  | "Restarted"
  | "Refused"
  | "Degraded"
  | "DeletionIncomplete";

export type Recorder = Pick<EventRecorder<EventReason>, "record">;

const warnings: readonly EventReason[] = ["Unclaimed", "Restarted", "Refused", "Degraded", "DeletionIncomplete"];

/** Tells people who look at an AtSign what was done. */
export function tell(recorder: Recorder, { metadata }: AtSign, reason: EventReason, note: string): void {
  const { namespace, name, uid } = metadata;
  const type = warnings.includes(reason) ? "Warning" : "Normal";
  const regarding = { apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", namespace, name, uid };
  recorder.record({ regarding, type, reason, action: "Reconcile", note });
}
