import { cram } from "./cram.ts";
import { from } from "./from.ts";
import { info } from "./info.ts";
import { llookup } from "./llookup.ts";
import { noop } from "./noop.ts";
import { pkam } from "./pkam.ts";
import { update } from "./update.ts";
import { updateMeta } from "./update-meta.ts";

/** Every verb of this server. One that is not here is an unknown command. */
export const verbs = [from, cram, pkam, info, noop, update, updateMeta, llookup] as const;
