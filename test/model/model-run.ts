import type { Run } from "../soak/run.ts";
import { play } from "./player.ts";
import { clockedWorld, shippedWorld } from "./world.ts";

/** Between two lines of what was done. */
const runsAtOnce = 500;
const commands = 60;

export const modelRun: Run = {
  help: `asks an atServer and a small model of it the same, at random, as owner, app, anybody and another atServer
  --rounds N   how many times to begin anew, with ${commands} commands each (10000)`,
  count: { option: "rounds", usual: 10_000 },
  async start({ directory, count, seed, print }) {
    for (const open of [() => shippedWorld(directory), clockedWorld]) {
      await using world = await open();
      for (let done = 0; done < count; done += runsAtOnce) {
        const runs = Math.min(runsAtOnce, count - done);
        const difference = await play({ world, seed: (seed + done) | 0, runs, commands });
        if (difference !== undefined) return [difference];
        print(`${world.clients.join(", ")}: ${done + runs} rounds, the same answers`);
      }
    }
    return [];
  },
};
