import type { NameRecord } from "../../registry.ts";
import type { StreamEntry } from "./link.ts";

export interface StoredRecord {
  readonly record: NameRecord;
  /** id of the registry that it was last written to */
  readonly era: string;
}

export interface Change {
  readonly streamId: string;
  readonly number: number;
  readonly registryId: string;
  readonly name: string;
  /** undefined: released */
  readonly record: NameRecord | undefined;
}

/** @throws {Error} when it is not one of ours */
export function parseChange({ id, fields }: StreamEntry): Change {
  const name = fields.get("name");
  const text = fields.get("record");
  const registryId = fields.get("registry");
  if (name === undefined || text === undefined || registryId === undefined) throw new Error("a change lacks a field");
  return {
    streamId: id,
    number: wholeNumber(fields.get("number")),
    registryId,
    name,
    record: parseStored(name, text)?.record,
  };
}

/**
 * @param text empty: there is none
 * @throws {Error} when it is not one of ours
 */
export function parseStored(name: string, text: string): StoredRecord | undefined {
  if (text === "") return undefined;
  const stored: unknown = JSON.parse(text);
  if (typeof stored !== "object" || stored === null) throw new Error("a record is no object");
  const { claim, generation, host, port, era } = stored as Record<string, unknown>;
  if (typeof claim !== "string" || typeof era !== "string") throw new Error("a record lacks a member");
  const address = typeof host === "string" ? { host, port: wholeNumber(port) } : undefined;
  return { record: { name, claim, generation: wholeNumber(generation), address }, era };
}

/** @throws {Error} when the text is none */
export function wholeNumber(text: unknown): number {
  if (typeof text !== "string" || !/^\d{1,16}$/.test(text))
    throw new Error("a record has something else than a number");
  return Number(text);
}
