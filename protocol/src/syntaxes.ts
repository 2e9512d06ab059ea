import { normalise, type Syntax } from "./syntax.ts";
import { batch } from "./verbs/batch.ts";
import { config } from "./verbs/config.ts";
import { cram } from "./verbs/cram.ts";
import { deleteRecord } from "./verbs/delete.ts";
import { enroll } from "./verbs/enroll.ts";
import { from } from "./verbs/from.ts";
import { info } from "./verbs/info.ts";
import { keys } from "./verbs/keys.ts";
import { llookup } from "./verbs/llookup.ts";
import { lookup } from "./verbs/lookup.ts";
import { monitor } from "./verbs/monitor.ts";
import { noop } from "./verbs/noop.ts";
import { notify } from "./verbs/notify.ts";
import { notifyAll } from "./verbs/notify-all.ts";
import { notifyFetch, notifyRemove, notifyStatus } from "./verbs/notify-id.ts";
import { notifyList } from "./verbs/notify-list.ts";
import { otp } from "./verbs/otp.ts";
import { pkam } from "./verbs/pkam.ts";
import { plookup } from "./verbs/plookup.ts";
import { pol } from "./verbs/pol.ts";
import { scan } from "./verbs/scan.ts";
import { stats } from "./verbs/stats.ts";
import { sync } from "./verbs/sync.ts";
import { to } from "./verbs/to.ts";
import { update } from "./verbs/update.ts";
import { updateMeta } from "./verbs/update-meta.ts";

/** Every verb. One that is not here is an unknown command. */
export const syntaxes = [
  from,
  cram,
  pkam,
  pol,
  info,
  to,
  noop,
  scan,
  update,
  updateMeta,
  llookup,
  lookup,
  plookup,
  deleteRecord,
  notify,
  notifyAll,
  notifyStatus,
  notifyList,
  notifyFetch,
  notifyRemove,
  monitor,
  sync,
  batch,
  stats,
  config,
  enroll,
  otp,
  keys,
] as const;

const verbs: ReadonlySet<string> = new Set(syntaxes.map(({ verb }: Pick<Syntax<unknown>, "verb">) => verb));

/**
 * @param line a command without newline
 * @returns the `verb` of the syntax that reads it; undefined for an unknown command
 */
export function verbOf(line: string): string | undefined {
  const [, first = "", second = ""] = /^([a-z]+)(?:\s|:([a-z]+)(?=:|$)|:|$)/i.exec(normalise(line)) ?? [];
  const both = `${first}:${second}`.toLowerCase();
  if (verbs.has(both)) return both;
  return verbs.has(first) ? first : undefined;
}
