import { lookupSyntax } from "./lookup.ts";

/** `plookup:[bypassCache:true:][meta:|all:]<name>@<owner>` — read a public record of another atSign. */
export const plookup = lookupSyntax("plookup");
