import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { atServerDriver } from "./atserver-driver.ts";
import { crash } from "./crash.ts";
import { Random } from "./random.ts";
import { storeDriver } from "./store-driver.ts";

test.each([
  ["an atServer", atServerDriver],
  ["a store", storeDriver],
])(
  "%s that is killed fifty times keeps what it has acknowledged",
  async (_what, driverOn) => {
    const directory = mkdtempSync(join(tmpdir(), "atrium-crash-"));
    const seed = Date.now() % 2 ** 31;
    try {
      let underWay = 0;
      const { faults, acknowledged } = await crash({
        driver: driverOn(directory),
        rounds: 50,
        random: new Random(seed),
        onRound: (_round, ledger) => {
          underWay += ledger.underWay;
        },
      });
      expect({ seed, faults }).toEqual({ seed, faults: [] });
      // Kills did interrupt writes.
      expect(acknowledged).toBeGreaterThan(1000);
      expect(underWay).toBeGreaterThan(100);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  120_000,
);
