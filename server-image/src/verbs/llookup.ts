import { llookup as syntax } from "@atrium/protocol";
import { liveRecord, render } from "../records.ts";
import { verb } from "./verb.ts";

/** Reads what this atServer itself holds. */
export const llookup = verb({
  syntax,
  allow: ["owner"],
  // What is public is so for the owner's apps, too.
  needs: ({ key }) => (key.startsWith("public:") ? undefined : { access: "r", key, doing: "local lookup" }),
  handle: ({ key, part }, { store, now }) => render(liveRecord(store, key, now()), part),
});
