import { atServerDriver } from "./atserver-driver.ts";
import { crash } from "./crash.ts";
import { Random } from "./random.ts";
import type { Run } from "./run.ts";
import { storeDriver } from "./store-driver.ts";

export const crashRun: Run = {
  help: `kills an atServer that writes, again and again, and compares what it kept with what it had acknowledged
  --rounds N   how many kills (1000)
  --store      the store alone, without the atServer around it: more kills in the same time`,
  count: { option: "rounds", usual: 1000 },
  flag: "store",
  async start({ directory, count, seed, flag, print }) {
    const ledger = await crash({
      driver: flag ? storeDriver(directory) : atServerDriver(directory),
      rounds: count,
      random: new Random(seed),
      onRound(round, { acknowledged }) {
        if (round % 10 === 0) print(`round ${round}: ${acknowledged} writes acknowledged`);
      },
    });
    print(`${ledger.acknowledged} writes acknowledged`);
    return ledger.faults;
  },
};
