import { describe, expect, test } from "@jest/globals";
import { lines } from "./lines.ts";
import { seeded } from "./testing/random.ts";

async function all(chunks: readonly Buffer[], maxBytes = 100): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines(each(chunks), maxBytes)) found.push(line);
  return found;
}

async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

describe("lines", () => {
  test.each(Array.from({ length: 20 }, (_, seed) => [seed]))(
    "are the same however they are cut (seed %i)",
    async (seed) => {
      const { below } = seeded(seed);
      const bytes = Buffer.from('{"a":"é"}\n\n{}\n{"long":"…………"}\nleft out');
      const chunks: Buffer[] = [];
      for (let begin = 0; begin < bytes.length; ) {
        const end = begin + 1 + below(12);
        chunks.push(bytes.subarray(begin, end));
        begin = end;
      }
      expect(await all(chunks)).toEqual(['{"a":"é"}', "{}", '{"long":"…………"}']);
    },
  );

  test("are refused when they are too long, before they are whole", async () => {
    const chunk = Buffer.alloc(60, "a");
    await expect(all([chunk, chunk])).rejects.toThrow(RangeError);
    expect(await all([chunk, Buffer.from("\n"), chunk, Buffer.from("\n")])).toHaveLength(2);
  });
});
