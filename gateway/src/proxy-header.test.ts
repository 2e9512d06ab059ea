import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type ProxyHeader, ProxyHeaderReader } from "./proxy-header.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

function header(command: number, family: number, addresses: Buffer, length = addresses.length): Buffer {
  return Buffer.concat([signature, Buffer.of(command, family, length >> 8, length & 255), addresses]);
}

const ipv4 = Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 0x30, 0x39, 0x01, 0xbb]);
const ipv6 = Buffer.concat([Buffer.from("20010db8000000000000000000000001", "hex"), Buffer.alloc(20)]);
const rest = Buffer.from([22, 3, 1]);

function read(...chunks: Uint8Array[]): ProxyHeader {
  const reader = new ProxyHeaderReader();
  let result: ProxyHeader = { kind: "incomplete" };
  for (const chunk of chunks) if (result.kind === "incomplete") result = reader.push(chunk);
  return result;
}

describe("a PROXY header", () => {
  test.each([
    ["IPv4", header(0x21, 0x11, ipv4), { kind: "proxied", address: "203.0.113.7" }],
    ["IPv6", header(0x21, 0x21, ipv6), { kind: "proxied", address: "2001:db8:0:0:0:0:0:1" }],
    [
      "IPv4 and further fields",
      header(0x21, 0x11, Buffer.concat([ipv4, Buffer.alloc(84)])),
      { kind: "proxied", address: "203.0.113.7" },
    ],
    ["a check by the load balancer", header(0x20, 0x00, Buffer.alloc(0)), { kind: "local" }],
    ["a check with addresses", header(0x20, 0x11, ipv4), { kind: "local" }],
    ["an unknown family", header(0x21, 0x00, Buffer.alloc(0)), { kind: "local" }],
  ])("with %s, however it is cut", (_what, bytes, expected) => {
    const whole = Buffer.concat([bytes, rest]);
    expect(read(whole)).toEqual({ ...expected, rest });
    expect(read(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual({ ...expected, rest: Buffer.alloc(0) });
    for (let at = 1; at < bytes.length; at += 1) {
      expect(read(whole.subarray(0, at))).toEqual({ kind: "incomplete" });
      expect(read(whole.subarray(0, at), whole.subarray(at))).toEqual({ ...expected, rest });
    }
  });

  test.each([
    ["version 1", Buffer.from("PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n")],
    ["a ClientHello at once", Buffer.from([22, 3, 1, 2])],
    ["another version", header(0x31, 0x11, ipv4)],
    ["another command", header(0x22, 0x11, ipv4)],
    ["UDP", header(0x21, 0x12, ipv4)],
    ["a UNIX socket", header(0x21, 0x31, Buffer.alloc(216))],
    ["too few bytes for IPv4", header(0x21, 0x11, ipv4.subarray(1))],
    ["too few bytes for IPv6", header(0x21, 0x21, ipv6.subarray(1))],
    ["more fields than anyone has", header(0x21, 0x11, ipv4, 0xffff)],
    ["a damaged signature", Buffer.concat([signature.subarray(0, 11), Buffer.of(0)])],
  ])("with %s is malformed", (_what, bytes) => {
    expect(read(bytes)).toEqual({ kind: "malformed" });
    expect(read(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual({ kind: "malformed" });
  });

  test("whatever it has in it is read without a fault", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 255 }), fc.nat({ max: 255 }), (bytes, a, b) => {
        expect(["incomplete", "malformed", "proxied", "local"]).toContain(read(bytes).kind);
        expect(["malformed", "proxied", "local"]).toContain(read(header(a, b, Buffer.from(bytes))).kind);
      }),
    );
  });
});
