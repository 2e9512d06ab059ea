import { connect } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";

const probeTimeoutMs = 2_000;

/** Whether a client that asks for `host` is greeted: through the gateway, over TLS, by an atServer with that name. */
export async function greets({ host, at, ca }: { host: string; at: Address; ca: string }): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ ...at, servername: host, ca });
  const timer = setTimeout(() => resolve(false), probeTimeoutMs);
  socket.once("data", (chunk) => resolve(chunk.toString() === "@"));
  socket.once("error", () => resolve(false));
  socket.once("close", () => resolve(false));
  const answer = await promise;
  clearTimeout(timer);
  socket.destroy();
  return answer;
}
