const newline = 0x0a;

/**
 * The lines of a stream of bytes, without their ends and without empty ones. What stands behind the last end of a line
 * was cut off, and is left out.
 *
 * @throws {RangeError} when a line is longer than `maxBytes`
 */
export async function* lines(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    let begin = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, begin)) {
      const last = chunk.subarray(begin, end);
      const line = (length === 0 ? last : Buffer.concat([...pieces, last])).toString();
      [pieces, length, begin] = [[], 0, end + 1];
      if (line !== "") yield line;
    }
    if (begin < chunk.length) pieces.push(chunk.subarray(begin));
    length += chunk.length - begin;
    if (length > maxBytes) throw new RangeError(`a line is longer than ${maxBytes} bytes`);
  }
}
