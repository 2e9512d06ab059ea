import { checkUpdatable, isCommitted, updateMeta as syntax } from "@atrium/protocol";
import { next } from "./update.ts";
import { verb } from "./verb.ts";

/** Changes the metadata of a record and keeps its value; makes a record without a value where there is none. */
export const updateMeta = verb({
  syntax,
  allow: ["owner"],
  handle({ key, metadata }, parts) {
    checkUpdatable(key, parts.atSign);
    const operation = isCommitted(key) ? "#" : null;
    return parts.store.write((tx) => String(tx.put(next(tx.get(key), key, undefined, metadata, parts), operation)));
  },
});
