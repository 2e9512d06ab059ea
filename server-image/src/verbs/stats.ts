import { setImmediate as turn } from "node:timers/promises";
import { formatTimestamp, ProtocolError, stats as syntax } from "@atrium/protocol";
import { countStatistic, sweepStatistic } from "../notifications/statistics.ts";
import { nameTest } from "../regex.ts";
import type { CommitEntry, Store } from "../store/store.ts";
import { protocolVersion } from "../version.ts";
import { type Parts, verb } from "./verb.ts";

/** How this atServer is doing. Of what it does not have (compactions of logs) there are none. */
export const stats = verb({
  syntax,
  allow: ["owner"],
  async handle({ ids = [...statistics.keys()], regex }, parts) {
    const answers: string[] = [];
    for (const id of ids) {
      const statistic = statistics.get(id);
      if (statistic === undefined) throw new ProtocolError("invalid_syntax", `there is no statistic ${id}`);
      const value = await statistic.read(parts, regex);
      answers.push(JSON.stringify({ id: String(id), name: statistic.name, value }));
    }
    // The blank is part of the protocol.
    return ` [${answers.join(", ")}]`;
  },
});

interface Statistic {
  readonly name: string;
  read(parts: Parts, regex: string | undefined): unknown;
}

const noCompaction = () => "{}";

const statistics: ReadonlyMap<number, Statistic> = new Map<number, Statistic>([
  [1, { name: "activeInboundConnections", read: ({ connections }) => String(connections().inbound) }],
  [2, { name: "activeOutboundConnections", read: ({ connections }) => String(connections().outbound) }],
  [3, { name: "lastCommitID", read: ({ store }, regex) => lastCommitId(store, regex) }],
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
  [15, { name: "LatestCommitEntryOfEachKey", read: ({ store }, regex) => latestEntries(store, regex) }],
]);

/** `null` as text when no key matches: clients read the value as text. */
async function lastCommitId(store: Store, regex: string | undefined): Promise<string> {
  if (regex === undefined || regex === ".*") return store.lastCommitId < 0 ? "null" : String(store.lastCommitId);
  const matches = await nameTest(regex);
  let last = "null";
  for await (const { key, commitId } of commitLog(store)) if (matches(key)) last = String(commitId);
  return last;
}

async function latestEntries(store: Store, regex: string | undefined): Promise<string> {
  const matches = await nameTest(regex);
  const entries: Record<string, [number, string]> = {};
  for await (const { key, commitId, operation } of commitLog(store)) {
    if (matches(key)) entries[key] = [commitId, operation];
  }
  return JSON.stringify(entries);
}

const pageSize = 1_000;

/** Page by page, so that other connections come in between. */
async function* commitLog(store: Store): AsyncGenerator<CommitEntry> {
  for (let after = -1; ; ) {
    const page = store.changes({ after, limit: pageSize });
    yield* page;
    if (page.length < pageSize) return;
    after = page.at(-1)?.commitId ?? after;
    await turn();
  }
}

function moment(epochMs: number | undefined): string {
  return epochMs === undefined ? "Not Available" : formatTimestamp(epochMs);
}

function inUnits(bytes: number): { size: string; units: string } {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return { size: (bytes / 1024 ** power).toFixed(2), units: units[power] ?? "B" };
}
