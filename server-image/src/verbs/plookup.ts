import { plookup as syntax } from "@atrium/protocol";
import { cachedRecord } from "../cache.ts";
import { fetchPublic } from "../outbound/fetch.ts";
import { liveRecord, render } from "../records.ts";
import { resolveReference } from "../references.ts";
import { verb } from "./verb.ts";

/** Reads a public record of any atSign, asking its atServer unless a copy may be used. */
export const plookup = verb({
  syntax,
  allow: ["owner"],
  async handle(params, parts) {
    const { name, owner, part } = params;
    const { atSign, store, now, access } = parts;
    const record =
      owner === atSign
        ? resolveReference(store, liveRecord(store, `public:${name}${owner}`, now()), "public:", now())
        : (cachedRecord(store, `cached:public:${name}${owner}`, params, now()) ??
          (await fetchPublic(name, owner, parts)));
    access.lookup(`${name}${owner}`);
    return render(record, part);
  },
});
