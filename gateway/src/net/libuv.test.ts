import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { openLibuv } from "./libuv.ts";

const internals = process as unknown as { binding(name: string): object };
const binding = internals.binding;

describe("what is below Node's sockets", () => {
  afterEach(() => void jest.restoreAllMocks());

  test("is there, in the Node that this is made for", () => {
    const libuv = openLibuv();
    expect(libuv?.endOfFile).toBeLessThan(0);
    expect(libuv?.errorName(-32)).toBe("EPIPE");
  });

  test.each([
    ["has lost a part", (name: string) => (name === "stream_wrap" ? {} : binding(name))],
    [
      "has changed its form",
      (name: string) => (name === "tcp_wrap" ? { ...binding(name), TCP: class {} } : binding(name)),
    ],
  ])("is not used when it %s", (_what, changed) => {
    jest.spyOn(internals, "binding").mockImplementation((name) => changed(name) as object);
    expect(openLibuv()).toBeUndefined();
  });

  test("is not used when Node refuses to give it", () => {
    jest.spyOn(internals, "binding").mockImplementation(() => {
      throw new Error("No such module");
    });
    expect(openLibuv()).toBeUndefined();
  });
});
