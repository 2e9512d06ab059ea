import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodeLine, freeLine, LineSplitter, maxLineBytes, stripPrompt } from "./framing.ts";

/** Every line, after the bytes came in pieces of one size. */
function split(bytes: Uint8Array, pieceBytes: number, splitter = new LineSplitter()): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    // A copy, since the splitter owns what it is given.
    lines.push(...splitter.push(Uint8Array.from(bytes.subarray(start, start + pieceBytes))));
  }
  return lines;
}

describe("a stream is cut", () => {
  test.each([
    ["at every newline", "a\nbb\n\nccc", ["a", "bb", ""]],
    ["also after carriage returns", "a\r\n\r\nb\rc\r\n", ["a", "", "b\rc"]],
    ["only when a line ends", "abc", []],
    ["with bytes that mean nothing", "\0\xff\n", ["\0\xff"]],
  ])("%s", (_case, text, lines) => {
    expect(split(Buffer.from(text, "latin1"), 1000).map((line) => line.toString("latin1"))).toEqual(lines);
  });

  test("the same, whatever the pieces", () => {
    const unit = fc.constantFrom(0x0a, 0x0d, 0x61, 0xff);
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (bytes, pieceBytes) => {
        const whole = new LineSplitter();
        const pieces = new LineSplitter();
        const lines = split(Buffer.from(bytes), bytes.length + 1, whole);
        expect(split(Buffer.from(bytes), pieceBytes, pieces)).toEqual(lines);
        expect(pieces.bufferedBytes).toBe(whole.bufferedBytes);
        expect(pieces.bufferedBytes).toBe(bytes.length - (bytes.lastIndexOf(0x0a) + 1));
        expect(pieces.peek(1000)).toEqual(Buffer.from(bytes.slice(bytes.lastIndexOf(0x0a) + 1)));
      }),
    );
  });

  test.each([1, 1000, 4095, 4096, 4097, 16_384, 65_536])(
    "with large and small pieces mixed: %i bytes",
    (pieceBytes) => {
      const bytes = Buffer.from(
        Array.from({ length: 200_000 }, (_, index) => (index % 50_000 === 0 ? 0x0a : (index % 251) | 0x80)),
      );
      const splitter = new LineSplitter();
      splitter.push(Buffer.from("first "));
      const lines = split(bytes, pieceBytes, splitter);
      expect(Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]))).toEqual(
        Buffer.concat([Buffer.from("first "), bytes.subarray(0, 150_001)]),
      );
    },
  );
});

describe.each([16, 1000])("a line of at most %i bytes with its newline", (limit) => {
  const fits = Buffer.from(`${"a".repeat(limit - 1)}\n`);
  const tooLong = Buffer.from(`${"a".repeat(limit)}\n`);

  test.each([1, 7, 2000])("passes, in pieces of %i", (pieceBytes) => {
    const splitter = new LineSplitter({ maxLineBytes: limit });
    expect(split(fits, pieceBytes, splitter)).toEqual([fits.subarray(0, -1)]);
    expect(split(fits, pieceBytes, splitter)).toHaveLength(1);
  });

  test.each([1, 7, 2000])("one byte more is refused, in pieces of %i", (pieceBytes) => {
    const splitter = new LineSplitter({ maxLineBytes: limit });
    expect(() => split(tooLong, pieceBytes, splitter)).toThrow(
      expect.objectContaining({ error: "buffer_limit", code: "AT0005", closes: true }),
    );
  });

  test("one without an end is refused when it cannot fit any more", () => {
    const splitter = new LineSplitter({ maxLineBytes: limit });
    expect(splitter.push(fits.subarray(0, -1))).toEqual([]);
    expect(splitter.bufferedBytes).toBe(limit - 1);
    expect(() => splitter.push(Buffer.from("a"))).toThrow(expect.objectContaining({ error: "buffer_limit" }));
  });
});

test("the limit may be changed", () => {
  const splitter = new LineSplitter({ maxLineBytes: 10 });
  splitter.push(Buffer.from("12345678"));
  splitter.maxLineBytes = 100;
  expect(splitter.push(Buffer.from("9012\n")).map(String)).toEqual(["123456789012"]);
});

test("a line that was gathered can be freed, one that shares its memory with others cannot", () => {
  const splitter = new LineSplitter();
  const chunk = Buffer.from("b\nc\n");
  expect(splitter.push(Buffer.from("a"))).toEqual([]);
  const lines = splitter.push(chunk);
  expect(lines.map(String)).toEqual(["ab", "c"]);
  for (const line of lines) freeLine(line);
  expect(lines.map(String)).toEqual(["", "c"]);
  expect(String(chunk)).toBe("b\nc\n");
});

test("lines can be fetched one by one, also under a limit that changes between them", () => {
  const splitter = new LineSplitter({ maxLineBytes: 4 });
  splitter.feed(Buffer.from("a\nbbbbb\ncc"));
  expect(String(splitter.next())).toBe("a");
  expect([String(splitter.unread), splitter.bufferedBytes]).toEqual(["bbbbb\ncc", 0]);
  splitter.maxLineBytes = 6;
  expect(String(splitter.next())).toBe("bbbbb");
  expect(splitter.next()).toBeUndefined();
  expect([splitter.unread.length, splitter.bufferedBytes]).toEqual([0, 2]);
  expect(splitter.next()).toBeUndefined();
  splitter.feed(Buffer.from("c\n"));
  splitter.clear();
  expect(splitter.next()).toBeUndefined();
});

test("an unfinished line can be given up", () => {
  const splitter = new LineSplitter();
  splitter.clear();
  splitter.push(Buffer.from("abc"));
  splitter.clear();
  expect([splitter.bufferedBytes, splitter.peek(9)]).toEqual([0, Buffer.alloc(0)]);
  expect(splitter.push(Buffer.from("d\n")).map(String)).toEqual(["d"]);
});

test("the default limit is that of the protocol, to the byte", () => {
  const line = Buffer.alloc(maxLineBytes, "a");
  line[maxLineBytes - 1] = 0x0a;
  expect(split(line, 65_536)[0]?.length).toBe(10_239_999);
  expect(() => split(Buffer.alloc(maxLineBytes, "a"), 65_536)).toThrow(
    expect.objectContaining({ error: "buffer_limit" }),
  );
});

test("a line that trickles in byte by byte costs time in proportion", () => {
  const trickle = (bytes: number): number => {
    const splitter = new LineSplitter();
    const chunk = Buffer.from("a");
    const started = performance.now();
    for (let sent = 0; sent < bytes; sent += 1) splitter.push(chunk);
    expect(splitter.push(Buffer.from("\n"))[0]?.length).toBe(bytes);
    return performance.now() - started;
  };
  trickle(100_000);
  const short = Math.min(trickle(250_000), trickle(250_000));
  expect(Math.min(trickle(1_000_000), trickle(1_000_000))).toBeLessThan(10 * short + 100);
});

test("a line is decoded without white space around it", () => {
  expect(decodeLine(Buffer.from("  update:x@alice h\u00e9 😀 \r"))).toBe("update:x@alice h\u00e9 😀");
  expect(decodeLine(Uint8Array.from([0x61]))).toBe("a");
  expect(decodeLine(Buffer.from("a\0b"))).toBe("a\0b");
});

test.each([
  ["a lone continuation byte", [0x61, 0x80]],
  ["a sequence that ends early", [0xe2, 0x82]],
  ["an overlong form", [0xc0, 0xaf]],
  ["half a surrogate pair", [0xed, 0xa0, 0x80]],
  ["beyond Unicode", [0xf5, 0x80, 0x80, 0x80]],
])("what is not UTF-8 is refused: %s", (_case, bytes) => {
  expect(() => decodeLine(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: "AT0003" }));
});

test.each([
  ["@alice@data:success", "data:success"],
  ["@data:success", "data:success"],
  ["data:@bob:x@alice", "data:@bob:x@alice"],
  ["@bob@notification: {}", "notification: {}"],
  ["@error:AT0015-key not found : x@alice", "error:AT0015-key not found : x@alice"],
  ["@alice.atrium.localhost:6464", "alice.atrium.localhost:6464"],
  ["@null", "null"],
  ["@alice@", ""],
  ["null", "null"],
  ["", ""],
])("behind its prompt, %s is %s", (line, reply) => {
  expect(stripPrompt(line)).toBe(reply);
});
