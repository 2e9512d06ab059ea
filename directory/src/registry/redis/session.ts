import { randomUUID } from "node:crypto";
import { type Change, parseChange, wholeNumber } from "./change.ts";
import { RedisLink, type RedisSettings } from "./link.ts";
import type { ScriptName } from "./scripts.ts";

/** A place in the stream of changes. */
export interface Position {
  readonly streamId: string;
  readonly number: number;
}

export interface Content {
  readonly id: string;
  readonly complete: boolean;
  readonly position: Position;
}

/**
 * What has become of the content that was known before: it has gone on, it has gone on for so long that changes were
 * missed, or it is another one.
 */
export type Continuity = "continued" | "trimmed" | "other";

export const origin: Position = { streamId: "0-0", number: 0 };

/** The content is not the one that this session knows: changes that it has seen are missing, or it has another id. */
class ContentLost extends Error {
  override readonly name = "ContentLost";
}

export interface ContentReply {
  readonly reply: readonly string[];
  readonly asOf: number;
  readonly complete: boolean;
}

/** How long Redis may wait for changes; how soon a change of the marker is noticed. */
const blockMs = 400;
const maxChanges = 1_000;

/**
 * A time during which Redis answers and its content goes on: two connections, because on the one that waits for
 * changes nobody else could be heard. The first fault ends it, and the next session begins with finding out what is
 * there then.
 */
export class Session implements Disposable {
  readonly continuity: Continuity;
  readonly registryId: string;
  readonly #commands: RedisLink;
  readonly #changes: RedisLink;
  /** the newest change that is known to have happened */
  #seen: Position;
  /** the last change that was handed out */
  #cursor: Position;
  #complete: boolean;

  private constructor(
    links: readonly [RedisLink, RedisLink],
    continuity: Continuity,
    content: Content,
    from: Position,
  ) {
    [this.#commands, this.#changes] = links;
    this.continuity = continuity;
    this.registryId = content.id;
    this.#complete = content.complete;
    this.#seen = content.position;
    this.#cursor = from;
  }

  /**
   * @param known what is known from before; its position is that of the last change that was taken up
   * @param seen the newest change that is known to have happened
   * @throws {Error} when Redis is away
   */
  static async begin(settings: RedisSettings, known: Content | undefined, seen: Position): Promise<Session> {
    const links = await openBoth(settings);
    try {
      const reply = await links[0].call("attach", known?.id ?? "", seen.streamId, seen.number, randomUUID());
      const [continuity, id = "", complete, count, last = ""] = reply;
      if (continuity !== "continued" && continuity !== "trimmed" && continuity !== "other") {
        throw new Error("Redis answered something else");
      }
      const content = { id, complete: complete === "1", position: { streamId: last, number: wholeNumber(count) } };
      const from = continuity === "continued" && known !== undefined ? known.position : content.position;
      return new Session(links, continuity, content, from);
    } catch (error) {
      for (const link of links) link[Symbol.dispose]();
      throw error;
    }
  }

  /** As of the last answer. */
  get content(): Content {
    return { id: this.registryId, complete: this.#complete, position: this.#cursor };
  }

  get seen(): Position {
    return this.#seen;
  }

  mayEvict(): Promise<boolean> {
    return this.#commands.mayEvict();
  }

  /**
   * Runs a script on the content of this session.
   * @returns the script's own part of the reply, the number of the newest change that it has taken into account, and
   *   whether the content was complete then
   * @throws {ContentLost}
   * @throws {RedisRefused} then the session goes on
   * @throws {Error}
   */
  async call(script: Exclude<ScriptName, "attach">, ...args: readonly (string | number)[]): Promise<ContentReply> {
    return this.#callOn(this.#commands, script, args);
  }

  /**
   * The next changes, in their order and without a gap, as soon as there are some; none when there are none for a
   * while. `current`: at the time of the question there were no others.
   *
   * @throws {ContentLost}
   * @throws {Error}
   */
  async nextChanges(): Promise<{ readonly changes: readonly Change[]; readonly current: boolean }> {
    const entries = await this.#changes.changesAfter(this.#cursor.streamId, { blockMs, limit: maxChanges });
    await this.#callOn(this.#changes, "check", []);
    const changes = entries.map(parseChange);
    for (const { streamId, number, registryId } of changes) {
      if (registryId !== this.registryId) throw new ContentLost("the registry has another id");
      if (number !== this.#cursor.number + 1) throw new ContentLost("changes were missed");
      this.#cursor = { streamId, number };
    }
    return { changes, current: entries.length < maxChanges };
  }

  [Symbol.dispose](): void {
    this.#commands[Symbol.dispose]();
    this.#changes[Symbol.dispose]();
  }

  async #callOn(link: RedisLink, script: ScriptName, args: readonly (string | number)[]): Promise<ContentReply> {
    const guards = [this.registryId, this.#seen.streamId, maxStreamLength];
    const [status, complete, count, last, ...reply] = await link.call(script, ...guards, ...args);
    if (status !== "ok") throw new ContentLost("the registry has lost content, or has another id");
    const number = wholeNumber(count);
    if (number > this.#seen.number && last !== undefined) this.#seen = { streamId: last, number };
    this.#complete ||= complete === "1";
    return { reply, asOf: number, complete: complete === "1" };
  }
}

/** Replicas that were away for longer begin anew. About 200 bytes each. */
const maxStreamLength = 20_000;

async function openBoth(settings: RedisSettings): Promise<[RedisLink, RedisLink]> {
  const commands = await RedisLink.open(settings);
  try {
    return [commands, await RedisLink.open(settings, { patienceMs: blockMs })];
  } catch (error) {
    commands[Symbol.dispose]();
    throw error;
  }
}
