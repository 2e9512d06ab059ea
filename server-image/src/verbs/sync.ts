import { setImmediate as turn } from "node:timers/promises";
import { formatMetadataJson, keyType, sync as syntax } from "@atrium/protocol";
import { nameTest } from "../regex.ts";
import { maySync } from "../rights/rights.ts";
import type { CommitEntry, Store } from "../store/store.ts";
import { verb } from "./verb.ts";

/** What clients of the reference expect when they do not say. */
const defaultLimit = 25;
const maxPageBytes = 5_242_880;
/** Entries that are looked at before other connections have their turn. */
const stepSize = 500;

/**
 * What has changed since a commit: filtered first and then cut into a page, so that an empty page means that nothing
 * follows. In memory is one page, whatever the log's length.
 */
export const sync = verb({
  syntax,
  allow: ["owner"],
  async handle({ after, limit = defaultLimit, skipDeletesUntil = -1, regex }, { store }, { enrollment }) {
    const matches = await nameTest(regex);
    const wanted = ({ key, operation, commitId }: CommitEntry) =>
      !(operation === "-" && commitId <= skipDeletesUntil) &&
      (matches(key) || isAlwaysSynced(key)) &&
      (enrollment === undefined || maySync(enrollment.namespaces, key));
    const entries: string[] = [];
    let bytes = 0;
    for (let last = after; entries.length < limit; ) {
      const step = store.changes({ after: last, limit: Math.min(stepSize, limit) });
      for (const entry of step) {
        last = entry.commitId;
        const text = wanted(entry) ? entryText(store, entry) : undefined;
        if (text === undefined) continue;
        bytes += Buffer.byteLength(text) + 1;
        if (entries.length > 0 && bytes > maxPageBytes) return page(entries);
        entries.push(text);
        if (entries.length === limit) return page(entries);
      }
      if (step.length === 0) break;
      await turn();
    }
    return page(entries);
  },
});

function page(entries: readonly string[]): string {
  return `[${entries.join(",")}]`;
}

/** @returns undefined for a change of what is gone: its deletion has an entry of its own */
function entryText(store: Pick<Store, "get">, { key, commitId, operation }: CommitEntry): string | undefined {
  if (operation === "-") return JSON.stringify({ atKey: key, value: null, metadata: null, commitId, operation });
  const record = store.get(key);
  if (record === undefined) return undefined;
  const metadata = Object.fromEntries(
    Object.entries(formatMetadataJson(record.metadata)).map(([name, value]) => [name, asText(value)]),
  );
  return JSON.stringify({ atKey: key, value: record.value ?? null, metadata, commitId, operation });
}

/** Here, and only here, numbers and booleans are text. */
function asText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The keys that every app needs to share and to sign, whatever else it wants to see. */
function isAlwaysSynced(key: string): boolean {
  if (key.startsWith("public:publickey")) return true;
  if (key.startsWith("public:") && !key.includes(".")) return true;
  return key.includes("shared_key") && keyType(key) === "reservedKey";
}
