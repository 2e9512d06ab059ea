import type { Run } from "../run.ts";
import { notifyThroughFaults, type Tally } from "./notify.ts";

const secondsPerReport = 10;

export const notifyRun: Run = {
  help: `notifies from one atServer to another while the connections between them are cut, reset, stalled and slowed
  --seconds N  how long (300)`,
  count: { option: "seconds", usual: 300 },
  async start({ directory, count, seed, print }) {
    let second = 0;
    const onSecond = (tally: Tally) => {
      if (++second % secondsPerReport === 0) print(`after ${second} s: ${textOf(tally)}`);
    };
    const tally = await notifyThroughFaults({ directory, seconds: count, seed, onSecond });
    print(textOf(tally));
    return tally.faults;
  },
};

function textOf({ acknowledged, delivered, expired, befallen }: Tally): string {
  return `${acknowledged} acknowledged, ${delivered} delivered, ${expired} expired, ${befallen} connections harmed`;
}
