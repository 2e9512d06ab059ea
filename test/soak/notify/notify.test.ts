import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { notifyThroughFaults } from "./notify.ts";

test("notifications arrive once and in order, however the connections fail", async () => {
  const directory = mkdtempSync(join(tmpdir(), "atrium-notify-"));
  const seed = Date.now() % 2 ** 31;
  try {
    const { faults, acknowledged, delivered, befallen } = await notifyThroughFaults({ directory, seconds: 6, seed });
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    expect(acknowledged).toBeGreaterThan(200);
    expect(delivered).toBeGreaterThan(acknowledged / 2);
    // Faults did hit what was said.
    expect(befallen).toBeGreaterThan(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 120_000);
