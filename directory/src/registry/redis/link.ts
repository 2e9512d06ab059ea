import { isIP } from "node:net";
import { Redis, ReplyError } from "ioredis";
import { keys, type ScriptName, scripts } from "./scripts.ts";

export interface RedisSettings {
  /** `redis:` or `rediss:`, with host, and optionally port, user and number of the database */
  readonly url: URL;
  readonly password: string | undefined;
  /** PEM, for `rediss:`; the system's roots when undefined */
  readonly ca: string | undefined;
  readonly prefix: string;
  /** for a connection and for each answer */
  readonly timeoutMs: number;
}

/** Redis answered properly that it will not: read-only, out of memory, still loading. The connection is good. */
export class RedisRefused extends Error {
  override readonly name = "RedisRefused";
}

export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * One connection. It is used until something about it is wrong, and never mended: who holds it opens another one.
 * Everything that comes over it is checked for its form; whatever answers, and however, there is no other result than
 * what was asked for, {@link RedisRefused}, or another error.
 */
export class RedisLink implements Disposable {
  readonly #redis: Redis;
  readonly #keys: readonly string[];
  #nonces = 0;
  #fault: Error | undefined;

  private constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#keys = keys(prefix);
    redis.on("error", (error: Error) => {
      this.#fault ??= error;
    });
  }

  /**
   * @param patienceMs how much longer an answer may take than `timeoutMs`: for commands that wait on purpose
   * @throws {Error} when there is no connection in time
   */
  static async open(settings: RedisSettings, { patienceMs = 0 } = {}): Promise<RedisLink> {
    const { url, password, ca, prefix, timeoutMs } = settings;
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const redis = new Redis({
      host,
      port: Number(url.port || "6379"),
      db: Number(url.pathname.slice(1) || "0"),
      ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
      ...(password !== undefined && { password }),
      ...(url.protocol === "rediss:" && {
        tls: { ...(ca !== undefined && { ca }), ...(isIP(host) === 0 && { servername: host }) },
      }),
      protocol: 2,
      disableClientInfo: true,
      connectionName: "atrium-directory",
      lazyConnect: true,
      connectTimeout: timeoutMs,
      disconnectTimeout: 50,
      commandTimeout: timeoutMs + patienceMs,
      // A connection is tried once and nothing waits for one: the caller has deadlines and pauses of its own.
      retryStrategy: null,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResendUnfulfilledCommands: false,
    });
    for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(name, { lua, numberOfKeys: 5 });
    const link = new RedisLink(redis, prefix);
    try {
      await redis.connect();
      return link;
    } catch (error) {
      link[Symbol.dispose]();
      throw link.#fault ?? error;
    }
  }

  /**
   * Runs a script.
   * @returns its reply without the nonce
   * @throws {RedisRefused}
   * @throws {Error} when there is no answer in time, or not one of ours
   */
  async call(script: ScriptName, ...args: readonly (string | number)[]): Promise<readonly [string, ...string[]]> {
    this.#nonces += 1;
    const nonce = String(this.#nonces);
    const run = Reflect.get(this.#redis, script) as (...args: unknown[]) => Promise<unknown>;
    const reply = await this.#settled(run.call(this.#redis, ...this.#keys, nonce, ...args));
    if (!isTexts(reply)) throw new Error("Redis answered in a form that is not ours");
    const [echo, first, ...rest] = reply;
    if (echo !== nonce || first === undefined) throw new Error("Redis answered something else");
    return [first, ...rest];
  }

  /**
   * Changes after the one of that id, or none within `blockMs`.
   * @throws {Error} as {@link call}
   */
  async changesAfter(id: string, { blockMs, limit }: { blockMs: number; limit: number }): Promise<StreamEntry[]> {
    const stream = this.#keys[4] ?? "";
    const reply = await this.#settled(
      this.#redis.call("XREAD", "COUNT", limit, "BLOCK", blockMs, "STREAMS", stream, id),
    );
    if (reply === null) return [];
    const [[name, entries] = []] = reply as [[string, unknown]?];
    if (name !== stream || !Array.isArray(entries)) throw new Error("Redis answered something else than changes");
    return entries.map(parseEntry);
  }

  /** May Redis drop what has no time to live, when its memory is full? */
  async mayEvict(): Promise<boolean> {
    const text = await this.#settled(this.#redis.info("memory"));
    return typeof text === "string" && /^maxmemory:[1-9]/m.test(text) && /^maxmemory_policy:allkeys/m.test(text);
  }

  [Symbol.dispose](): void {
    this.#redis.disconnect();
  }

  /** "Connection is closed" says less than why it was. */
  async #settled(reply: Promise<unknown>): Promise<unknown> {
    try {
      return await reply;
    } catch (error) {
      if (error instanceof ReplyError) throw new RedisRefused((error as Error).message, { cause: error });
      throw this.#fault ?? error;
    }
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function parseEntry(entry: unknown): StreamEntry {
  const [id, fields] = Array.isArray(entry) ? entry : [];
  if (typeof id !== "string" || !isTexts(fields)) throw new Error("Redis answered something else than changes");
  const pairs = Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]] as const);
  return { id, fields: new Map(pairs as [string, string][]) };
}
