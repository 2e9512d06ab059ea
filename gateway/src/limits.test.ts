import { describe, expect, test } from "@jest/globals";
import { addressKey, type Lease, Limits } from "./limits.ts";

function opened(limits: Limits): Lease {
  const lease = limits.open();
  if (lease === undefined) throw new Error("no place left");
  return lease;
}

describe("limits", () => {
  test("hold for all, and a place that was given back is a place", () => {
    const limits = new Limits({ total: 2, perAddress: 9, perHost: 9 });
    const first = opened(limits);
    opened(limits);
    expect(limits.open()).toBeUndefined();
    limits.close(first);
    expect(limits.total).toBe(1);
    expect(limits.open()).toBeDefined();
  });

  test("hold for an address and for a host, each on its own", () => {
    const limits = new Limits({ total: 9, perAddress: 2, perHost: 1 });
    const [a, b, c] = [opened(limits), opened(limits), opened(limits)];
    expect(limits.countAddress(a, "192.0.2.1")).toBe(true);
    expect(limits.countAddress(b, "::ffff:192.0.2.1")).toBe(true);
    expect(limits.countAddress(c, "192.0.2.1")).toBe(false);
    expect(limits.countAddress(c, "192.0.2.2")).toBe(true);
    expect(limits.countHost(a, "alice.test")).toBe(true);
    expect(limits.countHost(a, "alice.test")).toBe(true); // routed again: still one connection
    expect(limits.countHost(b, "alice.test")).toBe(false);
    limits.close(a);
    expect(limits.countHost(b, "alice.test")).toBe(true);
    const d = opened(limits);
    expect(limits.countAddress(d, "192.0.2.1")).toBe(true);
  });
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("%s counts as %s", (address, key) => {
  expect(addressKey(address)).toBe(key);
});
