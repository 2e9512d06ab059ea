import { Network } from "../network.ts";
import { Random } from "../random.ts";
import type { Run } from "../run.ts";
import { atServerDriver, type RunningAtServer } from "./atserver-driver.ts";
import { crash, type Duty } from "./crash.ts";
import { Enrollments } from "./enrollments.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { Recipient } from "./recipient.ts";
import { Records } from "./records.ts";
import { storeDriver } from "./store-driver.ts";

interface Options {
  readonly directory: string;
  readonly rounds: number;
  readonly seed: number;
  readonly onRound?: (round: number, counts: string) => void;
}

type Counted = Pick<Duty<never>, "name" | "counts">;

export interface Kept {
  readonly faults: readonly string[];
  /** what was promised, by what */
  readonly duties: readonly Counted[];
}

/** Kills an atServer that does all that it promises to keep, together with one that receives what it sends. */
export async function crashAtServer({ directory, rounds, seed, onRound }: Options): Promise<Kept> {
  using network = await Network.open(directory);
  using bob = await network.imitation("@bob");
  await using carol = await Recipient.start(network);
  const duties: Duty<RunningAtServer>[] = [new Records(), new Inbox(bob), new Outbox(carol), new Enrollments()];
  const faults = await crash({
    driver: atServerDriver(network),
    duties,
    rounds,
    random: new Random(seed),
    onRound: (round) => onRound?.(round, countsOf(duties)),
  });
  return { faults, duties };
}

/** As {@link crashAtServer}, with nothing but the store. */
export async function crashStore({ directory, rounds, seed, onRound }: Options): Promise<Kept> {
  const duties = [new Records()];
  const faults = await crash({
    driver: storeDriver(directory),
    duties,
    rounds,
    random: new Random(seed),
    onRound: (round) => onRound?.(round, countsOf(duties)),
  });
  return { faults, duties };
}

function countsOf(duties: readonly Counted[]): string {
  return duties.map(({ name, counts }) => `${name} ${counts.acknowledged}`).join(", ");
}

export const crashRun: Run = {
  help: `kills an atServer at random moments, again and again, and compares what it kept with what it had acknowledged:
           records, batches, received and sent notifications, enrolments
  --rounds N   how many kills (1000)
  --store      the store alone, without the atServer around it: more kills in the same time`,
  count: { option: "rounds", usual: 1000 },
  flag: "store",
  async start({ directory, count, seed, flag, print }) {
    const { faults, duties } = await (flag ? crashStore : crashAtServer)({
      directory,
      rounds: count,
      seed,
      onRound(round, counts) {
        if (round % 10 === 0) print(`round ${round}, acknowledged: ${counts}`);
      },
    });
    print(`acknowledged: ${countsOf(duties)}`);
    return faults;
  },
};
