import { setTimeout as pause } from "node:timers/promises";
import { ClientError } from "./errors.ts";

const attempts = 4;
const firstPauseMs = 100;

/**
 * Tries again, a few times with growing pauses, what failed because a server was not reachable: servers restart.
 * Never for an action that may already have had its effect.
 */
export async function withRetries<T>(action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ClientError) || error.reason !== "unreachable" || attempt === attempts) throw error;
    }
    // Between half and the whole, so that many who failed together do not come back together.
    await pause(firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
  }
}
