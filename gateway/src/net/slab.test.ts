import { describe, expect, test } from "@jest/globals";
import { Slab } from "./slab.ts";

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

describe("the slab", () => {
  test("uses its memory again and again", () => {
    const slab = new Slab(100);
    const first = slab.copy(bytes(60, 1));
    const second = slab.copy(bytes(60, 2));
    expect(second).toEqual(bytes(60, 2));
    expect(first.buffer).toBe(second.buffer);
    expect(first[0]).toBe(2);
  });

  test("leaves alone what is kept", () => {
    const slab = new Slab(100);
    const kept: [Uint8Array, number][] = [];
    for (let value = 0; value < 50; value += 1) {
      const copy = slab.copy(bytes(1 + ((value * 7) % 60), value));
      if (value % 3 !== 0) continue;
      slab.keep(copy);
      kept.push([copy, value]);
    }
    for (const [copy, value] of kept) expect(copy.every((byte) => byte === value)).toBe(true);
  });

  test("has room for what is larger than itself", () => {
    const slab = new Slab(10);
    expect(slab.copy(bytes(1_000, 3))).toEqual(bytes(1_000, 3));
  });
});
