import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../random.ts";

/** Starts processes that keep data, one after another on the same data. */
export interface Driver<R extends Running> {
  /** about as long as a start takes */
  readonly startMs: number;
  spawn(): R;
}

export interface Running {
  /** Resolves once it can be asked; rejects when it ends before. */
  ready(): Promise<void>;
  /** Ends the process at once, whatever it does. */
  kill(): Promise<void>;
}

/** The time between a restart and the next kill. */
export interface Round {
  readonly number: number;
  readonly random: Random;
  readonly killed: boolean;
  /** The process has acknowledged something: from now on it may be killed. */
  acknowledged(): void;
}

/** One kind of thing that a process promises to keep, and a list of what it promised. */
export interface Duty<R extends Running> {
  readonly name: string;
  readonly faults: readonly string[];
  /** how many promises were made, and how many were under way when the process was killed, over all rounds */
  readonly counts: { readonly acknowledged: number; readonly underWay: number };
  /** After a restart: all that was promised is there, and nothing else. What is found is the truth from then on. */
  check(running: R): Promise<void>;
  /** Asks for promises until the process is killed. */
  work(running: R, round: Round): Promise<void>;
  /** After the last restart, when there is time. */
  finish?(running: R): Promise<void>;
}

export interface CrashOptions<R extends Running> {
  readonly driver: Driver<R>;
  readonly duties: readonly Duty<R>[];
  readonly rounds: number;
  readonly random: Random;
  /** told after each round */
  readonly onRound?: (round: number) => void;
}

const maxRoundMs = 80;
const startingKills = 0.2;

/**
 * Kills a process that makes promises, at random moments, and looks after each restart whether it keeps all of them, and
 * has nothing else.
 *
 * @returns what was found wrong
 */
export async function crash<R extends Running>(options: CrashOptions<R>): Promise<string[]> {
  const { driver, duties, rounds, random, onRound } = options;
  const faults = () => duties.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`));
  for (let round = 1; round <= rounds && faults().length === 0; round++) {
    if (random.chance(startingKills)) await killWhileStarting(driver, random);
    const running = driver.spawn();
    try {
      await running.ready();
      await Promise.all(duties.map((duty) => duty.check(running)));
      await workUntilKilled(running, options, round);
    } finally {
      await running.kill();
    }
    onRound?.(round);
  }
  const running = driver.spawn();
  try {
    await running.ready();
    for (const duty of duties) {
      await duty.check(running);
      if (faults().length === 0) await duty.finish?.(running);
    }
  } finally {
    await running.kill();
  }
  return faults();
}

/** Hits what is done once: making the data, or mending it after the last kill. */
async function killWhileStarting(driver: Driver<Running>, random: Random): Promise<void> {
  const running = driver.spawn();
  const ready = running.ready().catch(() => undefined);
  await Promise.race([ready, delay(random.next() * driver.startMs)]);
  await running.kill();
  await ready;
}

async function workUntilKilled<R extends Running>(
  running: R,
  { duties, random }: CrashOptions<R>,
  number: number,
): Promise<void> {
  const rounds = duties.map((duty) => ({ duty, round: new RunningRound(number, random) }));
  const working = Promise.all(rounds.map(({ duty, round }) => duty.work(running, round)));
  const firsts = rounds.map(({ round }) => round.first);
  // Some need longer until they can begin; most often there shall be something of each to lose.
  await Promise.race([random.chance(0.3) ? Promise.race(firsts) : Promise.all(firsts), working]);
  await Promise.race([delay(random.next() * maxRoundMs), working]);
  for (const { round } of rounds) round.killed = true;
  await running.kill();
  await working;
}

class RunningRound implements Round {
  readonly number: number;
  readonly random: Random;
  killed = false;
  readonly #first = Promise.withResolvers<void>();

  constructor(number: number, random: Random) {
    this.number = number;
    this.random = random;
  }

  get first(): Promise<void> {
    return this.#first.promise;
  }

  acknowledged(): void {
    this.#first.resolve();
  }
}

/** Repeats `step` until the process is killed; what fails because of that is no fault. */
export async function untilKilled(round: Round, step: () => Promise<void>): Promise<void> {
  while (!round.killed) {
    try {
      await step();
    } catch (error) {
      if (!round.killed) throw error;
    }
  }
}
