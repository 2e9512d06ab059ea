import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { atSigns, garbage } from "./arbitraries.ts";
import { type AtSign, hostLabel, hostOf, parseAtSign } from "./atsign.ts";
import { ProtocolError } from "./errors.ts";

describe("an atSign is normalised", () => {
  test.each([
    ["alice", "@alice"],
    ["@alice", "@alice"],
    ["@ALICE", "@alice"],
    ["@al.i.ce", "@alice"],
    [".alice.", "@alice"],
    ["barbara_123-x", "@barbara_123-x"],
    ["@😀Alice", "@😀alice"],
    ["@ÅSE", "@åse"],
    ["☎️", "@☎️"], // with its variation selector, and so another one than
    ["☎", "@☎"],
  ])("%s to %s", (text, expected) => {
    expect(parseAtSign(text)).toBe(expected);
  });
});

describe("an atSign is refused", () => {
  const nothing = "invalid @sign: must include one @ character and at least one character on the right";
  test.each([
    ["", nothing],
    ["@", nothing],
    ["@...", nothing],
    ["@@alice", "invalid @sign: Cannot Contain more than one @ character"],
    ["al@ice", "invalid @sign: Cannot Contain more than one @ character"],
    ["@alice@", "invalid @sign: Cannot Contain more than one @ character"],
    ["@al ice", "invalid @sign: Cannot Contain whitespace characters"],
    ["@al\u00a0ice", "invalid @sign: Cannot Contain whitespace characters"],
    ["@al\u3000ice", "invalid @sign: Cannot Contain whitespace characters"],
    ["@al\u0000ice", "invalid @sign: must not include control characters"],
    ["@al\u2400ice", "invalid @sign: must not include control characters"],
    ["@al\u2425ice", "invalid @sign: must not include control characters"],
    ["@al\ud83dice", "invalid @sign: must not include control characters"],
    ...[..."!*'`();:&=+$,/?#[]{}"].map((character) => [
      `@al${character}ice`,
      "invalid @sign: Cannot contain !*'`();:&=+$,/?#[]{}",
    ]),
  ])("%j", (text, message) => {
    expect(() => parseAtSign(text)).toThrow(
      expect.objectContaining({ error: "invalid_at_sign", code: "AT0011", closes: true, message }),
    );
  });
});

test("normalising once is enough, and nothing but its own error comes out", () => {
  fc.assert(
    fc.property(fc.oneof(garbage, atSigns, fc.string({ unit: "grapheme" })), (text) => {
      let atSign: AtSign;
      try {
        atSign = parseAtSign(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        return;
      }
      expect(parseAtSign(atSign)).toBe(atSign);
      expect(parseAtSign(atSign.slice(1))).toBe(atSign);
    }),
  );
});

describe("the host of an atSign", () => {
  // The digests: printf '%s' NAME | sha256sum | xxd -r -p | base32 | cut -c1-26 | tr A-Z a-z
  test.each([
    ["@alice", "alice"],
    ["@7", "7"],
    ["@a-b", "a-b"],
    [`@${"a".repeat(50)}`, "a".repeat(50)],
    ["@x", "x"],
    ["@xn", "xn"],
  ] as const)("%s has its name: %s", (atSign, label) => {
    expect(hostLabel(atSign)).toBe(label);
    expect(hostOf(atSign, "atrium.localhost")).toBe(`${label}.atrium.localhost`);
  });

  test.each([
    ["an emoji", "@😀"],
    ["an underscore", "@a_b"],
    ["a hyphen in front", "@-a"],
    ["a hyphen at the end", "@a-"],
    ["more than 50 characters", `@${"a".repeat(51)}`],
    ["the form of digests", "@x-abc"],
    ["the form of international names", "@xn--ls8h"],
    ["a label that RFC 5890 reserves", "@ab--cd"],
    ["a name with a meaning", "@wpad"],
    ["a name with a meaning", "@www"],
  ] as const)("that is %s has a digest: %s", (_why, atSign) => {
    expect(hostLabel(atSign)).toMatch(/^x-[a-z2-7]{26}$/);
  });

  test("has the digest that others compute", () => {
    expect(hostLabel("@😀")).toBe("x-6bcdunbml32upa5bcg2rxjlmso");
    expect(hostLabel("@a_b")).toBe("x-msh2tmy3y77x5oiu46trqdyh4d");
  });

  test("is a DNS label, and no other atSign has it", () => {
    fc.assert(
      fc.property(atSigns, atSigns, (one, other) => {
        expect(hostLabel(one)).toMatch(/^(?=.{1,50}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
        if (one !== other) expect(hostLabel(one)).not.toBe(hostLabel(other));
        else expect(hostLabel(one)).toBe(hostLabel(other));
      }),
    );
  });
});
