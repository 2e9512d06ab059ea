import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { createInterface } from "node:readline";

/** When the operator told of each host's route first, as a gateway sees it. */
export class RouteStream implements AsyncDisposable {
  /** on the monotonic clock, milliseconds */
  readonly servingAt = new Map<string, number>();
  readonly #response: IncomingMessage;

  static async open(url: string, identity: { cert: string; key: string; ca: string }): Promise<RouteStream> {
    const asking = get(url, { ...identity, servername: "operator.atrium.internal", agent: false });
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    asking.on("error", () => undefined); // the response's reader is told
    return new RouteStream(response);
  }

  private constructor(response: IncomingMessage) {
    this.#response = response;
    // It is cut when the operator or the bench ends.
    createInterface({ input: response })
      .on("line", (line) => this.#take(line))
      .on("error", () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#response.destroy();
  }

  #take(line: string): void {
    const { route } = JSON.parse(line) as { route?: { host: string; state: string } };
    if (route?.state !== "Serving" || this.servingAt.has(route.host)) return;
    this.servingAt.set(route.host, performance.now());
  }
}
