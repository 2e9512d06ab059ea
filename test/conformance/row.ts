import type { Name } from "./template.ts";

/**
 * One statement of the protocol as an exchange of bytes.
 *
 * Texts are templates. In what is sent and in what is expected, `{n}` is a name of the row's own, and `{x}` what an
 * earlier step has captured as `x`; the names alice, bob, carol, dave and erin stand for the Atsigns that the target gives.
 * What is expected may hold patterns, `<int>`, or `<x:int>` to capture (see template.ts). What is sent may hold results
 * of functions, `{pkam(challenge)}` (see proofs.ts).
 */
export interface Row {
  readonly id: string;
  /** the document, and the part of it that says so */
  readonly from: string;
  /** why this is not what the reference does: a failure on a server that is not ours is expected then */
  readonly differs?: string;
  /** rows of one group run one after the other, in their order; the others run at the same time */
  readonly group?: "alone" | "new" | "enrolled";
  /** it waits for clocks most of the time, so it runs beside all others from the start */
  readonly slow?: true;
  /** Atsigns that it speaks of and that must be there, besides those that its connections are for */
  readonly needs?: readonly Name[];
  readonly steps: readonly Step[];
}

/**
 * Which connection: who is there, and a number when the row has several of the same kind (`owner#2`).
 *
 * - `anyone` has said nothing yet, `owner` has logged in by PKAM, `json` too, with a clientConfig
 * - `app(wavi:rw,buzz:r)` has logged in with an enrolment for these namespaces
 * - `peer` is the atServer of @bob, by from and pol
 * - `caller` shows the certificate of that atServer, and has said nothing
 * - `friend` is the owner of @bob and `stranger` nobody, both at the atServer of @bob
 * - `directory` is anybody at the directory
 * - `http`, `alpn`, `tls12` and `tls13` are `anyone` with such a handshake
 * - `new`, `new2` and `new3` are nobody at the atServers of @carol, @dave and @erin, which nobody has activated
 *
 * With `!`, nobody has used it before. All others come from a pool and go back to it.
 */
export type On = string;

export type Step =
  | Exchange
  | Ask
  | Repeat
  | Bytes
  | Sees
  | Unseen
  | Closes
  | Later
  | Decrypts
  | Members
  | Page
  | Ends
  | Crowd;

/**
 * A command and its reply, without prompt: that of the connection's state must follow, in the same TLS record. A reply
 * with a newline is the whole of it, prompt included.
 */
export type Exchange = readonly [on: On, send: string, is: string];

/** An exchange with more to say about it. */
export interface Ask {
  readonly on: On;
  readonly send: string;
  readonly is: string;
  /** it is sent so long after the step before, because the statement is about that time */
  readonly afterMs?: number;
  /** it must not be answered earlier */
  readonly minMs?: number;
  /** it must be answered by then */
  readonly maxMs?: number;
}

/** Asks until the answer comes: for what the clock does, or another atServer. */
export interface Repeat {
  readonly on: On;
  readonly until: string;
  readonly is: string;
}

/** Bytes as they are, in several chunks perhaps, and all that is to come back; `null` for nothing at all. */
export interface Bytes {
  readonly on: On;
  readonly bytes: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly gives: string | null;
  /** they must come in one TLS record */
  readonly atOnce?: true;
}

/** A line on a monitor, sooner or later; others before it are passed over. */
export interface Sees {
  readonly on: On;
  readonly sees: string;
  /** and not earlier */
  readonly minMs?: number;
  /** 10 s without it */
  readonly maxMs?: number;
}

/** No such line has come to a monitor so far. */
export interface Unseen {
  readonly on: On;
  readonly unseen: string;
}

/** The server closes the connection, without a further word. */
export interface Closes {
  readonly on: On;
  readonly closes: true;
  /** and not earlier */
  readonly minMs?: number;
  /** 10 s without it */
  readonly maxMs?: number;
}

/** One captured date is later than another. */
export interface Later {
  readonly on: On;
  readonly later: readonly [earlier: string, later: string];
}

/** The captured inside of a JSON object has these members, with these values, in whatever order. */
export interface Members {
  readonly on: On;
  /** captured as what */
  readonly members: string;
  readonly are?: Readonly<Record<string, string | number | boolean | null>>;
  readonly have?: readonly string[];
}

/** As `closes`, whatever it said before. */
export interface Ends {
  readonly on: On;
  readonly ends: true;
}

/** The reply is a JSON list of so many objects. */
export interface Page {
  readonly on: On;
  readonly pages: string;
  readonly are: number | { readonly least: number; readonly most: number };
}

/** Of so many connections more, one is told this instead of the greeting, and closed. */
export interface Crowd {
  readonly on: On;
  readonly crowd: number;
  readonly told: string;
}

/** What a client reads in a value: AES-256-CTR under the key 00…1f, PKCS#7; texts in base64. */
export interface Decrypts {
  readonly on: On;
  readonly decrypts: string;
  readonly iv: string;
  readonly to: string;
}

/** The connections that a row uses. */
export function connectionsOf({ steps }: Row): Set<On> {
  return new Set(steps.map((step) => ("on" in step ? step.on : step[0])));
}

/** Gives each row of a table its document. */
export function rowsOf(from: string, rows: readonly (Omit<Row, "from"> & { from?: string })[]): Row[] {
  return rows.map((row) => ({ ...row, from: row.from === undefined ? from : `${from} ${row.from}` }));
}
