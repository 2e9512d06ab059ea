import { render } from "../records.ts";
import type { StoredRecord } from "../store/store.ts";
import { Base2e15Decoder, base2e15Bytes } from "./base2e15.ts";
import { contentType } from "./record-path.ts";

/** The body of a response. */
export interface Content {
  readonly type: string;
  readonly bytes: number;
  /** how much of memory it takes, in characters */
  readonly length: number;
  /** @param length of a piece, in characters */
  pieces(length: number): Iterable<string | Buffer>;
}

export function textContent(type: string, text: string): Content {
  return { type, bytes: Buffer.byteLength(text), length: text.length, pieces: (length) => cut(text, length) };
}

/**
 * What a record is in HTTP: its value, or the JSON that a `lookup` with the same part is answered with.
 *
 * @param query `at_rt`, the part (`meta`, `all`), and `at_ct`, the content type that the client takes a value for
 */
export function recordContent(record: StoredRecord, query: URLSearchParams): Content {
  const part = query.get("at_rt");
  if (part === "meta" || part === "all")
    return textContent("application/json; charset=utf-8", `${render(record, part)}`);
  const { isBinary = false } = record.metadata;
  const type = contentType(record.key, { isBinary, asked: query.get("at_ct") });
  const value = record.value ?? "";
  const bytes = isBinary ? base2e15Bytes(value) : 0;
  // Not everything that is said to be binary is written in this way.
  if (bytes === 0) return textContent(type, value);
  return { type, bytes, length: value.length, pieces: (length) => decoded(value, length) };
}

function* decoded(text: string, length: number): Iterable<Buffer> {
  const decoder = new Base2e15Decoder();
  for (let start = 0; start < text.length; start += length) yield decoder.decode(text.slice(start, start + length));
}

/** Never between the two halves of a character. */
function* cut(text: string, length: number): Iterable<string> {
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = start + length;
    const next = text.charCodeAt(end);
    if (next >= 0xdc00 && next <= 0xdfff) end--;
    yield text.slice(start, end);
  }
}
