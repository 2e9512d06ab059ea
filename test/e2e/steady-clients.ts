import { setTimeout as delay } from "node:timers/promises";
import { Client, ClientError, type ClientOptions } from "@atrium/sdk";

/** Writes again and again, as an owner whose client comes back; until it is ended. */
export function startWriter(owner: ClientOptions) {
  const open = () => Client.open({ ...owner, timeoutMs: 5_000 });
  const seen = { acknowledged: -1, longestGapMs: 0 };
  let over = false;
  const writing = (async () => {
    let lastMs = performance.now();
    for (let number = 0; !over; ) {
      try {
        await using client = await open();
        for (; !over; number++) {
          await client.put("counter.demo", String(number));
          seen.acknowledged = number;
          seen.longestGapMs = Math.max(seen.longestGapMs, performance.now() - lastMs);
          lastMs = performance.now();
        }
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        number++;
        await delay(100);
      }
    }
  })();
  return {
    seen,
    /** After another one was acknowledged: a gap counts when it is over. @returns what is stored */
    async end(): Promise<number> {
      const deadline = AbortSignal.timeout(60_000);
      for (const before = seen.acknowledged; seen.acknowledged === before; await delay(20)) deadline.throwIfAborted();
      over = true;
      await writing;
      await using client = await open();
      return Number((await client.get("counter.demo")).value);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      over = true;
      await writing;
    },
  };
}

/** Comes anew each time: asks the directory, connects, logs in, reads and leaves; until it is ended. */
export function startCaller(owner: ClientOptions) {
  const seen = { calls: 0, attempts: 0, slowestMs: 0, failures: [] as string[] };
  let over = false;
  const onStep = (step: string) => {
    if (step.startsWith("looking up")) seen.attempts++;
  };
  const calling = (async () => {
    for (; !over; await delay(50)) {
      const beganMs = performance.now();
      seen.calls++;
      try {
        await using client = await Client.open({ ...owner, timeoutMs: 10_000, onStep });
        await client.scan();
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        seen.failures.push(`${error.reason}: ${error.message}`);
      }
      seen.slowestMs = Math.max(seen.slowestMs, performance.now() - beganMs);
    }
  })();
  return {
    seen,
    async [Symbol.asyncDispose](): Promise<void> {
      over = true;
      await calling;
    },
  };
}
