import { batch } from "./batch.ts";
import { config } from "./config.ts";
import { cram } from "./cram.ts";
import { deleteRecord } from "./delete.ts";
import { enroll } from "./enroll.ts";
import { from } from "./from.ts";
import { info } from "./info.ts";
import { keys } from "./keys.ts";
import { llookup } from "./llookup.ts";
import { lookup } from "./lookup.ts";
import { monitor } from "./monitor.ts";
import { noop } from "./noop.ts";
import { notify } from "./notify.ts";
import { notifyAll } from "./notify-all.ts";
import { notifyFetch, notifyRemove, notifyStatus } from "./notify-id.ts";
import { notifyList } from "./notify-list.ts";
import { otp } from "./otp.ts";
import { pkam } from "./pkam.ts";
import { plookup } from "./plookup.ts";
import { pol } from "./pol.ts";
import { scan } from "./scan.ts";
import { stats } from "./stats.ts";
import { sync } from "./sync.ts";
import { to } from "./to.ts";
import { update } from "./update.ts";
import { updateMeta } from "./update-meta.ts";

/** Every verb of this server. One that is not here is an unknown command. */
export const verbs = [
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
