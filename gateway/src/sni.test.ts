import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Hello, HelloReader, maxHelloBytes } from "./sni.ts";
import { hellos } from "./vectors/hellos.ts";

const vectors = hellos.map(({ client, serverName, bytes }) => ({
  client,
  bytes: Buffer.from(bytes, "base64"),
  expected: serverName === undefined ? { kind: "nameless" } : { kind: "named", serverName },
}));

/** @returns the first final result, and "incomplete" when there is none */
function read(...chunks: Uint8Array[]): Hello {
  const reader = new HelloReader();
  for (const chunk of chunks) {
    const hello = reader.push(chunk);
    if (hello.kind !== "incomplete") return hello;
  }
  return { kind: "incomplete" };
}

describe.each(vectors)("the ClientHello of $client", ({ bytes, expected }) => {
  test("in one piece", () => {
    expect(read(bytes)).toEqual(expected);
  });

  test("split at every byte, and kept as it came", () => {
    for (let at = 1; at < bytes.length; at += 1) {
      const reader = new HelloReader();
      expect(reader.push(bytes.subarray(0, at))).toEqual({ kind: "incomplete" });
      expect(reader.push(bytes.subarray(at))).toEqual(expected);
      expect(reader.bytes.equals(bytes)).toBe(true);
    }
  });

  test("byte by byte", () => {
    expect(read(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test.each([1, 2, 3, 100])("over records of %i bytes", (size) => {
    const spread = records(bytes.subarray(5), size);
    expect(read(spread)).toEqual(expected);
    expect(read(...[...spread].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test("with what the client sent behind it", () => {
    expect(read(Buffer.concat([bytes, Buffer.alloc(maxHelloBytes, 23)]))).toEqual(expected);
  });

  test("is not known before its last byte", () => {
    expect(read(bytes.subarray(0, -1))).toEqual({ kind: "incomplete" });
  });

  test("never becomes another name, whichever byte is damaged", () => {
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x80;
      // The eighth bit is in no host name, so that a damaged name is malformed.
      const { kind, ...named } = read(damaged);
      expect(named).toEqual(kind === "named" ? { serverName: "alice.at.example.org" } : {});
    }
  });
});

describe("a ClientHello", () => {
  test.each([
    ["alice.example.org", "alice.example.org"],
    ["ALICE.Example.ORG.", "alice.example.org"],
    ["x-abcdefghijklmnopqrstuvwxyz.example.org", "x-abcdefghijklmnopqrstuvwxyz.example.org"],
    ["a_b.example", "a_b.example"],
  ])("for %s", (name, serverName) => {
    expect(read(hello(extension(0, names(name))))).toEqual({ kind: "named", serverName });
  });

  test.each(["", ".", "a..b", ".a", "a b", "a\0b", "a\nb", "é.example", "a/b", "a:1", "[::1]", "a.".repeat(128)])(
    "with the name %j is malformed",
    (name) => {
      expect(read(hello(extension(0, names(name))))).toEqual({ kind: "malformed" });
    },
  );

  test.each<[string, Buffer]>([
    ["two names", hello(extension(0, vector(2, Buffer.concat([name("a"), name("b")]))))],
    ["two server_name extensions", hello(Buffer.concat([extension(0, names("a")), extension(0, names("b"))]))],
    ["a list longer than its extension", hello(extension(0, Buffer.concat([number(2, 9), name("a")])))],
    ["a list shorter than its extension", hello(extension(0, Buffer.concat([names("a"), Buffer.of(0)])))],
    ["an empty extension", hello(extension(0, Buffer.alloc(0)))],
    ["an extension that goes on behind the end", hello(Buffer.concat([number(2, 0), number(2, 400)]))],
    ["something behind its extensions", message(Buffer.concat([body(extension(0, names("a"))), Buffer.of(0)]))],
    ["no cipher suites", message(Buffer.concat([Buffer.alloc(35), number(2, 0), vector(1, Buffer.of(0))]))],
    ["no end to its session id", message(Buffer.concat([Buffer.alloc(34), Buffer.of(255)]))],
    ["nothing in it", message(Buffer.alloc(0))],
    ["another type", records(Buffer.from([2, 0, 0, 0]), 100)],
    ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
    ["a record longer than records may be", Buffer.from([22, 3, 1, 0x40, 0x01])],
    ["another record in its midst", Buffer.concat([records(Buffer.of(1, 0, 0), 3), Buffer.of(21)])],
  ])("with %s is malformed", (_what, bytes) => {
    expect(read(bytes)).toEqual({ kind: "malformed" });
  });

  test.each<[string, Buffer]>([
    ["no extensions", message(body())],
    ["other extensions only", hello(extension(43, Buffer.of(2, 3, 4)))],
    [
      "a name of an unknown type",
      hello(extension(0, vector(2, Buffer.concat([Buffer.of(7), vector(2, Buffer.of(1))])))),
    ],
  ])("with %s has no name", (_what, bytes) => {
    expect(read(bytes)).toEqual({ kind: "nameless" });
  });

  test("may be as long as the limit, and no longer", () => {
    const padded = (length: number) =>
      hello(Buffer.concat([extension(0, names("a")), extension(21, Buffer.alloc(length))]));
    const room = maxHelloBytes - padded(0).length;
    expect(read(padded(room))).toEqual({ kind: "named", serverName: "a" });
    expect(read(padded(room + 1))).toEqual({ kind: "oversize" });
    // What it says of its own length is enough, even when the rest never comes.
    expect(read(padded(room + 1).subarray(0, 9))).toEqual({ kind: "oversize" });
  });

  test("is oversize in small records that never end", () => {
    const spread = records(Buffer.concat([Buffer.of(1, 0, 0x3f, 0), Buffer.alloc(16_000)]), 1);
    expect(read(spread)).toEqual({ kind: "oversize" });
    expect(read(...[...spread].map((byte) => Uint8Array.of(byte)))).toEqual({ kind: "oversize" });
  });
});

test.each(["GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\0", "\x16G", "\x16\x02", "\x80\x2e\x01"])(
  "%j is not TLS",
  (text) => {
    expect(read(Buffer.from(text, "latin1"))).toEqual({ kind: "not-tls" });
  },
);

describe("whatever comes", () => {
  const kinds = ["incomplete", "named", "nameless", "not-tls", "malformed", "oversize"];
  const chunk = fc.uint8Array({ maxLength: 300 });
  const valid = fc.constantFrom(...vectors.map(({ bytes }) => bytes));

  test("is read without a fault", () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 20 }), (chunks) => {
        expect(kinds).toContain(read(...chunks).kind);
      }),
    );
  });

  test("is read without a fault behind the head of a ClientHello", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(kinds).toContain(read(message(Buffer.from(bytes))).kind);
        expect(kinds).toContain(read(hello(Buffer.from(bytes))).kind);
      }),
      { numRuns: 500 },
    );
  });

  test("is the same however it is cut", () => {
    const cuts = fc.array(fc.nat({ max: 2_000 }), { maxLength: 20 });
    const damage = fc.array(fc.tuple(fc.nat({ max: 2_000 }), fc.nat({ max: 255 })), { maxLength: 3 });
    fc.assert(
      fc.property(valid, cuts, damage, (bytes, places, changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        const ends = [...places.map((place) => place % damaged.length), damaged.length].sort((a, b) => a - b);
        const chunks = ends.map((end, index) => damaged.subarray(ends[index - 1] ?? 0, end));
        expect(read(...chunks)).toEqual(read(damaged));
      }),
      { numRuns: 500 },
    );
  });

  test("takes linear time, also in single bytes of single-byte records", () => {
    const spread = records(Buffer.concat([Buffer.of(1, 0, 0x0a, 0), Buffer.alloc(2_560)]), 1);
    const started = performance.now();
    for (let round = 0; round < 20; round += 1) read(...[...spread].map((byte) => Uint8Array.of(byte)));
    // Some 300,000 pushes; quadratic copying would be billions of bytes.
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

// From here on: how a ClientHello is put together. RFC 8446, section 4.1.2.

function hello(extensions: Buffer): Buffer {
  return message(body(extensions));
}

function body(extensions?: Buffer): Buffer {
  const fixed = Buffer.concat([number(2, 0x0303), Buffer.alloc(32), vector(1, Buffer.alloc(32))]);
  const rest = Buffer.concat([vector(2, Buffer.of(0x13, 0x01)), vector(1, Buffer.of(0))]);
  return Buffer.concat([fixed, rest, ...(extensions === undefined ? [] : [vector(2, extensions)])]);
}

function message(content: Buffer): Buffer {
  return records(Buffer.concat([Buffer.of(1), number(3, content.length), content]), 16_384);
}

function records(content: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    parts.push(Buffer.of(22, 3, 1), vector(2, content.subarray(at, at + size)));
  }
  return Buffer.concat(parts);
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([number(2, type), vector(2, data)]);
}

function names(text: string): Buffer {
  return vector(2, name(text));
}

function name(text: string): Buffer {
  return Buffer.concat([Buffer.of(0), vector(2, Buffer.from(text, "utf8"))]);
}

function vector(lengthBytes: 1 | 2, content: Buffer): Buffer {
  return Buffer.concat([number(lengthBytes, content.length), content]);
}

function number(bytes: 1 | 2 | 3, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
