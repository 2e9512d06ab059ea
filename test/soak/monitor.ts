import type { AtServerClient } from "./atserver-client.ts";
import type { AtServerProcess } from "./atserver-process.ts";

export interface Notification {
  readonly id: string;
  readonly from: string;
  readonly key: string;
  readonly value: string | null;
  readonly epochMillis: number;
}

/** All that an atServer received, in its order: from its beginning on, and as it arrives. */
export class MonitorLog implements AsyncDisposable {
  readonly received: Notification[];
  readonly #client: AtServerClient;
  readonly #over: Promise<void>;
  #changed = Promise.withResolvers<void>();

  /** @param received what was received before, to which is added */
  static async open(server: AtServerProcess, received: Notification[] = []): Promise<MonitorLog> {
    const client = await server.login();
    client.socket.write(`monitor:${received.at(-1)?.epochMillis ?? 0}\n`);
    return new MonitorLog(client, received);
  }

  private constructor(client: AtServerClient, received: Notification[]) {
    this.#client = client;
    this.received = received;
    this.#over = this.#read();
  }

  /** @returns whether it held before the deadline */
  async until(holds: (received: readonly Notification[]) => boolean, deadlineMs: number): Promise<boolean> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const late = new Promise<void>((resolve) => deadline.addEventListener("abort", () => resolve()));
    while (!holds(this.received)) {
      if (deadline.aborted) return false;
      await Promise.race([this.#changed.promise, late]);
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await this.#over;
  }

  async #read(): Promise<void> {
    for (;;) {
      const line = await this.#client.line().catch(() => undefined);
      if (line === undefined) return;
      const notification: Notification = JSON.parse(line.replace(/^notification: /, ""));
      if (notification.id === "-1") continue;
      this.received.push(notification);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}
