import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** Ten times the longest body that makes sense. */
const maxBodyBytes = 8_192;

/** @throws {Problem} when it is too long or not JSON in UTF-8 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The rest is not read: the connection is closed with the answer.
    if (bytes > maxBodyBytes)
      throw new Problem(413, `a body has at most ${maxBodyBytes} bytes`, { headers: { connection: "close" } });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    throw new Problem(400, "the body is not JSON", { cause: error });
  }
}
