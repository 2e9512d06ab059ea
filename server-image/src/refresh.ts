import { setImmediate as turn } from "node:timers/promises";
import { type AtSign, ProtocolError, parseAtSign } from "@atrium/protocol";
import { type FetchParts, fetchPublic, fetchShared } from "./outbound/fetch.ts";
import type { Store, StoredRecord } from "./store/store.ts";

const dayMs = 86_400_000;
const pageSize = 100;

interface Parts extends FetchParts {
  readonly store: Pick<Store, "get" | "write" | "keys">;
}

/**
 * Asks once a day, at an hour that is this atServer's own, for the originals of all copies that have become too old to be
 * used.
 */
export function refreshDaily(parts: Parts, random = Math.random): AsyncDisposable {
  const hourMs = random() * dayMs;
  const stopping = new AbortController();
  let timer: NodeJS.Timeout;
  let running: Promise<unknown> = Promise.resolve();
  const schedule = () => {
    const sinceMs = (parts.now() - hourMs) % dayMs;
    timer = setTimeout(() => {
      running = refreshCopies(parts, stopping.signal)
        .catch((error: unknown) => parts.log.warn({ err: error }, "copies not refreshed"))
        .then(() => {
          if (!stopping.signal.aborted) schedule();
        });
    }, dayMs - sinceMs).unref();
  };
  schedule();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

/**
 * Asks for the originals of copies that are too old, one after the other. An atServer that cannot be asked is left alone
 * until the next time; the others have nothing to do with that.
 *
 * @returns how many were asked for
 */
export async function refreshCopies(parts: Parts, signal?: AbortSignal): Promise<number> {
  const unreachable = new Set<AtSign>();
  let count = 0;
  for (let after: string | undefined; ; ) {
    const page = parts.store.keys({ prefix: "cached:", after, limit: pageSize, liveAt: parts.now() });
    for (const key of page.keys) {
      const copy = copyOf(key, parts.atSign);
      if (copy === undefined || unreachable.has(copy.owner) || !isOld(parts.store.get(key), parts.now())) continue;
      if (signal?.aborted) return count;
      count++;
      if (!(await refresh(copy, parts))) unreachable.add(copy.owner);
    }
    if (page.next === undefined || signal?.aborted) return count;
    after = page.next;
    await turn();
  }
}

interface Copy {
  readonly isPublic: boolean;
  readonly name: string;
  readonly owner: AtSign;
}

/** @returns undefined for what is no copy of anything that is ours to read */
function copyOf(key: string, atSign: AtSign): Copy | undefined {
  const [, scope, name, owner] = /^cached:(public|@[^:@]+):([^@]+)(@[^:@]+)$/.exec(key) ?? [];
  if (name === undefined || owner === undefined || (scope !== "public" && scope !== atSign)) return undefined;
  return { isPublic: scope === "public", name, owner: parseAtSign(owner) };
}

function isOld(record: StoredRecord | undefined, now: number): boolean {
  const { refreshAt } = record?.metadata ?? {};
  return refreshAt !== undefined && refreshAt < now;
}

/** @returns whether its owner's atServer answered */
async function refresh({ isPublic, name, owner }: Copy, parts: Parts): Promise<boolean> {
  try {
    await (isPublic ? fetchPublic(name, owner, parts) : fetchShared(name, owner, parts));
    return true;
  } catch (error) {
    const isAnswer = error instanceof ProtocolError && error.error === "key_not_found";
    if (!isAnswer) parts.log.info({ err: error, owner }, "copies of another atSign's records not refreshed");
    return isAnswer;
  }
}
