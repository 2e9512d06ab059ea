import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { garbage } from "./arbitraries.ts";
import { type ErrorName, errors, formatError, maxErrorBytes, ProtocolError, parseError } from "./errors.ts";

const owner = { owner: true, json: false };
const anonymous = { owner: false, json: false };
const notFound = new ProtocolError("key_not_found", "phone.wavi@alice does not exist in keystore");

test("the table has the codes of the protocol, each once but for that of a wrong atSign", () => {
  const codes = Object.entries(errors)
    .filter(([name]) => name !== "invalid_at_sign")
    .map(([, { code }]) => code);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.sort()).toEqual(
    [
      ...Array.from({ length: 16 }, (_, index) => index + 1),
      ...Array.from({ length: 12 }, (_, index) => index + 21),
      401,
    ].map((number) => `AT${String(number).padStart(4, "0")}`),
  );
});

describe("an error is written", () => {
  test.each([
    ["to its owner", notFound, owner, "error:AT0015-key not found : phone.wavi@alice does not exist in keystore"],
    ["to others", notFound, anonymous, "error:AT0015-Exception: phone.wavi@alice does not exist in keystore"],
    [
      "as JSON",
      notFound,
      { owner: true, json: true },
      'error:{"errorCode":"AT0015","errorDescription":"key not found : phone.wavi@alice does not exist in keystore"}',
    ],
    [
      "as JSON, to others",
      new ProtocolError("unauthenticated", "Command cannot be executed without auth"),
      { owner: false, json: true },
      'error:{"errorCode":"AT0401","errorDescription":"Exception: Command cannot be executed without auth"}',
    ],
    [
      "in colon form, whatever the client reads",
      new ProtocolError("apkam_pending", "enrollment_id: 7c is pending", { colonForm: true }),
      { owner: false, json: true },
      "error:AT0026:enrollment_id: 7c is pending",
    ],
    [
      "bare, when there is no connection yet",
      new ProtocolError("inbound_limit", ""),
      anonymous,
      "error:AT0012-Inbound connection limit exceeded",
    ],
    [
      "so that a reader who wants a colon and a blank finds them, also without detail",
      new ProtocolError("internal", ""),
      owner,
      "error:AT0011-Internal server exception : Internal server exception",
    ],
    [
      "without line ends",
      new ProtocolError("invalid_syntax", "one\r\ntwo\u2028three\0"),
      anonymous,
      "error:AT0003-Exception: one two three",
    ],
    [
      "without what one client takes for a reply",
      new ProtocolError("key_not_found", "data:x@alice"),
      anonymous,
      "error:AT0015-Exception: data;x@alice",
    ],
  ])("%s", (_case, error, connection, line) => {
    expect(formatError(error, connection)).toBe(line);
  });
});

test("a long key loses its middle, what happened to it does not", () => {
  const line = formatError(
    new ProtocolError("key_not_found", `${"k".repeat(300)}@alice does not exist in keystore`),
    owner,
  );
  expect(line).toMatch(/^error:AT0015-key not found : k{50,}…k*@alice does not exist in keystore$/);
  expect(Buffer.byteLength(line)).toBe(maxErrorBytes);
});

test.each([
  ["four bytes each", "😀".repeat(500)],
  ["broken surrogates", "\ud83d".repeat(500)],
  ["escaped in JSON", '"'.repeat(500)],
  ["ten million", "é".repeat(10_000_000)],
])("any detail stays within the limit: %s", (_case, detail) => {
  for (const json of [true, false]) {
    const line = formatError(new ProtocolError("invalid_key", detail), { owner: true, json });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(maxErrorBytes);
    expect(Buffer.byteLength(line)).toBeGreaterThan(maxErrorBytes - 8);
    expect(line.isWellFormed()).toBe(true);
  }
});

test("whatever the detail, one short line of UTF-8 without `data:` leaves", () => {
  const names = Object.keys(errors) as ErrorName[];
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      garbage,
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (name, detail, isOwner, json, colonForm) => {
        const line = formatError(new ProtocolError(name, `${detail}${detail}${detail}`, { colonForm }), {
          owner: isOwner,
          json,
        });
        expect(line.startsWith("error:")).toBe(true);
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(maxErrorBytes);
        expect(Buffer.from(line).toString()).toBe(line);
        expect(line).not.toMatch(/[\p{Cc}\u2028\u2029]|data:/iu);
      },
    ),
  );
});

test("what is written can be read", () => {
  const names = (Object.keys(errors) as ErrorName[]).filter(
    (name) => !["invalid_at_sign", "inbound_limit"].includes(name),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.string({ unit: fc.constantFrom(...'abc:@-{}".'), minLength: 1, maxLength: 60 }),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (name, detail, isOwner, json, colonForm) => {
        const read = parseError(formatError(new ProtocolError(name, detail, { colonForm }), { owner: isOwner, json }));
        expect(read).toMatchObject({ error: name, message: detail, colonForm });
      },
    ),
  );
});

describe("an error is read", () => {
  test.each([
    [
      "error:AT0015-key not found : Exception: @alice:x@bob does not exist",
      "key_not_found",
      "Exception: @alice:x@bob does not exist",
    ],
    ["error:AT0012-Inbound connection limit exceeded", "inbound_limit", ""],
    ["error:AT0011-anything", "internal", "anything"],
    ["error:AT0777-something new", "internal", "AT0777-something new"],
    [
      'error:{"errorCode":"AT0777","errorDescription":"new"}',
      "internal",
      '{"errorCode":"AT0777","errorDescription":"new"}',
    ],
    ["error:{broken", "internal", "{broken"],
    ["error:null:InvalidSyntaxException", "internal", "null:InvalidSyntaxException"],
    ["error:", "internal", ""],
    ["", "internal", ""],
  ])("%s", (line, error, message) => {
    expect(parseError(line)).toMatchObject({ error, message });
  });
});

test("knows its code, whether it ends the connection, and its cause", () => {
  const cause = new Error("disk");
  const error = new ProtocolError("data_store", "cannot write", { cause });
  expect(error).toMatchObject({ code: "AT0002", closes: true, cause });
  expect(new ProtocolError("internal", "enrolment", { closes: false }).closes).toBe(false);
});
