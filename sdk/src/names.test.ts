import { formatKey } from "@atrium/protocol";
import { expect, test } from "@jest/globals";
import { atSignOf, isOfProtocol, isReserved, keyOf } from "./names.ts";

test.each([
  ["phone.demo", "phone.demo@alice"],
  ["phone.demo@alice", "phone.demo@alice"],
  ["Phone.Demo", "phone.demo@alice"],
  ["public:nick.demo", "public:nick.demo@alice"],
  ["public:nick.demo@bob", "public:nick.demo@bob"],
  ["@bob:phone.demo", "@bob:phone.demo@alice"],
  ["phone.demo@bob", "phone.demo@bob"],
  ["shared_key.bob", "shared_key.bob@alice"],
])("%s is %s to @alice", (text, key) => {
  expect(formatKey(keyOf(text, "@alice"))).toBe(key);
});

test.each([
  "",
  "@",
  "a:b",
  "public:",
  "private:x.y",
  "local:x.y",
  "cached:public:x.y@bob",
  "x.y@",
  "x/y",
  "x\ny",
  "privatekey:at_secret",
])("%j is refused", (text) => {
  expect(() => keyOf(text, "@alice")).toThrow(expect.objectContaining({ reason: "invalid" }));
});

test.each([
  ["publickey", false],
  ["public:publickey", true],
  ["public:signing_publickey", true],
  ["shared_key.bob", true],
  ["@bob:shared_key", true],
  ["phone.demo", false],
])("the protocol has a meaning for %s: %s", (text, reserved) => {
  expect(isReserved(keyOf(text, "@alice"))).toBe(reserved);
});

test("an atSign may be written in many ways", () => {
  expect(atSignOf("Al.Ice")).toBe("@alice");
  expect(() => atSignOf("@a/b")).toThrow(expect.objectContaining({ reason: "invalid" }));
});

test.each([
  ["cached:public:publickey@bob", true],
  ["@alice:signing_privatekey@alice", true],
  ["cached:public:nick.demo@bob", false],
  ["what ever", false],
])("the stored key %s is of the protocol: %s", (stored, expected) => {
  expect(isOfProtocol(stored)).toBe(expected);
});
