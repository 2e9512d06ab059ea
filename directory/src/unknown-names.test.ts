import { describe, expect, test } from "@jest/globals";
import { clientAddress } from "./client-address.ts";
import { UnknownNames } from "./unknown-names.ts";

function limited({ maxAddresses = 100 } = {}) {
  let nowMs = 0;
  const unknownNames = new UnknownNames({ burst: 3, perSecond: 2, maxDelayMs: 1_000, maxAddresses }, () => nowMs);
  return {
    unknownNames,
    take: (address = "a") => unknownNames.take(address),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe("unknown names", () => {
  test("are answered at once, then with a delay, then not", () => {
    const { take, unknownNames } = limited();
    expect([take(), take(), take()]).toEqual([0, 0, 0]);
    expect(unknownNames.exhausted("a")).toBe(false);
    expect([take(), take(), take(), take()]).toEqual([500, 1_000, undefined, undefined]);
    expect(unknownNames.exhausted("a")).toBe(true);
  });

  test("are counted by address", () => {
    const { take } = limited();
    for (let i = 0; i < 10; i += 1) take("a");
    expect(take("b")).toBe(0);
  });

  test("come back with time, and no more than the burst", () => {
    const { take, pass } = limited();
    for (let i = 0; i < 10; i += 1) take();
    pass(1_500);
    expect(take()).toBe(0);
    pass(3_600_000);
    expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 500]);
  });

  test("are remembered for so many addresses only, and no longer than it matters", () => {
    const { take, pass, unknownNames } = limited({ maxAddresses: 50 });
    for (let i = 0; i < 1_000; i += 1) take(`address ${i}`);
    expect(unknownNames.addresses).toBe(50);
    pass(60_000);
    take("another");
    expect(unknownNames.addresses).toBe(1);
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
])("%s counts as %s", (address, expected) => {
  expect(clientAddress(address)).toBe(expected);
});
