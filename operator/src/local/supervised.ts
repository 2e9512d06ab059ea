import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Address } from "@atrium/runtime/config.ts";
import { openLogFile } from "./log-file.ts";
import { type ServiceProcess, startService } from "./process.ts";

/** A service of the platform that is always to run. */
export interface Supervised extends AsyncDisposable {
  /** where it listens, by purpose; of the last process that was ready */
  readonly addresses: Readonly<Record<string, Address>>;
  readonly pid: number | undefined;
}

const restart = { minMs: 100, maxMs: 10_000 };
const healthyMs = 30_000;

/**
 * Starts a service, and again with back-off whenever it ends.
 *
 * @param environment is asked at each start, with where it listened before: clients know that place
 * @param onUp after each time that it became ready; the first start is told by the promise
 * @throws {Error} when the first start fails
 */
export async function supervise({
  name,
  entry,
  logDirectory,
  environment,
  onUp,
  onDown,
}: {
  name: string;
  entry: string;
  logDirectory: string;
  environment: (before: Readonly<Record<string, Address>>) => Readonly<Record<string, string>>;
  onUp: () => void;
  onDown: (how: string) => void;
}): Promise<Supervised> {
  const log = openLogFile(`${logDirectory}/${name}.log`);
  let addresses: Readonly<Record<string, Address>> = {};
  let process: ServiceProcess;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let failures = 0;

  const start = async () => {
    const startedAt = Date.now();
    const started = startService({ entry, environment: environment(addresses), log });
    process = started;
    addresses = await started.ready;
    void started.ended.then(({ how }) => {
      if (stopping) return;
      onDown(how);
      failures = Date.now() - startedAt > healthyMs ? 0 : failures + 1;
      again();
    });
  };
  const again = () => {
    timer = setTimeout(
      () => {
        start().then(onUp, (error) => {
          if (stopping) return;
          onDown(error instanceof Error ? error.message : String(error));
          failures += 1;
          again();
        });
      },
      backoffMs(failures, restart),
    );
  };

  try {
    await start();
  } catch (error) {
    log[Symbol.dispose]();
    throw error;
  }
  return {
    get addresses() {
      return addresses;
    },
    get pid() {
      return process.pid;
    },
    async [Symbol.asyncDispose]() {
      stopping = true;
      clearTimeout(timer);
      await process.stop();
      log[Symbol.dispose]();
    },
  };
}
