import type { Log } from "@atrium/runtime/log.ts";
import { type Pair, platformLifeMs } from "./certificate-authority.ts";
import { isGoodLeaf } from "./leaf.ts";
import type { PlatformCa } from "./platform-ca.ts";

/** Certificate, key and trust of this replica. */
export interface OperatorTls extends Disposable {
  readonly current: { readonly certificate: string; readonly key: string; readonly trust: string };
  /** @returns a function that ends this */
  onChange(listener: () => void): () => void;
}

/** What everybody checks the operator by, whatever address they dial. */
const operatorName = "operator.atrium.internal";

/** Often, since timers stand still while a machine sleeps. */
const checkMs = 60_000;

/** Each replica issues its own, in its memory: it may read the CA's key anyway. */
export async function openOperatorTls({
  ca,
  log,
  now = Date.now,
  lifeMs = platformLifeMs,
}: {
  ca: PlatformCa;
  log: Log;
  /** epoch milliseconds */
  now?: () => number;
  lifeMs?: number;
}): Promise<OperatorTls> {
  const request = { dnsNames: [operatorName], client: true, lifeMs };
  const listeners = new Set<() => void>();
  const issue = async () => ({ ...(await ca.authority.issue(request, now())), trust: ca.trust });
  let current: Pair & { trust: string } = await issue();
  const renew = async () => {
    if (current.trust === ca.trust && isGoodLeaf(current, ca.authority.certificate, request, now())) return;
    try {
      current = await issue();
    } catch (error) {
      log.error({ err: error }, "the operator's own certificate could not be renewed");
      return;
    }
    for (const listener of listeners) listener();
  };
  const unsubscribe = ca.onChange(() => void renew());
  const timer = setInterval(() => void renew(), Math.min(checkMs, lifeMs / 12)).unref();
  return {
    get current() {
      return current;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      unsubscribe();
    },
  };
}
