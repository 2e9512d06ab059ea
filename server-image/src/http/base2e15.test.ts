import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Base2e15Decoder, base2e15Bytes } from "./base2e15.ts";

/** Straight from the table of the format, bit by bit. */
function encode(bytes: Uint8Array): string {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let text = "";
  for (; bits.length > 7; bits = bits.slice(15)) {
    const value = Number.parseInt(bits.slice(0, 15).padEnd(15, "0"), 2);
    text += String.fromCharCode(value + (value < 0x1936 ? 0x3480 : value < 0x545c ? 0x34ca : 0x57a4));
  }
  return bits === "" ? text : text + String.fromCharCode(0x3400 + Number.parseInt(bits.padEnd(7, "0"), 2));
}

function decode(text: string, pieceLength = text.length + 1): Buffer {
  const decoder = new Base2e15Decoder();
  const pieces: Buffer[] = [];
  for (let i = 0; i < text.length; i += pieceLength) pieces.push(decoder.decode(text.slice(i, i + pieceLength)));
  return Buffer.concat(pieces);
}

describe("base2e15", () => {
  test("has the bytes of the libraries' own example", () => {
    const text = "嗺둽嬖蟝巍媖疌켉溁닽壪";
    expect(decode(text).toString()).toBe("Base2e15 is awesome!");
    expect(base2e15Bytes(text)).toBe(20);
    expect(decode("~嗺둽嬖蟝巍媖疌123켉溁닽壪").toString()).toBe("Base2e15 is awesome!");
  });

  test.each([
    ["nothing", "", ""],
    ["the first of its characters", "\u3480\u3400", "0000"],
    ["the last of each range", "\u4db5\u8925\ud7a3\u347f", "326b516fffff"],
    ["no character of it", "abc\u33ff\u4db6\u4dff\u8926\uabff\ud7a4", ""],
  ])("of %s", (_what, text, hex) => {
    expect(decode(text).toString("hex")).toBe(hex);
    expect(base2e15Bytes(text)).toBe(hex.length / 2);
  });

  test("gives back all bytes, however the text is cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (bytes, pieceLength) => {
        const text = encode(bytes);
        expect(base2e15Bytes(text)).toBe(bytes.length);
        expect(decode(text, pieceLength)).toEqual(Buffer.from(bytes));
      }),
    );
  });
});
