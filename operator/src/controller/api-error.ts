/** What the API server refused, in its words; `reason` is one of Kubernetes' StatusReasons (`Conflict`, `Gone`, …). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** of HTTP */
  readonly status: number;
  readonly reason: string;
  /** how long the API server asks to wait, milliseconds */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** No answer came: it is not known whether the request had its effect. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}
