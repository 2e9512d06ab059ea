import { ProtocolError } from "../errors.ts";
import { storedKey } from "../key.ts";
import { syntax } from "../syntax.ts";
import { parseTimestamp, writableInstant } from "../timestamp.ts";

export interface DeleteParams {
  /** the stored form */
  readonly key: string;
  /** of an immutable record too */
  readonly force?: boolean;
  /** not to be told to clients that sync */
  readonly uncommitted?: boolean;
  /** epoch milliseconds: when its owner deleted it, by the clock of a client */
  readonly deletedAt?: number;
  /** of the notification to the recipient */
  readonly priority?: Priority;
}

export type Priority = "low" | "medium" | "high";

const keyPattern =
  /^(?:(?:cached:)?(?:(?:public|@[^:@\s]+):)?[^:@\s]+(?:@[^:@\s]+)?|privatekey:(?:at_secret|at_pkam_publickey))$/i;

/** `delete[:dAt:<date>][:nc][:force][:priority:low]:<key>` — remove a record. */
export const deleteRecord = syntax<DeleteParams>({
  verb: "delete",
  usage: "delete[:dAt:<date>][:nc][:force][:priority:<low|medium|high>][:cached][:public|:<@atSign>]:<name>[<@owner>]",
  pattern:
    /^delete(?::dAt:(?<deletedAt>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)(?=:))?(?<nc>:nc(?=:))?(?<force>:force(?=:))?(?::priority:(?<priority>low|medium|high))?:(?<key>\S+)$/i,
  parse({ deletedAt, nc, force, priority, key = "" }) {
    const time = deletedAt === undefined ? undefined : parseTimestamp(deletedAt.toUpperCase());
    if (!keyPattern.test(key) || (deletedAt !== undefined && time === undefined)) return undefined;
    return {
      key: storedKey(key),
      ...(time !== undefined && { deletedAt: time }),
      ...(nc !== undefined && { uncommitted: true }),
      ...(force !== undefined && { force: true }),
      ...(priority !== undefined && { priority: priority.toLowerCase() as Priority }),
    };
  },
  format({ key, force, uncommitted, deletedAt, priority }) {
    if (!keyPattern.test(key)) throw new ProtocolError("invalid_syntax", `${key} cannot be deleted`);
    const time = deletedAt === undefined ? "" : `:dAt:${new Date(writableInstant(deletedAt)).toISOString()}`;
    return `delete${time}${uncommitted ? ":nc" : ""}${force ? ":force" : ""}${priority === undefined ? "" : `:priority:${priority}`}:${key}`;
  },
});
