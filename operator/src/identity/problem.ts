/**
 * Why a request is not served, as its caller is told.
 *
 * @see RFC 9457
 */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  /** after how long it may be tried again */
  readonly retryAfterMs: number | undefined;

  /** @param detail holds nothing secret: it goes to the caller and to the log */
  constructor(status: keyof typeof titles, detail: string, options: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(detail, options);
    this.status = status;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** of the type application/problem+json */
  document(): string {
    const { status, message: detail } = this;
    return JSON.stringify({ type: "about:blank", title: titles[status as keyof typeof titles], status, detail });
  }
}

const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;
