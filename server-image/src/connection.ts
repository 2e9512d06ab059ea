import { randomUUID, type X509Certificate } from "node:crypto";
import type { AtSign } from "@atrium/protocol";
import { Challenges } from "./challenge.ts";

/**
 * What the other side has shown of itself: nothing, that it is the owner (by CRAM or PKAM), or that it is the atServer of
 * another atSign (by pol).
 */
export type State = "anonymous" | "owner" | "peer";

/** What an enrolled app may do: names of namespaces, to be read or also written. */
export interface Enrollment {
  readonly id: string;
  readonly namespaces: Readonly<Record<string, "r" | "rw">>;
}

/** For lines that are no replies. */
export interface Channel {
  /**
   * Writes one line, to which the newline is added, between replies and never inside one.
   *
   * @returns undefined, or a promise when the client must read before there should be more; it never rejects
   */
  push(line: string): Promise<void> | undefined;
  /**
   * As `push`, for a long line, which is made while the client reads it.
   *
   * @param pieces of the line, its newline included
   * @returns when it is written; never rejects
   */
  pushPieces(pieces: Iterable<string>): Promise<void>;
  /** Tells that a command of this connection takes long, and leaves garbage. */
  working(): void;
  /** false once nothing is read or written any more */
  readonly open: boolean;
  /**
   * @param callback runs once, when the connection has closed
   * @returns takes that back
   */
  onClose(callback: () => void): () => void;
}

/** The certificate that the other side showed in the TLS handshake. */
export interface ShownCertificate {
  readonly certificate: X509Certificate;
  /** whether its chain ends at a root that is trusted for other atServers */
  readonly trusted: boolean;
}

interface Options {
  readonly channel: Channel;
  readonly shownCertificate?: () => ShownCertificate | undefined;
}

/** What the protocol knows of one connection; its bytes are the session's matter. */
export class Connection {
  /** whether errors are written as JSON */
  json = false;
  /** whether notifications are written to it: then no prompt is, which some clients would take for part of the next line */
  monitoring = false;
  /** whom the last `from` named, when that is another atSign, which is to be proven by `pol` */
  caller: AtSign | undefined;
  /** for logins, and for `pol` */
  readonly challenges = new Challenges();
  readonly polChallenges = new Challenges();
  readonly channel: Channel;
  readonly #shownCertificate: Options["shownCertificate"];
  #state: State = "anonymous";
  #peer: AtSign | undefined;
  #enrollment: Enrollment | undefined;
  #activating = false;
  #sessionId: string | undefined;

  constructor({ channel, shownCertificate }: Options) {
    this.channel = channel;
    this.#shownCertificate = shownCertificate;
  }

  get state(): State {
    return this.#state;
  }

  /** The atSign that was proven by pol. */
  get peer(): AtSign | undefined {
    return this.#peer;
  }

  /** The enrolment that the owner's app logged in with; undefined for one that may do everything. */
  get enrollment(): Enrollment | undefined {
    return this.#enrollment;
  }

  /** Whether the owner logged in by the activation secret: the next app that is enrolled may do everything. */
  get activating(): boolean {
    return this.#activating;
  }

  /** undefined when none was shown, as by all clients */
  get shownCertificate(): ShownCertificate | undefined {
    return this.#shownCertificate?.();
  }

  /** Begins with `_`; the same for the life of the connection. */
  get sessionId(): string {
    this.#sessionId ??= `_${randomUUID()}`;
    return this.#sessionId;
  }

  becomeOwner(enrollment?: Enrollment): void {
    this.#state = "owner";
    this.#enrollment = enrollment;
    this.#activating = false;
    this.#peer = undefined;
  }

  /** By the activation secret. */
  becomeActivatingOwner(): void {
    this.becomeOwner();
    this.#activating = true;
  }

  becomePeer(peer: AtSign): void {
    this.#state = "peer";
    this.#peer = peer;
    this.#enrollment = undefined;
    this.#activating = false;
  }

  /** A login failed: whoever it is now is not known. */
  becomeAnonymous(): void {
    this.#state = "anonymous";
    this.#peer = undefined;
    this.#enrollment = undefined;
    this.#activating = false;
  }

  /** @param owner the atSign that the server serves */
  prompt(owner: AtSign): string {
    if (this.monitoring) return "";
    if (this.#state === "owner") return `${owner}@`;
    return this.#state === "peer" ? `${this.#peer}@` : "@";
  }
}
