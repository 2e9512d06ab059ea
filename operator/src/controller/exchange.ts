import { type IncomingMessage, request as requestHttp } from "node:http";
import { type RequestOptions, request as requestHttps } from "node:https";

/**
 * Sends one HTTP request.
 *
 * @param mayLeave is asked when the connection is ready and before the first byte: no time passes between its answer and
 *   the request, whatever waiting for the connection took. What it throws is thrown.
 * @returns once the head of the answer is there
 */
export function exchange(
  url: URL,
  options: RequestOptions,
  payload: string | undefined,
  mayLeave: () => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === "https:";
    const asking = (secure ? requestHttps : requestHttp)(url, options);
    asking.once("response", resolve);
    asking.once("error", reject);
    const leave = () => {
      try {
        mayLeave();
        asking.end(payload);
      } catch (error) {
        asking.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    };
    asking.once("socket", (socket) => {
      if (asking.reusedSocket) leave();
      else socket.once(secure ? "secureConnect" : "connect", leave);
    });
  });
}
