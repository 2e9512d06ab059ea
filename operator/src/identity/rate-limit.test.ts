import { expect, test } from "@jest/globals";
import { RateLimit } from "./rate-limit.ts";

function limit(maxKeys?: number) {
  const clock = { nowMs: 0 };
  const rate = { burst: 2, perSecond: 0.5 };
  const taken = new RateLimit(rate, { monotonic: () => clock.nowMs, ...(maxKeys !== undefined && { maxKeys }) });
  return { clock, taken };
}

test("lets so many through at once, and then so many per second", () => {
  const { clock, taken } = limit();
  expect([taken.take("a"), taken.take("a"), taken.take("a")]).toEqual([0, 0, 2_000]);
  clock.nowMs = 500;
  expect(taken.take("a")).toBe(1_500);
  clock.nowMs = 2_000;
  expect([taken.take("a"), taken.take("a")]).toEqual([0, 2_000]);
});

test("saves no more than a burst", () => {
  const { clock, taken } = limit();
  taken.take("a");
  clock.nowMs = 1_000_000;
  expect([taken.take("a"), taken.take("a"), taken.take("a")]).toEqual([0, 0, 2_000]);
});

test("counts each key by itself", () => {
  const { taken } = limit();
  expect([taken.take("a"), taken.take("a"), taken.take("a"), taken.take("b")]).toEqual([0, 0, 2_000, 0]);
});

test("forgets those who were not there for long, and of too many the oldest", () => {
  const { clock, taken } = limit(10);
  for (let key = 0; key < 100; key++) taken.take(String(key));
  expect(taken.size).toBe(10);
  clock.nowMs = 4_000;
  taken.take("new");
  expect(taken.size).toBe(1);
});

test("does not forget who is refused", () => {
  const { taken } = limit(2);
  taken.take("a");
  taken.take("a");
  expect(taken.take("a")).toBe(2_000);
  expect(taken.size).toBe(1);
});

test("counts what was done anyway, and no further than nothing", () => {
  const { clock, taken } = limit();
  for (let times = 0; times < 5; times++) taken.count("a");
  expect([taken.waitMs("a"), taken.waitMs("b")]).toEqual([2_000, 0]);
  clock.nowMs = 2_000;
  expect([taken.waitMs("a"), taken.waitMs("a"), taken.take("a"), taken.take("a")]).toEqual([0, 0, 0, 2_000]);
});
