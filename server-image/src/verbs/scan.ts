import { setImmediate as turn } from "node:timers/promises";
import { isHidden, ProtocolError, scan as syntax } from "@atrium/protocol";
import { nameTest } from "../regex.ts";
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
  async handle({ showHidden, atSign: peer, regex }, { atSign, store, peers, now }, connection) {
    if (connection.state !== "owner") {
      if (peer !== undefined) {
        throw new ProtocolError("unauthenticated", "Scan to another atSign cannot be performed without auth");
      }
      return connection.state === "peer"
        ? await list({ store, now, regex, prefix: `${connection.peer}:`, shown: () => true })
        : await list({ store, now, regex, prefix: "public:", shown: (key) => !key.startsWith("public:_") });
    }
    if (peer !== undefined && peer !== atSign) {
      return await peers.askAs(peer, syntax.format({ ...(regex !== undefined && { regex }) }));
    }
    return await list({ store, now, regex, prefix: "", shown: (key) => !isHidden(key, showHidden) });
  },
});

interface Listing {
  readonly store: Pick<Store, "keys">;
  readonly now: () => number;
  readonly regex: string | undefined;
  /** only names that begin with it, shown without it */
  readonly prefix: string;
  readonly shown: (key: string) => boolean;
}

async function list({ store, now, regex, prefix, shown }: Listing): Promise<string> {
  const matches = await nameTest(regex);
  const liveAt = now();
  const names: string[] = [];
  let bytes = 0;
  for (let after: string | undefined; ; ) {
    const page = store.keys({ prefix, after, limit: pageSize, liveAt });
    for (const key of page.keys) {
      if (!shown(key) || !matches(key)) continue;
      const name = JSON.stringify(key.slice(prefix.length));
      bytes += Buffer.byteLength(name) + 1;
      if (bytes > maxReplyBytes) {
        throw new ProtocolError("buffer_limit", "too many names for one reply; narrow them by a regex", {
          closes: false,
        });
      }
      names.push(name);
    }
    if (page.next === undefined) return `[${names.join(",")}]`;
    after = page.next;
    // Other connections come in between.
    await turn();
  }
}
