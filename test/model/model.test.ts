import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { canonical } from "./canonical.ts";
import { Model } from "./model.ts";
import { play } from "./player.ts";
import { clockedWorld, shippedWorld } from "./world.ts";

const commands = 40;

test("an atServer answers its owner, an app, anybody and another atServer as the model does", async () => {
  const directory = mkdtempSync(join(tmpdir(), "atrium-model-"));
  try {
    await using world = await shippedWorld(directory);
    const seed = Date.now() % 2 ** 31;
    expect(await play({ world, seed, runs: 250, commands })).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 60_000);

test("records are born, expire and are written again as in the model, to the millisecond", async () => {
  await using world = await clockedWorld();
  const seed = Date.now() % 2 ** 31;
  expect(await play({ world, seed, runs: 400, commands })).toBeUndefined();
}, 60_000);

test("a difference is found, and said in few words", async () => {
  await using world = await clockedWorld();
  const wrong = { ...world, now: () => world.now() + 1 };
  const difference = await play({ world: wrong, seed: 1, runs: 100, commands });
  expect(difference).toMatch(/expected data:.*\n {2}saw {6}data:.*\nafter .*\nseen again by seed 1 /);
  expect(difference?.match(/owner: /g)?.length).toBeLessThan(6);
});

test("dates are compared only when the clock is ours", () => {
  const reply = 'data:{"updatedAt":"2026-01-01 00:00:00.000Z"}@alice@';
  const command = { verb: "llookup", part: "meta:", key: { scope: "", name: "a", owner: "@alice" } } as const;
  expect(canonical(reply, command, {})).toBe('data:{"updatedAt":"<date>"}@alice@');
  expect(canonical(reply, command, { advance: async () => undefined })).toBe(reply);
});

test("what is asked for in vain is named", () => {
  const model = new Model({ baseId: -1, now: () => 0 });
  const key = { scope: "@bob:", name: "a.ns", owner: "@alice" };
  expect(model.answer("owner", { verb: "llookup", part: "", key })).toBe(
    "error:AT0015-key not found : @bob:a.ns@alice does not exist in keystore",
  );
  expect(model.answer("peer", { verb: "lookup", part: "", name: "a.ns", owner: "@alice" })).toBe(
    "error:AT0015-Exception: @bob:a.ns@alice does not exist in keystore",
  );
});
