import { keyType, parseAtSign } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import { spelling, upperCase } from "./at-sign-name.ts";
import { expression } from "./testing/re2.ts";

describe("the rules for an atSign in the CustomResourceDefinition", () => {
  const spelt = expression(spelling);
  const capital = expression(upperCase);

  test("take every character that is normalised and can own records, and no other", () => {
    const different: string[] = [];
    for (let point = 0; point <= 0x10ffff; point++) {
      const atSign = `@${String.fromCodePoint(point)}`;
      const taken = spelt.test(atSign) && !capital.test(atSign) && atSign !== "@.";
      if (taken !== canOwn(atSign)) different.push(`U+${point.toString(16)}`);
    }
    expect(different).toEqual([]);
  });

  test("take no text that only begins or ends well", () => {
    for (const text of ["@a b", "@a\n", "a@b", "@@a", "@a@", "@", ""]) expect(spelt.test(text)).toBe(false);
  });
});

/** Whether the protocol takes it as it is, as an atSign and as the owner of a record. */
function canOwn(atSign: string): boolean {
  try {
    return parseAtSign(atSign) === atSign && keyType(`public:phone.wavi${atSign}`) === "publicKey";
  } catch {
    return false;
  }
}
