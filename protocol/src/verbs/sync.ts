import { ProtocolError } from "../errors.ts";
import { syntax } from "../syntax.ts";

export interface SyncParams {
  /** entries of the commit log with higher ids are wanted; -1 for all */
  readonly after: number;
  /** how many at most */
  readonly limit?: number;
  /** leave out what was deleted up to this id: a client that has nothing yet has nothing to delete */
  readonly skipDeletesUntil?: number;
  /** as the client wrote it; not yet known to be a valid expression */
  readonly regex?: string;
}

/** `sync:from:<id>[:limit:<n>][:skipDeletesUntil:<id>][:<regex>]` — what has changed since. */
export const sync = syntax<SyncParams>({
  verb: "sync:from",
  usage: "sync:from:<id>[:limit:<n>][:skipDeletesUntil:<id>][:<regex>]",
  pattern:
    /^sync:from:(?<after>-1|\d{1,15})(?::limit:(?<limit>\d{1,9}))?(?::skipDeletesUntil:(?<skip>-1|\d{1,15}))?(?::(?<regex>\S.*))?$/is,
  parse: ({ after, limit, skip, regex }) => ({
    after: Number(after),
    ...(limit !== undefined && { limit: Number(limit) }),
    ...(skip !== undefined && { skipDeletesUntil: Number(skip) }),
    ...(regex !== undefined && { regex }),
  }),
  format({ after, limit, skipDeletesUntil, regex }) {
    if (regex !== undefined && (regex !== regex.trim() || /^(?:limit|skipDeletesUntil):/i.test(regex))) {
      throw new ProtocolError("invalid_syntax", `${regex} cannot be synced by`);
    }
    const options = [
      ...(limit === undefined ? [] : [`limit:${limit}`]),
      ...(skipDeletesUntil === undefined ? [] : [`skipDeletesUntil:${skipDeletesUntil}`]),
      ...(regex === undefined ? [] : [regex]),
    ];
    return ["sync:from", after, ...options].join(":");
  },
});
