import { parseAtSign } from "../atsign.ts";
import { storedKey } from "../key.ts";
import type { MetadataChange } from "../metadata.ts";
import { parseMetadataJson } from "../metadata-json.ts";
import { formatMetadata, readMetadata } from "../metadata-text.ts";
import type { UpdateParams } from "./update.ts";

/**
 * The JSON of `update:json:`: `atKey`, `value`, `sharedBy`, `sharedWith`, `metadata`.
 *
 * @returns undefined when a member is missing or has a value that the text form could not have
 * @throws {ProtocolError}
 */
export function parseUpdateJson(text: string): UpdateParams | undefined {
  const { atKey, value, sharedBy, sharedWith, metadata } = parseObject(text);
  if (typeof atKey !== "string" || typeof value !== "string" || !isOneLine(value)) return undefined;
  if (!/^(?:[^:@\s]+|privatekey:at_pkam_publickey)$/i.test(atKey)) return undefined;
  const key = storedKey(
    `${scopeOf(sharedWith, metadata)}${atKey}${typeof sharedBy === "string" ? parseAtSign(sharedBy) : ""}`,
  );
  return { key, value: value.trimEnd(), metadata: parseMetadata(metadata) };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // lacks what is needed, and is answered for that
  }
}

/** A stored value goes back as one line: what JSON can escape, a reply cannot. */
function isOneLine(value: string): boolean {
  return value.trim() !== "" && !/[\r\n]/.test(value) && value.isWellFormed();
}

function scopeOf(sharedWith: unknown, metadata: unknown): string {
  if (typeof sharedWith === "string" && sharedWith !== "") return `${parseAtSign(sharedWith)}:`;
  const isPublic = typeof metadata === "object" && metadata !== null && Object.hasOwn(metadata, "isPublic");
  return isPublic && (metadata as { isPublic: unknown }).isPublic === true ? "public:" : "";
}

/** What of it a client may give, held to the rules of the text form. */
function parseMetadata(json: unknown): MetadataChange {
  if (json === undefined || json === null) return {};
  const { createdBy, updatedBy, refreshAt, status, version, ...change } = parseMetadataJson(json);
  return readMetadata(formatMetadata(change), 0).metadata;
}
