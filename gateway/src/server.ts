import type { Address } from "@atrium/runtime/config.ts";
import { Connection, type ConnectionContext } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import type { Listener, ListenerUser } from "./net/link.ts";
import type { PipeOutcome } from "./pipe.ts";

/** Where connections come in. */
export interface Entrance {
  readonly address: Address;
  /** does whoever connects from this address begin with a PROXY header? */
  readonly isProxy: (address: string) => boolean;
}

type Options = Omit<ConnectionContext, "deadlines" | "onEnd" | "isProxy"> & {
  readonly entrances: readonly Entrance[];
  /** how finely the other times are kept */
  readonly periodMs: number;
  /** how long connections may go on once the gateway shall end */
  readonly drainMs: number;
  readonly onEnd: (outcome: PipeOutcome) => void;
};

/** Disposed, it accepts no more, and waits for the connections to end. */
export interface Gateway extends AsyncDisposable {
  /** in the order of the settings */
  readonly addresses: readonly Address[];
}

/**
 * Accepts TLS connections, and passes each to the atServer that its ClientHello asks for, unopened.
 *
 * @throws {Error} when it cannot listen
 */
export async function serveGateway(options: Options): Promise<Gateway> {
  const deadlines = new Deadlines({ periodMs: options.periodMs });
  const common: Omit<ConnectionContext, "isProxy"> = {
    ...options,
    deadlines,
    onEnd(lease, outcome) {
      options.limits.close(lease);
      options.onEnd(outcome);
    },
  };
  const listeners: Listener[] = [];
  const userOf = (context: ConnectionContext): ListenerUser => ({
    accept(link) {
      const lease = options.limits.open();
      if (lease !== undefined) new Connection(link, lease, context);
      else {
        link.reset();
        options.onRefused("too many connections");
      }
    },
    acceptFailed(error) {
      options.onRefused("not accepted");
      options.log.debug({ error }, "connection not accepted");
    },
  });
  const close = async () => {
    for (const listener of listeners) await listener[Symbol.asyncDispose]();
  };
  try {
    for (const { address, isProxy } of options.entrances) {
      listeners.push(await options.net.listen(address, userOf({ ...common, isProxy })));
    }
  } catch (error) {
    await close();
    deadlines[Symbol.dispose]();
    throw error;
  }
  return {
    addresses: listeners.map(({ address }) => address),
    async [Symbol.asyncDispose]() {
      await close();
      options.log.info({ connections: deadlines.size }, "draining");
      await deadlines.drain({ withinMs: options.drainMs, lingerMs: options.lingerMs });
      options.log.info({ connections: deadlines.size }, "drained");
      deadlines[Symbol.dispose]();
    },
  };
}
