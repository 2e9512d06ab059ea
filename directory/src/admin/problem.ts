import { STATUS_CODES } from "node:http";

/** What a request is refused with, as a problem document. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  /** for programs, where a status has several causes */
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail a sentence for the one who reads the log of the client */
  constructor(
    status: number,
    detail: string,
    {
      reason,
      headers = {},
      cause,
    }: { reason?: string; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(detail, { cause });
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }

  /** @see RFC 9457 */
  toJSON(): object {
    const { status, message: detail, reason } = this;
    return {
      type: "about:blank",
      title: STATUS_CODES[status],
      status,
      detail,
      ...(reason !== undefined && { reason }),
    };
  }
}
