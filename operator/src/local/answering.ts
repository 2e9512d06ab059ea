import type { AtSign } from "@atrium/protocol";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { TenantView } from "./tenants.ts";

/** Finds out which AtSigns answer their clients. */
export interface Answering extends Disposable {
  /** Takes notice of how things are now; asks those that should answer and have not yet. */
  look(views: readonly TenantView[]): void;
  /** Whether it answered since it was wanted. */
  has(atSign: AtSign): boolean;
}

const retry = { minMs: 50, maxMs: 1_000 };

/**
 * @param greets whether a client that asks for the host is greeted; does not reject
 * @param onAnswer after each AtSign that answers for the first time
 */
export function answering({
  greets,
  onAnswer,
}: {
  greets: (host: string) => Promise<boolean>;
  onAnswer: () => void;
}): Answering {
  const answered = new Set<AtSign>();
  const asking = new Map<AtSign, NodeJS.Timeout | undefined>();
  let latest = new Map<AtSign, TenantView>();
  let ended = false;

  const ask = async (atSign: AtSign, attempt: number) => {
    const view = latest.get(atSign);
    if (view === undefined || !isReady(view)) {
      asking.delete(atSign);
      return;
    }
    const greeted = await greets(view.host);
    if (ended) return;
    if (!greeted) {
      asking.set(
        atSign,
        setTimeout(() => void ask(atSign, attempt + 1), backoffMs(attempt, retry)),
      );
      return;
    }
    asking.delete(atSign);
    if (!isServed(latest.get(atSign))) return;
    answered.add(atSign);
    onAnswer();
  };
  return {
    look(views) {
      latest = new Map(views.map((view) => [view.atSign, view]));
      for (const atSign of answered) if (!isServed(latest.get(atSign))) answered.delete(atSign);
      for (const { atSign } of views.filter(isReady)) {
        if (answered.has(atSign) || asking.has(atSign)) continue;
        asking.set(atSign, undefined);
        void ask(atSign, 0);
      }
    },
    has: (atSign) => answered.has(atSign),
    [Symbol.dispose]() {
      ended = true;
      for (const timer of asking.values()) clearTimeout(timer);
    },
  };
}

function isReady({ conditions }: TenantView): boolean {
  return conditions.some(({ type, status }) => type === "Ready" && status);
}

/** Whether it serves, or will again without anybody's doing. */
function isServed(view: TenantView | undefined): boolean {
  const ready = view?.conditions.find(({ type }) => type === "Ready");
  return ready !== undefined && ready.reason !== "Suspended" && ready.reason !== "Unclaimed";
}
