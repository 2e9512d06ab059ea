import { checkUpdatable, updateMeta as syntax } from "@atrium/protocol";
import { needed, put } from "./update.ts";
import { verb } from "./verb.ts";

/** Changes the metadata of a record and keeps its value; makes a record without a value where there is none. */
export const updateMeta = verb({
  syntax,
  allow: ["owner"],
  needs: ({ key }, { atSign }) => needed(key, atSign),
  handle({ key, metadata }, parts) {
    checkUpdatable(key, parts.atSign);
    return put({ key }, metadata, parts);
  },
});
