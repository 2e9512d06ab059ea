import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { Problem } from "./problem.ts";

/** A CSR has some 500 bytes. */
const maxBytes = 16_384;

/** What is not known is left for those who know it: `natsUser` says nothing where there is no NATS. */
const Body = z.object({
  atSign: z.string().max(256),
  epoch: z.int().positive(),
  csr: z.string(),
  activated: z.boolean().default(false),
});

export type IdentityBody = z.output<typeof Body>;

/** @throws {Problem} 400 or 413 */
export async function readBody(request: IncomingMessage): Promise<IdentityBody> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      length += (chunk as Buffer).length;
      if (length > maxBytes) throw new Problem(413, `the body has more than ${maxBytes} bytes`);
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw cause instanceof Problem ? cause : new Problem(400, "the body did not come", { cause });
  }
  const body = Body.safeParse(parseJson(Buffer.concat(chunks).toString("utf8")));
  if (body.success) return body.data;
  const [issue] = body.error.issues;
  throw new Problem(400, `the body: ${[...(issue?.path ?? []), issue?.message].join(": ")}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // told as what it is not
  }
}
