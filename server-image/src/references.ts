import { isLive } from "@atrium/protocol";
import type { Store, StoredRecord } from "./store/store.ts";

/** How many references in a row are followed. */
const maxDepth = 3;

/**
 * Replaces a value `atsign://key@owner` by the value of that record.
 *
 * @param scope of the record, tried first for the one referred to; then `public:`
 * @returns the record with that value; without a value when the reference leads nowhere
 */
export function resolveReference(
  store: Pick<Store, "get">,
  record: StoredRecord,
  scope: string,
  now: number,
): StoredRecord {
  let value = record.value;
  for (let depth = 0; value?.startsWith("atsign://"); depth++) {
    if (depth === maxDepth) return { key: record.key, value: undefined, metadata: record.metadata };
    const name = value.slice("atsign://".length).trim().toLowerCase();
    const target = [scope, "public:"]
      .map((prefix) => store.get(`${prefix}${name}`))
      .find((found) => {
        return found !== undefined && isLive(found.metadata, now);
      });
    value = target?.value;
  }
  return value === record.value ? record : { key: record.key, value, metadata: record.metadata };
}
