/**
 * Every error that may leave an atServer. `code` and `text` are wire values; `closes` says whether the connection ends
 * after the reply. Two names may share a code: `invalid_at_sign` has none of its own on the wire.
 */
export const errors = {
  server: { code: "AT0001", text: "Server exception", closes: true },
  data_store: { code: "AT0002", text: "DataStore exception", closes: true },
  invalid_syntax: { code: "AT0003", text: "Invalid syntax", closes: false },
  socket: { code: "AT0004", text: "Socket error", closes: false },
  buffer_limit: { code: "AT0005", text: "Buffer limit exceeded", closes: true },
  outbound_limit: { code: "AT0006", text: "Outbound connection limit exceeded", closes: false },
  at_server_not_found: { code: "AT0007", text: "Secondary server not found", closes: false },
  handshake: { code: "AT0008", text: "Handshake failure", closes: false },
  unauthorized: { code: "AT0009", text: "UnAuthorized client in request", closes: false },
  internal_error: { code: "AT0010", text: "Internal server error", closes: false },
  internal: { code: "AT0011", text: "Internal server exception", closes: true },
  invalid_at_sign: { code: "AT0011", text: "Internal server exception", closes: true },
  inbound_limit: { code: "AT0012", text: "Inbound connection limit exceeded", closes: true },
  blocked: { code: "AT0013", text: "Connection Exception", closes: true },
  unknown_client: { code: "AT0014", text: "Unknown AtClient exception", closes: false },
  key_not_found: { code: "AT0015", text: "key not found", closes: false },
  invalid_key: { code: "AT0016", text: "Invalid key", closes: false },
  unable_to_connect: { code: "AT0021", text: "Unable to connect to secondary", closes: false },
  illegal_arguments: { code: "AT0022", text: "Illegal arguments", closes: false },
  timeout: { code: "AT0023", text: "Timeout waiting for response", closes: false },
  paused: { code: "AT0024", text: "Server is paused", closes: true },
  apkam_denied: { code: "AT0025", text: "Apkam Auth Denied", closes: false },
  apkam_pending: { code: "AT0026", text: "Apkam Auth Failed", closes: false },
  apkam_revoked: { code: "AT0027", text: "Apkam Access Revoked", closes: false },
  too_many_requests: { code: "AT0028", text: "Too Many Requests", closes: false },
  enrollment_expired: { code: "AT0029", text: "Apkam Enrollment Expired", closes: false },
  enrollment_status: { code: "AT0030", text: "Invalid Enrollment Status", closes: false },
  revoke_self: { code: "AT0031", text: "Cannot revoke self enrollment", closes: false },
  illegal_state: { code: "AT0032", text: "Illegal state", closes: false },
  unauthenticated: { code: "AT0401", text: "Client authentication failed", closes: false },
} as const;

export type ErrorName = keyof typeof errors;

/** An error with a place in the table. Its message is the detail: it may name keys and atSigns, never values or secrets. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly error: ErrorName;
  /** whether the connection ends after the reply */
  readonly closes: boolean;
  /** written as `error:<code>:<detail>`, never as JSON: clients read the states of an enrolment from that form */
  readonly colonForm: boolean;

  constructor(
    error: ErrorName,
    detail: string,
    options: { cause?: unknown; colonForm?: boolean; closes?: boolean } = {},
  ) {
    super(detail, "cause" in options ? { cause: options.cause } : {});
    this.error = error;
    this.closes = options.closes ?? errors[error].closes;
    this.colonForm = options.colonForm ?? false;
  }

  get code(): string {
    return errors[this.error].code;
  }
}

/** Clients with fixed buffers cut a longer reply. Counted without newline and prompt. */
export const maxErrorBytes = 199;

/**
 * The line that tells a client of an error, without newline and prompt.
 *
 * @param connection `owner`: authenticated as the owner, which changes the description; `json`: the client announced
 *   that it reads the JSON form
 * @returns at most {@link maxErrorBytes} bytes of UTF-8, without control characters and without `data:` in the detail
 *   (a client takes an error that has it for a reply); a longer detail loses its middle to `…`
 */
export function formatError(error: ProtocolError, connection: { owner: boolean; json: boolean }): string {
  const { code, text } = errors[error.error];
  const detail = plain(error.message) || text;
  if (error.colonForm) return fit(detail, (fitted) => `error:${code}:${fitted}`);
  const describe = (fitted: string): string => {
    // The only error that is written before a connection has any state.
    if (error.error === "inbound_limit") return text;
    return connection.owner ? `${text} : ${fitted}` : `Exception: ${fitted}`;
  };
  if (!connection.json) return fit(detail, (fitted) => `error:${code}-${describe(fitted)}`);
  return fit(detail, (fitted) => {
    return `error:${JSON.stringify({ errorCode: code, errorDescription: describe(fitted) })}`;
  });
}

/** One line of well-formed text, at most about 1000 units: more can never be shown. */
function plain(text: string): string {
  const bounded = text.length > 1000 ? `${text.slice(0, 500)}…${text.slice(-500)}` : text;
  return bounded
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replace(/(data):/gi, "$1;")
    .trim();
}

/** `write(detail)`, with as many characters of the detail as fit; its end is kept, since it often says what is wrong. */
function fit(detail: string, write: (detail: string) => string): string {
  const fits = (text: string): boolean => Buffer.byteLength(text) <= maxErrorBytes;
  const whole = write(detail);
  if (fits(whole)) return whole;
  const characters = [...detail];
  let kept = 0;
  for (let excess = characters.length; kept < excess; ) {
    const middle = Math.ceil((kept + excess) / 2);
    if (fits(write(shortened(characters, middle)))) kept = middle;
    else excess = middle - 1;
  }
  return write(shortened(characters, kept));
}

function shortened(characters: readonly string[], kept: number): string {
  const tail = Math.min(40, Math.floor(kept / 3));
  return [...characters.slice(0, kept - tail), "…", ...characters.slice(characters.length - tail)].join("");
}

/**
 * Reads an `error:` line in any of its three forms: `error:AT0015-key not found : detail`, `error:AT0026:detail`,
 * `error:{"errorCode":…,"errorDescription":…}`.
 *
 * @param line without newline and prompt
 * @returns an error whose message is the detail; what is not understood becomes `internal` and keeps its whole text
 */
export function parseError(line: string): ProtocolError {
  const body = line.startsWith("error:") ? line.slice("error:".length) : line;
  const { code, form, description } = parseJsonForm(body) ?? parseTextForm(body) ?? { description: body };
  const name = code === undefined ? undefined : nameByCode.get(code);
  if (name === undefined) return new ProtocolError("internal", body);
  return new ProtocolError(name, detailOf(name, description), { colonForm: form === ":" });
}

interface ErrorParts {
  readonly code?: string;
  readonly form?: string;
  readonly description: string;
}

const nameByCode = new Map<string, ErrorName>(
  (Object.keys(errors) as ErrorName[])
    .filter((name) => name !== "invalid_at_sign")
    .map((name) => [errors[name].code, name]),
);

function parseJsonForm(body: string): ErrorParts | undefined {
  if (!body.startsWith("{")) return undefined;
  try {
    const { errorCode, errorDescription }: Record<string, unknown> = JSON.parse(body);
    if (typeof errorCode !== "string" || typeof errorDescription !== "string") return undefined;
    return { code: errorCode, description: errorDescription };
  } catch {
    return undefined; // not JSON: the caller keeps the text
  }
}

function parseTextForm(body: string): ErrorParts | undefined {
  const match = /^(AT\d{4})([-:])(.*)$/s.exec(body);
  if (match === null) return undefined;
  const [, code = "", form = "", description = ""] = match;
  return { code, form, description };
}

function detailOf(name: ErrorName, description: string): string {
  const { text } = errors[name];
  for (const prefix of [`${text} : `, "Exception: "]) {
    if (description.startsWith(prefix)) return description.slice(prefix.length);
  }
  return description === text ? "" : description;
}
