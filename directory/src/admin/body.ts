import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** Ten times the longest body that makes sense. */
const maxBodyBytes = 8_192;

/** @throws {Problem} when it is too long, not JSON in UTF-8, or breaks off */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new Problem(400, "the body is not JSON", { cause: error });
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBodyBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new Problem(400, "the body broke off", { cause: error });
  }
  if (bytes <= maxBodyBytes) return Buffer.concat(chunks);
  throw new Problem(413, `a body has at most ${maxBodyBytes} bytes`, { headers: { connection: "close" } });
}
