import { setImmediate as turn } from "node:timers/promises";
import { formatTimestamp, ProtocolError, stats as syntax } from "@atrium/protocol";
import { countStatistic, sweepStatistic } from "../notifications/statistics.ts";
import { nameTest } from "../regex.ts";
import { maySync, type Namespaces } from "../rights/rights.ts";
import type { Store } from "../store/store.ts";
import { protocolVersion } from "../version.ts";
import { type Parts, verb } from "./verb.ts";

/** How this atServer is doing. Of what it does not have (compactions of logs) there are none. */
export const stats = verb({
  syntax,
  allow: ["owner"],
  async handle({ ids = [...statistics.keys()], regex }, parts, { enrollment }) {
    const answers: string[] = [];
    for (const id of ids) {
      const statistic = statistics.get(id);
      if (statistic === undefined) throw new ProtocolError("invalid_syntax", `there is no statistic ${id}`);
      const value = await statistic.read(parts, { regex, namespaces: enrollment?.namespaces });
      answers.push(JSON.stringify({ id: String(id), name: statistic.name, value }));
    }
    // The blank is part of the protocol.
    return ` [${answers.join(", ")}]`;
  },
});

/** Which keys count. */
interface Selection {
  readonly regex: string | undefined;
  /** of an enrolled app */
  readonly namespaces: Namespaces | undefined;
}

interface Statistic {
  readonly name: string;
  read(parts: Parts, of: Selection): unknown;
}

const noCompaction = () => "{}";

const statistics: ReadonlyMap<number, Statistic> = new Map<number, Statistic>([
  [1, { name: "activeInboundConnections", read: ({ connections }) => String(connections().inbound) }],
  [2, { name: "activeOutboundConnections", read: ({ connections }) => String(connections().outbound) }],
  [3, { name: "lastCommitID", read: ({ store }, of) => lastCommitId(store, of) }],
  [4, { name: "secondaryStorageSize", read: ({ store }) => store.size() }],
  [5, { name: "topAtSigns", read: ({ access }) => JSON.stringify(access.topAtSigns()) }],
  [6, { name: "topKeys", read: ({ access }) => JSON.stringify(access.topKeys()) }],
  [7, { name: "secondaryServerVersion", read: () => protocolVersion }],
  [8, { name: "LastLoggedInDatetime", read: ({ access }) => moment(access.lastLoginMs) }],
  [9, { name: "diskSize", read: ({ store }) => JSON.stringify(inUnits(store.size())) }],
  [10, { name: "LastPkam", read: () => "Not Available" }],
  [
    11,
    {
      name: "NotificationCount",
      read: ({ store, now }) => JSON.stringify(countStatistic(store.notifications.counts(), now())),
    },
  ],
  [12, { name: "CommitLogCompactionStats", read: noCompaction }],
  [13, { name: "AccessLogCompactionStats", read: noCompaction }],
  [
    14,
    {
      name: "NotificationCompactionStats",
      read: ({ notifications }) => JSON.stringify(sweepStatistic(notifications.lastSweep)),
    },
  ],
  [15, { name: "LatestCommitEntryOfEachKey", read: ({ store }, of) => latestEntries(store, of) }],
]);

/** `null` as text when no key matches: clients read the value as text. All of them ask for this, again and again. */
async function lastCommitId(store: Store, of: Selection): Promise<string> {
  const counts = await keyTest(of);
  if (counts === undefined) return store.lastCommitId < 0 ? "null" : String(store.lastCommitId);
  for (let before = store.lastCommitId + 1; ; ) {
    const page = store.changesBefore({ before, limit: pageSize });
    const last = page.find(({ key }) => counts(key));
    if (last !== undefined) return String(last.commitId);
    if (page.length < pageSize) return "null";
    before = page.at(-1)?.commitId ?? 0;
    await turn();
  }
}

async function latestEntries(store: Store, of: Selection): Promise<string> {
  const counts = (await keyTest(of)) ?? (() => true);
  const entries: string[] = [];
  let bytes = 0;
  for (let after = -1; ; ) {
    const page = store.changes({ after, limit: pageSize });
    for (const { key, commitId, operation } of page) {
      if (!counts(key)) continue;
      const entry = `${JSON.stringify(key)}:[${commitId},"${operation}"]`;
      bytes += Buffer.byteLength(entry) + 1;
      if (bytes > maxReplyBytes) throw tooMany();
      entries.push(entry);
    }
    if (page.length < pageSize) return `{${entries.join(",")}}`;
    after = page.at(-1)?.commitId ?? after;
    // Other connections come in between.
    await turn();
  }
}

/** @returns undefined when every key counts */
async function keyTest({ regex, namespaces }: Selection): Promise<((key: string) => boolean) | undefined> {
  const all = regex === undefined || regex === ".*";
  if (namespaces === undefined) return all ? undefined : await nameTest(regex);
  const matches = await nameTest(regex);
  return (key) => maySync(namespaces, key) && matches(key);
}

const pageSize = 1_000;
/** The text stands in a text, whose quotes are escaped. */
const maxReplyBytes = 8_000_000;

function tooMany(): ProtocolError {
  return new ProtocolError("buffer_limit", "too many keys for one reply; narrow them by a regex", { closes: false });
}

function moment(epochMs: number | undefined): string {
  return epochMs === undefined ? "Not Available" : formatTimestamp(epochMs);
}

function inUnits(bytes: number): { size: string; units: string } {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return { size: (bytes / 1024 ** power).toFixed(2), units: units[power] ?? "B" };
}
