import { expect, test } from "@jest/globals";
import { from, readsJsonErrors } from "./from.ts";

test.each([
  ["from:alice", { atSign: "@alice" }],
  ["from:@ALICE", { atSign: "@alice" }],
  ["from:@al.ice", { atSign: "@alice" }],
  [
    'from:@alice:clientConfig:{"version":"3.3.0","clientId":"a:b@c","appName":"x y","os":{"name":"n"},"platform":null}',
    { atSign: "@alice", clientConfig: { version: "3.3.0", clientId: "a:b@c", appName: "x y" } },
  ],
  ['FROM:@alice:CLIENTCONFIG:{"platform":"p","version":3}', { atSign: "@alice", clientConfig: { platform: "p" } }],
  ["from:@alice:clientConfig:{}", { atSign: "@alice", clientConfig: {} }],
  ['from:@alice:clientConfig:{"__proto__":{"version":"9.0.0"}}', { atSign: "@alice", clientConfig: {} }],
])("%s", (line, params) => {
  expect(from.parse(line)).toEqual(params);
});

test.each([
  "from:",
  "from",
  "from:@",
  "from:@@alice",
  "from:a b",
  "from:@alice:",
  "from:@alice:clientConfig:",
  "from:@alice:clientConfig:{x}",
  "from:@alice:clientConfig:[]",
])("%s is wrong", (line) => {
  expect(() => from.parse(line)).toThrow(expect.objectContaining({ code: "AT0003" }));
});

test("an atSign that cannot be one ends the connection", () => {
  expect(() => from.parse("from:@al!ce")).toThrow(expect.objectContaining({ error: "invalid_at_sign", closes: true }));
});

test.each([
  [undefined, false],
  ["", false],
  ["1.0.0", false],
  ["3.0.37", false],
  ["3.0.37-rc1", false],
  ["3.0.38", true],
  ["3.0.38-rc1", true],
  ["3.1.0+7", true],
  ["4.0.0", true],
  ["10.0.0", true],
  ["3.8", false],
  ["latest", false],
])("a client of version %s reads errors as JSON: %s", (version, json) => {
  expect(readsJsonErrors(version === undefined ? {} : { version })).toBe(json);
  expect(readsJsonErrors(undefined)).toBe(false);
});
