import { describe, expect, test } from "@jest/globals";
import { isDialable, noNetworks, parseNetworks } from "./dialable.ts";

describe("an address that a directory names", () => {
  test.each([
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2a00:1450:4001:80f::200e",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::8.8.8.8",
  ])("%s is dialled", (address) => expect(isDialable(address, noNetworks)).toBe(true));

  test.each([
    ["this host", "0.0.0.0"],
    ["this network", "0.1.2.3"],
    ["private", "10.0.0.1"],
    ["shared", "100.64.0.1"],
    ["shared", "100.127.255.255"],
    ["loopback", "127.0.0.1"],
    ["loopback", "127.255.255.254"],
    ["link-local: metadata of a cloud", "169.254.169.254"],
    ["private", "172.16.0.1"],
    ["private", "172.31.255.255"],
    ["private", "192.168.1.1"],
    ["for protocols", "192.0.0.8"],
    ["for measurements", "198.19.0.1"],
    ["documentation", "203.0.113.7"],
    ["multicast", "224.0.0.1"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["unspecified", "::"],
    ["loopback", "::1"],
    ["loopback, written out", "0:0:0:0:0:0:0:1"],
    ["IPv4-compatible", "::127.0.0.1"],
    ["mapped loopback", "::ffff:127.0.0.1"],
    ["mapped loopback", "::ffff:7f00:1"],
    ["mapped loopback", "0:0:0:0:0:FFFF:7F00:0001"],
    ["mapped private", "::ffff:10.0.0.1"],
    ["mapped, low group zero", "::ffff:10.0.0.0"],
    ["translated mapped", "::ffff:0:127.0.0.1"],
    ["private, behind a translator", "64:ff9b::10.0.0.1"],
    ["of a local translator", "64:ff9b:1::8.8.8.8"],
    ["discard", "100::1"],
    ["Teredo", "2001:0:7f00:1::"],
    ["documentation", "2001:db8::1"],
    ["6to4", "2002:7f00:1::"],
    ["documentation", "3fff::1"],
    ["unique local", "fd00::1"],
    ["link-local", "fe80::1"],
    ["link-local, with a zone", "fe80::1%eth0"],
    ["global, with a zone", "2a00::1%1"],
    ["site-local", "fec0::1"],
    ["multicast", "ff02::1"],
    ["none", "localhost"],
    ["none", ""],
    ["an old notation, which no resolver gives back", "127.1"],
  ])("is not dialled: %s (%s)", (_kind, address) => expect(isDialable(address, noNetworks)).toBe(false));

  test("is dialled when it is allowed, in each of its forms", () => {
    const allowed = parseNetworks("10.20.0.0/16, fd12::/16,192.168.0.7");
    const dialled = ["10.20.3.4", "::ffff:10.20.3.4", "64:ff9b::10.20.3.4", "fd12::1", "192.168.0.7"];
    expect(dialled.filter((address) => !isDialable(address, allowed))).toEqual([]);
    const others = ["10.21.0.1", "192.168.0.8", "fd13::1", "127.0.0.1", "::1", "::ffff:10.21.0.1"];
    expect(others.filter((address) => isDialable(address, allowed))).toEqual([]);
  });
});

test.each(["10.0.0.0/33", "10.0.0/8", "fd00::/129", "x", "10.0.0.0/8;", "", "10.0.0.0/"])(
  "networks %j are refused",
  (text) => expect(() => parseNetworks(text)).toThrow("must be ADDRESS/PREFIX,…"),
);
