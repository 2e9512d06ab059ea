import { randomUUID } from "node:crypto";
import type { AtSign } from "@atrium/protocol";
import { Challenges } from "./challenge.ts";

/** What a client has shown of itself: nothing, or that it is the owner (by CRAM or PKAM). */
export type State = "anonymous" | "owner";

/** What the protocol knows of one connection; its bytes are the session's matter. */
export class Connection {
  state: State = "anonymous";
  /** whether errors are written as JSON */
  json = false;
  readonly challenges = new Challenges();
  #sessionId: string | undefined;

  /** Begins with `_`; the same for the life of the connection. */
  get sessionId(): string {
    this.#sessionId ??= `_${randomUUID()}`;
    return this.#sessionId;
  }

  /** @param owner the atSign that the server serves */
  prompt(owner: AtSign): string {
    return this.state === "owner" ? `${owner}@` : "@";
  }
}
