import { setTimeout as delay } from "node:timers/promises";
import { type Found, Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";

/** Starts processes that keep data, one after another on the same data. */
export interface Driver {
  /** about as long as a start takes */
  readonly startMs: number;
  spawn(): Running;
}

export interface Running {
  /** Resolves once it can be asked; rejects when it ends before. */
  ready(): Promise<void>;
  /** @returns the commit id with which it was acknowledged; rejects when the process ends before */
  write(key: string, value: string | undefined): Promise<number>;
  readAll(): Promise<Found>;
  /** Ends the process at once, whatever it does. */
  kill(): Promise<void>;
}

export interface CrashOptions {
  readonly driver: Driver;
  readonly rounds: number;
  readonly random: Random;
  /** told after each round */
  readonly onRound?: (round: number, ledger: Ledger) => void;
}

/** Each has its own keys, so that of one key never more than one write is under way. */
const writers = 24;
const keysPerWriter = 8;
const maxRoundMs = 80;
const startingKills = 0.2;

/**
 * Kills a process that writes, at random moments, and looks after each restart whether all that it had acknowledged is
 * there, and nothing else.
 *
 * @returns what was found wrong is in `faults`
 */
export async function crash({ driver, rounds, random, onRound }: CrashOptions): Promise<Ledger> {
  const ledger = new Ledger();
  for (let round = 1; round <= rounds && ledger.faults.length === 0; round++) {
    if (random.chance(startingKills)) await killWhileStarting(driver, random);
    const running = driver.spawn();
    try {
      await running.ready();
      ledger.compare(await running.readAll());
      await writeUntilKilled(running, ledger, random, round);
    } finally {
      await running.kill();
    }
    onRound?.(round, ledger);
  }
  const running = driver.spawn();
  await running.ready();
  ledger.compare(await running.readAll());
  await running.kill();
  return ledger;
}

/** Hits what is done once: making the data, or mending it after the last kill. */
async function killWhileStarting(driver: Driver, random: Random): Promise<void> {
  const running = driver.spawn();
  const ready = running.ready().catch(() => undefined);
  await Promise.race([ready, delay(random.next() * driver.startMs)]);
  await running.kill();
  await ready;
}

async function writeUntilKilled(running: Running, ledger: Ledger, random: Random, round: number): Promise<void> {
  let killed = false;
  const first = Promise.withResolvers<void>();
  const write = async (writer: number): Promise<void> => {
    for (let count = 0; !killed; count++) {
      const key = `key${writer}.${random.below(keysPerWriter)}.soak@alice`;
      const sent = ledger.sent(key, random.chance(0.1) ? undefined : value(random, `${round}.${writer}.${count}`));
      try {
        ledger.acknowledge(sent, await running.write(key, sent.value));
        first.resolve();
      } catch (error) {
        if (!killed) throw error;
      }
    }
  };
  const writing = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  await Promise.race([first.promise, writing]);
  await Promise.race([delay(random.next() * maxRoundMs), writing]);
  killed = true;
  await running.kill();
  await writing;
}

/** Mostly small; some span many pages of a database, so that a kill can hit them in the middle. */
function value(random: Random, unique: string): string {
  const size = random.chance(0.05) ? random.below(100_000) : random.below(500);
  return `${unique}:${"x".repeat(size)}`;
}
