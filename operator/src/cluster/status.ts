import type { AtSign, AtSignStatus } from "../resources/at-sign.ts";
import type { Condition, ConditionType } from "../tenant/conditions.ts";

type ConditionStatus = NonNullable<AtSignStatus["conditions"]>[number];

/** What is told of an AtSign besides its conditions. */
export type Facts = Pick<AtSignStatus, "host" | "port" | "epoch" | "pod" | "activationSecret">;

/**
 * The status that says this.
 *
 * @returns the very object that is there when it says so already
 */
export function statusOf(
  { status, metadata }: AtSign,
  conditions: readonly Condition[],
  facts: Facts,
  now: number,
): AtSignStatus {
  const generation = metadata.generation ?? 0;
  const next: AtSignStatus = {
    observedGeneration: generation,
    ...definedFacts(facts),
    conditions: conditions.map((condition) => conditionOf(condition, status, generation, now)),
  };
  return status !== undefined && same(status, next) ? status : next;
}

/** What was told last. */
/** Whether the directory has the AtSign's name as its own, as the leader wrote it down last. */
export function isNamed(atSign: AtSign | undefined): boolean {
  return atSign?.status?.conditions?.some(({ type, status }) => type === "Claimed" && status === "True") ?? false;
}

export function conditionsBefore({ status }: AtSign): Condition[] {
  return (status?.conditions ?? []).map(({ type, status, reason, message }) => ({
    ...{ type: type as ConditionType, status: status === "True", reason: reason as Condition["reason"] },
    ...(message !== "" && { message }),
  }));
}

function conditionOf(
  { type, status: holds, reason, message = "" }: Condition,
  before: AtSignStatus | undefined,
  observedGeneration: number,
  now: number,
): ConditionStatus {
  const status = holds ? "True" : "False";
  const known = before?.conditions?.find((condition) => condition.type === type);
  const lastTransitionTime =
    known?.status === status ? known.lastTransitionTime : new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  return { type, status, observedGeneration, lastTransitionTime, reason, message: message.slice(0, 4_096) };
}

function definedFacts(facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Facts;
}

/** The order of conditions and keys says nothing. */
function same(a: AtSignStatus, b: AtSignStatus): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted({ conditions = [], ...facts }: AtSignStatus) {
  const { pod, ...others } = facts;
  return [
    Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1)),
    [pod?.name, pod?.uid],
    [...conditions]
      .sort((a, b) => (a.type < b.type ? -1 : 1))
      .map(({ type, status, observedGeneration, lastTransitionTime, reason, message }) => [
        ...[type, status, observedGeneration, lastTransitionTime, reason, message],
      ]),
  ];
}
