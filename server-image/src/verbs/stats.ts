import { formatTimestamp, ProtocolError, stats as syntax } from "@atrium/protocol";
import { detailed, summarised } from "../inbound-statistics.ts";
import type { Selection } from "../newest-commits.ts";
import { countStatistic, sweepStatistic } from "../notifications/statistics.ts";
import { Pace } from "../pace.ts";
import { nameTest } from "../regex.ts";
import { maySync, type Namespaces } from "../rights/rights.ts";
import { protocolVersion } from "../version.ts";
import { type Parts, verb } from "./verb.ts";

/** How this atServer is doing. Of what it does not have (compactions of logs) there are none. */
export const stats = verb({
  syntax,
  allow: ["owner"],
  async handle({ ids = [...statistics.keys()], regex }, parts, connection) {
    const asked = { regex, namespaces: connection.enrollment?.namespaces, pace: new Pace(connection) };
    const answers: string[] = [];
    for (const id of ids) {
      const statistic = statistics.get(id);
      if (statistic === undefined) throw new ProtocolError("invalid_syntax", `there is no statistic ${id}`);
      const value = await statistic.read(parts, asked);
      answers.push(JSON.stringify({ id: String(id), name: statistic.name, value }));
    }
    // The blank is part of the protocol.
    return ` [${answers.join(", ")}]`;
  },
});

interface Asked {
  /** which keys count */
  readonly regex: string | undefined;
  /** of an enrolled app: only keys in them count */
  readonly namespaces: Namespaces | undefined;
  readonly pace: Pace;
}

interface Statistic {
  readonly name: string;
  read(parts: Parts, asked: Asked): unknown;
}

const noCompaction = () => "{}";

const statistics: ReadonlyMap<number, Statistic> = new Map<number, Statistic>([
  [1, { name: "activeInboundConnections", read: ({ connections }) => String(connections().inbound) }],
  [2, { name: "activeOutboundConnections", read: ({ connections }) => String(connections().outbound) }],
  [3, { name: "lastCommitID", read: lastCommitId }],
  [4, { name: "secondaryStorageSize", read: ({ store }) => store.size() }],
  [5, { name: "topAtSigns", read: ({ access }) => JSON.stringify(access.topAtSigns()) }],
  [6, { name: "topKeys", read: ({ access }) => JSON.stringify(access.topKeys()) }],
  [7, { name: "secondaryServerVersion", read: () => protocolVersion }],
  [8, { name: "LastLoggedInDatetime", read: ({ access }) => moment(access.lastLoginMs) }],
  [9, { name: "diskSize", read: ({ store }) => JSON.stringify(inUnits(store.size())) }],
  [10, { name: "LastPkam", read: ({ access }) => moment(access.lastPkamMs) }],
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
  [15, { name: "LatestCommitEntryOfEachKey", read: latestEntries }],
  [16, { name: "activeInboundConnectionsSummary", read: summarised }],
  [17, { name: "activeInboundConnectionsDetailed", read: detailed }],
]);

/** `null` as text when no key matches: clients read the value as text. All of them ask for this, again and again. */
async function lastCommitId({ store, newestCommits }: Parts, asked: Asked): Promise<string> {
  const selection = await selected(asked);
  const last = selection === undefined ? store.lastCommitId : await newestCommits.of(selection, asked.pace);
  return last < 0 ? "null" : String(last);
}

async function latestEntries({ store }: Parts, asked: Asked): Promise<string> {
  const selection = await selected(asked);
  const entries: string[] = [];
  let bytes = 0;
  for (let after = -1; ; ) {
    const page = store.changes({ after, limit: pageSize });
    for (const { key, commitId, operation } of page) {
      after = commitId;
      const pause = asked.pace.next();
      if (pause !== undefined) await pause;
      if (selection?.has(key) === false) continue;
      const entry = `${JSON.stringify(key)}:[${commitId},"${operation}"]`;
      bytes += Buffer.byteLength(entry) + 1;
      if (bytes > maxReplyBytes) throw tooMany();
      entries.push(entry);
    }
    if (page.length < pageSize) return `{${entries.join(",")}}`;
  }
}

/** @returns undefined when every key counts */
async function selected({ regex = ".*", namespaces }: Asked): Promise<Selection | undefined> {
  const matches = await nameTest(regex);
  if (namespaces !== undefined) {
    const name = JSON.stringify([regex, Object.keys(namespaces).sort()]);
    return { name, has: (key) => maySync(namespaces, key) && matches(key) };
  }
  return regex === ".*" ? undefined : { name: JSON.stringify([regex]), has: matches };
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
