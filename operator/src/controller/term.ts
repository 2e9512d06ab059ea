/**
 * The time in which this process may write, because it leads. It ends before another process may begin to lead, and what
 * is not sent by then is never sent.
 */
export interface Term {
  /** aborted when leading shall end in good order: what was begun may still be written until `over` */
  readonly signal: AbortSignal;
  /** aborted when nothing may be written any more */
  readonly over: AbortSignal;
  /** of a monotonic clock, so it is right in a process that was stopped and continued; grows with each renewal */
  remainingMs(): number;
}

/** The request was not sent: this process leads no longer. */
export class TermOverError extends Error {
  override readonly name = "TermOverError";
}
