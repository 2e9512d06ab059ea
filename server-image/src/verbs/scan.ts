import { formatTimestamp, isHidden, ProtocolError, scan as syntax } from "@atrium/protocol";
import { checkNames } from "../outbound/remote-record.ts";
import { Pace } from "../pace.ts";
import { nameTest } from "../regex.ts";
import { mayList } from "../rights/rights.ts";
import type { Store } from "../store/store.ts";
import { verb } from "./verb.ts";

const pageSize = 1_000;
/** As clients accept it; a few characters of it are what is around the names. */
const maxReplyBytes = 10_240_000 - 1_000;

/**
 * Lists the names of records: all for the owner, for another atSign those that are shared with it, for anybody else the
 * public ones; the latter two without their prefixes.
 */
export const scan = verb({
  syntax,
  allow: ["anonymous", "owner", "peer"],
  async handle({ showHidden, atSign: peer, commitLog, regex }, { atSign, store, peers, now }, connection) {
    const pace = new Pace(connection);
    if (connection.state !== "owner") {
      if (peer !== undefined) {
        throw new ProtocolError("unauthenticated", "Scan to another atSign cannot be performed without auth");
      }
      return connection.state === "peer"
        ? await list({ store, now, pace, regex, prefix: `${connection.peer}:`, shown: () => true })
        : await list({ store, now, pace, regex, prefix: "public:", shown: (key) => !key.startsWith("public:_") });
    }
    if (peer !== undefined && peer !== atSign) {
      return checkNames(await peers.askAs(peer, syntax.format({ ...(regex !== undefined && { regex }) })), peer);
    }
    const { enrollment } = connection;
    const shown = (key: string) =>
      !isHidden(key, showHidden) && (enrollment === undefined || mayList(enrollment.namespaces, key));
    return commitLog
      ? await listLog({ store, pace, regex, shown })
      : await list({ store, now, pace, regex, prefix: "", shown });
  },
});

/** The commit log in place of the names: what happened to each last. When something was deleted is not kept. */
async function listLog({ store, pace, regex, shown }: LogListing): Promise<string> {
  const matches = await nameTest(regex);
  const list = new ListText();
  for (let after = -1; ; ) {
    const page = store.changes({ after, limit: pageSize });
    for (const { key: atKey, operation, commitId } of page) {
      after = commitId;
      const pause = pace.next();
      if (pause !== undefined) await pause;
      if (!shown(atKey) || !matches(atKey)) continue;
      const updatedAt = operation === "-" ? undefined : store.get(atKey)?.metadata.updatedAt;
      const opTime = updatedAt === undefined ? null : formatTimestamp(updatedAt);
      list.add(JSON.stringify({ atKey, operation, commitId, opTime }));
    }
    if (page.length < pageSize) return list.text;
  }
}

/** A list in JSON that does not outgrow a reply. */
class ListText {
  readonly #parts: string[] = [];
  #bytes = 0;

  /**
   * @param part one item or several, with commas between them
   * @throws {ProtocolError} `buffer_limit`
   */
  add(part: string): void {
    this.#bytes += Buffer.byteLength(part) + 1;
    if (this.#bytes > maxReplyBytes) {
      const detail = "too many names for one reply; narrow them by a regex";
      throw new ProtocolError("buffer_limit", detail, { closes: false });
    }
    this.#parts.push(part);
  }

  get text(): string {
    return `[${this.#parts.join(",")}]`;
  }
}

interface Selection {
  readonly pace: Pace;
  readonly regex: string | undefined;
  readonly shown: (key: string) => boolean;
}

interface LogListing extends Selection {
  readonly store: Pick<Store, "changes" | "get">;
}

interface Listing extends Selection {
  readonly store: Pick<Store, "keys">;
  readonly now: () => number;
  /** only names that begin with it, shown without it */
  readonly prefix: string;
}

async function list({ store, now, pace, regex, prefix, shown }: Listing): Promise<string> {
  const matches = await nameTest(regex);
  const liveAt = now();
  const list = new ListText();
  for (let after: string | undefined; ; ) {
    const page = store.keys({ prefix, after, limit: pageSize, liveAt });
    const names: string[] = [];
    for (const key of page.keys) {
      const pause = pace.next();
      if (pause !== undefined) await pause;
      if (shown(key) && matches(key)) names.push(key.slice(prefix.length));
    }
    if (names.length > 0) list.add(JSON.stringify(names).slice(1, -1));
    if (page.next === undefined) return list.text;
    after = page.next;
  }
}
