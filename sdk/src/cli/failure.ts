import { ClientError, type Reason } from "../errors.ts";

/** The exit codes of `at`; `--help` has them too. */
const exitCodes = {
  invalid: 2,
  not_found: 3,
  authentication: 4,
  unreachable: 5,
  timeout: 5,
  untrusted: 6,
  refused: 1,
  corrupt: 1,
  local: 1,
} as const satisfies Record<Reason, number>;

/** A failure as `at` reports it. */
export interface Failure {
  readonly reason: Reason | "internal";
  readonly message: string;
  readonly step?: string | undefined;
  readonly advice?: string | undefined;
  readonly code?: string | undefined;
}

export function failureOf(error: unknown, step: string | undefined): Failure {
  if (!(error instanceof ClientError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { reason: "internal", message, step, advice: "This is a fault of `at`: please report it." };
  }
  const { reason, message, advice, code } = error;
  // What is wrong with the caller's words was so before the last step.
  return { reason, message, ...(reason !== "invalid" && { step }), advice, code };
}

export function exitCodeOf({ reason }: Failure): number {
  return reason === "internal" ? 1 : exitCodes[reason];
}

/** Plain text: what failed, at which step, what to do next. */
export function formatFailure({ reason, message, step, advice }: Failure): string {
  const lines = [`at: ${reason === "internal" ? message : printable(message)}`];
  if (step !== undefined) lines.push(`    while ${step}`);
  if (advice !== undefined) lines.push(`    ${advice}`);
  return `${lines.join("\n")}\n`;
}

/** One JSON object in one line. */
export function formatFailureJson(failure: Failure): string {
  return `${JSON.stringify({ error: failure })}\n`;
}

/** What a server said, fit for a terminal: it shall not move the cursor, nor turn the direction of text. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, "\ufffd");
}
