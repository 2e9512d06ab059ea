/**
 * Why something could not be done, as far as a caller can act on it.
 *
 * - `invalid`: what the caller gave is wrong (a key, a value, an option, the platform file)
 * - `not_found`: no such record, or no such atSign in the directory
 * - `authentication`: the secret, the keys or the key file do not open this atSign
 * - `refused`: the atServer answered with another error of the protocol
 * - `unreachable`: no connection, a connection that broke, a server that has no room; worth another try
 * - `timeout`: a deadline passed; whether a write took place is unknown
 * - `untrusted`: the server's certificate is not valid for its name or not signed by a trusted CA
 * - `corrupt`: a reply, cipher text or signature that cannot be what it should be
 * - `local`: a file or directory of this machine cannot be read or written
 */
export type Reason =
  | "invalid"
  | "not_found"
  | "authentication"
  | "refused"
  | "unreachable"
  | "timeout"
  | "untrusted"
  | "corrupt"
  | "local";

export interface ClientErrorOptions {
  /** what to do next, one sentence */
  readonly advice?: string | undefined;
  /** the error code that the atServer answered, `AT0015` */
  readonly code?: string | undefined;
  readonly cause?: unknown;
}

/** The one error that this library throws. The message says what failed; it holds no secret, no private key and no value. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly reason: Reason;
  readonly advice: string | undefined;
  readonly code: string | undefined;

  constructor(reason: Reason, message: string, { advice, code, cause }: ClientErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.advice = advice;
    this.code = code;
  }
}

/** The system's name of a fault (`ENOENT`, `ECONNREFUSED`), if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
