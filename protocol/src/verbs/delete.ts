import { ProtocolError } from "../errors.ts";
import { storedKey } from "../key.ts";
import { syntax } from "../syntax.ts";

export interface DeleteParams {
  /** the stored form */
  readonly key: string;
  /** of an immutable record too */
  readonly force?: boolean;
  /** of the notification to the recipient */
  readonly priority?: Priority;
}

export type Priority = "low" | "medium" | "high";

const keyPattern =
  /^(?:(?:cached:)?(?:(?:public|@[^:@\s]+):)?[^:@\s]+(?:@[^:@\s]+)?|privatekey:(?:at_secret|at_pkam_publickey))$/i;

/** `delete[:force][:priority:low]:<key>` — remove a record. */
export const deleteRecord = syntax<DeleteParams>({
  verb: "delete",
  usage: "delete[:force][:priority:<low|medium|high>][:cached][:public|:<@atSign>]:<name>[<@owner>]",
  pattern: /^delete(?<force>:force(?=:))?(?::priority:(?<priority>low|medium|high))?:(?<key>\S+)$/i,
  parse({ force, priority, key = "" }) {
    if (!keyPattern.test(key)) return undefined;
    return {
      key: storedKey(key),
      ...(force !== undefined && { force: true }),
      ...(priority !== undefined && { priority: priority.toLowerCase() as Priority }),
    };
  },
  format({ key, force, priority }) {
    if (!keyPattern.test(key)) throw new ProtocolError("invalid_syntax", `${key} cannot be deleted`);
    return `delete${force ? ":force" : ""}${priority === undefined ? "" : `:priority:${priority}`}:${key}`;
  },
});
