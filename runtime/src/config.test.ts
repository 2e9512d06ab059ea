import { describe, expect, test } from "@jest/globals";
import { address, formatAddress, integer, oneOf, optionalText, readSettings, SettingsError, text } from "./config.ts";

const settings = {
  atSign: text("ATSIGN"),
  listen: address("LISTEN", { fallback: { host: "0.0.0.0", port: 6464 } }),
  limit: integer("LIMIT", { fallback: 200, min: 1, max: 1000 }),
  level: oneOf("LEVEL", ["info", "debug"], { fallback: "info" }),
  upstream: optionalText("UPSTREAM"),
};

describe("settings", () => {
  test("have their fallbacks, also where a variable is empty", () => {
    expect(readSettings(settings, { ATSIGN: "@alice", LIMIT: "" })).toEqual({
      atSign: "@alice",
      listen: { host: "0.0.0.0", port: 6464 },
      limit: 200,
      level: "info",
      upstream: undefined,
    });
  });

  test("name every fault at once", () => {
    let caught: unknown;
    try {
      readSettings(settings, { LISTEN: "nowhere", LIMIT: "0", LEVEL: "loud" });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(SettingsError);
    expect((caught as SettingsError).faults).toEqual([
      "ATSIGN is not set",
      "LISTEN must be HOST:PORT",
      "LIMIT must be a whole number from 1 to 1000",
      "LEVEL must be one of info, debug",
    ]);
  });

  test.each(["-1", "1.5", "1e3", " 7", "0x10", "99999999999999999"])("refuse %j as a whole number", (value) => {
    expect(() => readSettings({ limit: integer("LIMIT") }, { LIMIT: value })).toThrow("LIMIT must be a whole number");
  });

  test.each([
    ["a.example:64", { host: "a.example", port: 64 }],
    ["[::1]:0", { host: "::1", port: 0 }],
  ])("read %s as an address", (value, expected) => {
    const { listen } = readSettings(settings, { ATSIGN: "@alice", LISTEN: value });
    expect(listen).toEqual(expected);
    expect(formatAddress(listen)).toBe(value);
  });

  test.each(["a.example", ":64", "a:65536", "::1:64", "a b:1", "a:"])("refuse %j as an address", (value) => {
    expect(() => readSettings(settings, { ATSIGN: "@alice", LISTEN: value })).toThrow("LISTEN must be HOST:PORT");
  });
});
