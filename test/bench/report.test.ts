import { describe, expect, test } from "@jest/globals";
import { alternate, median } from "./alternate.ts";
import type { Figure, Sample } from "./figure.ts";
import { lineOf, table } from "./report.ts";

const figure: Figure = {
  name: "lookup",
  title: "lookup per CPU second",
  unit: "1/s",
  peer: "Redis",
  target: { of: "ratio", bound: "≥", value: 0.5 },
  measure: () => Promise.reject(new Error("not measured here")),
};

function samples(...values: readonly number[]): Sample[] {
  return values.map((value) => ({ value, serverCores: 0.97, loadCores: 1.4, loadProcesses: 2 }));
}

describe("the line of a figure", () => {
  test("compares the two readings of each round, not the medians", () => {
    // The machine became twice as slow after the first round, for both.
    const line = lineOf(figure, { ours: samples(100, 30, 25), peer: samples(160, 50, 50), conditions: "" });
    expect(line).toMatchObject({ ours: 30, peer: 50, ratio: 0.6, met: true });
  });

  test("judges by the bound that was promised", () => {
    const slow = { ours: samples(40), peer: samples(100), conditions: "" };
    expect(lineOf(figure, slow).met).toBe(false);
    const less = { ...figure, target: { of: "ratio", bound: "≤", value: 0.5 } } as const;
    expect(lineOf(less, slow).met).toBe(true);
  });

  test("does without a peer", () => {
    const memory = { ...figure, target: { of: "ours", bound: "≤", value: 17 } } as const;
    const line = lineOf(memory, { ours: samples(16, 18, 15), peer: [], conditions: "" });
    expect(line).toMatchObject({ ours: 16, peer: null, ratio: null, met: true });
  });

  test("says which side was busy", () => {
    const line = lineOf(figure, { ours: samples(1), peer: samples(1), conditions: "" });
    expect(line.limit.ours).toBe("server (server 0.97 cores, 2 load processes 1.40)");
  });
});

test("the table has a row for each line", () => {
  const line = lineOf(figure, { ours: samples(40), peer: samples(100), conditions: "" });
  const rows = table([line, line], new Map([["lookup", figure.title]])).split("\n");
  expect(rows).toHaveLength(4);
  expect(rows[2]).toMatch(
    /^\| lookup per CPU second, 1\/s \| 40 +\| 100 \(Redis\) \| 0.40 +\| ratio ≥ 0.5 \| SHORT \|$/,
  );
});

test("both sides are measured in turn, and the first round does not count", async () => {
  const order: string[] = [];
  const side = (name: string) => async () => {
    order.push(name);
    return { value: order.length };
  };
  const { ours, peer } = await alternate({ ours: side("a"), peer: side("b") }, 2, () => undefined);
  expect(order.join("")).toBe("ababab");
  expect(ours.map(({ value }) => value)).toEqual([3, 5]);
  expect(peer.map(({ value }) => value)).toEqual([4, 6]);
});

test("the median of an even number of readings lies between the middle two", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow(RangeError);
});
