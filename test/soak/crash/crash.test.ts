import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { crashAtServer, crashStore } from "./crash-run.ts";

test.each([
  ["an atServer", crashAtServer, 20],
  ["a store", crashStore, 30],
])(
  "%s that is killed again and again keeps what it has acknowledged",
  async (_what, run, rounds) => {
    const directory = mkdtempSync(join(tmpdir(), "atrium-crash-"));
    const seed = Date.now() % 2 ** 31;
    try {
      const { faults, duties } = await run({ directory, rounds, seed });
      expect({ seed, faults }).toEqual({ seed, faults: [] });
      // Kills did interrupt what was under way.
      for (const { name, counts } of duties) {
        expect({ name, enough: counts.acknowledged > rounds }).toEqual({ name, enough: true });
        expect({ name, enough: counts.underWay > rounds / 10 }).toEqual({ name, enough: true });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  120_000,
);
