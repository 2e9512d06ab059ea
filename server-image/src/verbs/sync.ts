import { formatMetadataJson, keyType, type SyncParams, sync as syntax } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { Pace } from "../pace.ts";
import { replyJson } from "../records.ts";
import { nameTest } from "../regex.ts";
import { maySync } from "../rights/rights.ts";
import type { CommitEntry, Store } from "../store/store.ts";
import { verb } from "./verb.ts";

/** What clients of the reference expect when they do not say. */
const defaultLimit = 25;
const maxPageBytes = 5_242_880;
/** Entries that are read from the log at once. */
const stepSize = 500;
/** What was found by then is given out, so that a client that wants few of many changes does not wait for a full page. */
const patienceMs = 1_000;

/**
 * What has changed since a commit: filtered first and then cut into a page, so that an empty page means that nothing
 * follows. In memory is one page, whatever the log's length.
 */
export const sync = verb({
  syntax,
  allow: ["owner"],
  async handle(params, { store, log }, connection) {
    const { after, limit = defaultLimit } = params;
    const tooLarge = (key: string) => log.warn({ key }, "not synced: too large for a reply in JSON");
    const wanted = await entryTest(params, connection);
    const pace = new Pace(connection);
    const page = new Page(limit);
    // Most clients want all, and then as many are looked at as are given out.
    for (let last = after, size = Math.min(stepSize, limit); !page.full; size = stepSize) {
      const step = store.changes({ after: last, limit: size });
      // A shorter one says nothing: some of its changes may have become newer ones while others had their turn.
      if (step.length === 0) break;
      for (const entry of step) {
        const text = wanted(entry) ? entryText(entry, store, tooLarge) : undefined;
        if (text !== undefined) page.add(text);
        if (page.full) return page.text;
        last = entry.commitId;
        const pause = pace.next();
        if (pause !== undefined) await pause;
      }
      if (!page.empty && pace.elapsedMs > patienceMs) break;
    }
    return page.text;
  },
});

async function entryTest(
  { skipDeletesUntil = -1, regex }: SyncParams,
  { enrollment }: Connection,
): Promise<(entry: CommitEntry) => boolean> {
  const matches = await nameTest(regex);
  return ({ key, operation, commitId }) =>
    !(operation === "-" && commitId <= skipDeletesUntil) &&
    (matches(key) || isAlwaysSynced(key)) &&
    (enrollment === undefined || maySync(enrollment.namespaces, key));
}

/** Changes that are given out together: one at least, however large. */
class Page {
  readonly #limit: number;
  readonly #entries: string[] = [];
  #bytes = 0;
  #full: boolean;

  constructor(limit: number) {
    this.#limit = limit;
    this.#full = limit === 0;
  }

  get full(): boolean {
    return this.#full;
  }

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  get text(): string {
    return `[${this.#entries.join(",")}]`;
  }

  add(entry: string): void {
    this.#bytes += Buffer.byteLength(entry) + 1;
    this.#full = !this.empty && this.#bytes > maxPageBytes;
    if (this.#full) return;
    this.#entries.push(entry);
    this.#full = this.#entries.length === this.#limit;
  }
}

/**
 * @returns undefined for a change behind which there is a newer one; and for what no client could take, since an error
 *   would keep it from everything behind that, too
 */
function entryText(
  entry: CommitEntry,
  store: Pick<Store, "committed">,
  onTooLarge: (key: string) => void,
): string | undefined {
  const { key, commitId, operation } = entry;
  if (operation === "-") return JSON.stringify({ atKey: key, value: null, metadata: null, commitId, operation });
  const record = store.committed(entry);
  if (record === undefined) return undefined;
  const metadata = Object.fromEntries(
    Object.entries(formatMetadataJson(record.metadata)).map(([name, value]) => [name, asText(value)]),
  );
  const { value = null } = record;
  const text = replyJson({ atKey: key, value, metadata, commitId, operation }, value ?? "");
  if (text === undefined) onTooLarge(key);
  return text;
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
