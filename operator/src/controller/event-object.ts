import type { Applied } from "./writer.ts";

/** Which object something happened to. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
}

/** What is told to people who look at an object. */
export interface Happening<Reason extends string> {
  readonly regarding: ObjectReference;
  readonly type: "Normal" | "Warning";
  /** of a published set */
  readonly reason: Reason;
  /** what was done or tried, in one word */
  readonly action: string;
  /** for people; what is longer than 1,024 bytes is cut */
  readonly note: string;
}

export interface Reporter {
  /** `atrium.dev/operator` */
  readonly controller: string;
  /** which of its processes */
  readonly instance: string;
}

/** How often the same happened. */
export interface Count {
  readonly count: number;
  readonly first: Date;
  readonly last: Date;
}

const maxNoteBytes = 1_024;
const maxInstanceLength = 128;
const maxNameLength = 253;

/** Those that differ in nothing of this are one series, as client-go has it: what the notes say may differ each time. */
export function seriesKey({ regarding, type, reason, action }: Happening<string>): string {
  const { apiVersion, kind, namespace = "", name, uid = "" } = regarding;
  return [apiVersion, kind, namespace, name, uid, type, reason, action].join("\0");
}

/** Where the events of an object are: those of objects without a namespace are in `default`. */
export function namespaceOf({ regarding }: Happening<string>): string {
  return regarding.namespace ?? "default";
}

/** @param id what tells it from the object's other events; hexadecimal */
export function eventName({ regarding }: Happening<string>, id: string): string {
  return `${regarding.name.slice(0, maxNameLength - id.length - 1).replace(/[.-]+$/, "")}.${id}`;
}

/** An Event of events.k8s.io/v1. */
export function eventObject(
  happening: Happening<string>,
  { name, reporter, count }: { readonly name: string; readonly reporter: Reporter; readonly count: Count },
): Applied {
  const { regarding, type, reason, action, note } = happening;
  const event = {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name, namespace: namespaceOf(happening) },
    eventTime: microTime(count.first),
    reportingController: reporter.controller,
    reportingInstance: reporter.instance.slice(0, maxInstanceLength),
    ...{ regarding, type, reason, action, note: cut(note, maxNoteBytes) },
    ...(count.count > 1 && { series: series(count) }),
  };
  return event;
}

export function series({ count, last }: Count) {
  return { count, lastObservedTime: microTime(last) };
}

function microTime(time: Date): string {
  return time.toISOString().replace("Z", "000Z");
}

/** At most so many bytes of UTF-8, of whole characters. */
function cut(text: string, maxBytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
