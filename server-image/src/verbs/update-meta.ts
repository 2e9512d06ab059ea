import { checkUpdatable, updateMeta as syntax } from "@atrium/protocol";
import { put } from "./update.ts";
import { verb } from "./verb.ts";

/** Changes the metadata of a record and keeps its value; makes a record without a value where there is none. */
export const updateMeta = verb({
  syntax,
  allow: ["owner"],
  handle({ key, metadata }, parts) {
    checkUpdatable(key, parts.atSign);
    return put(key, undefined, metadata, parts);
  },
});
