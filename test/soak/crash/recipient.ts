import type { AtServerHome, AtServerProcess } from "../atserver-process.ts";
import { MonitorLog, type Notification } from "../monitor.ts";
import type { Network } from "../network.ts";

const atSign = "@carol";
const deadlineMs = 60_000;

/** Another atServer, to which is sent, and a monitor of it that goes on where it was after each restart. */
export class Recipient implements AsyncDisposable {
  readonly #network: Network;
  readonly #home: AtServerHome;
  #server: AtServerProcess;
  #monitor: MonitorLog | undefined;
  /** in its order */
  readonly received: Notification[] = [];

  static async start(network: Network): Promise<Recipient> {
    const home = network.home(atSign);
    const recipient = new Recipient(network, home, home.start());
    await recipient.#begin();
    return recipient;
  }

  private constructor(network: Network, home: AtServerHome, server: AtServerProcess) {
    this.#network = network;
    this.#home = home;
    this.#server = server;
  }

  /** Kills it, and starts it again. */
  async restart(): Promise<void> {
    await this.#server.kill();
    await this.#monitor?.[Symbol.asyncDispose]();
    this.#server = this.#home.start();
    await this.#begin();
  }

  /** @returns whether it holds, before it is too late */
  async until(holds: (received: readonly Notification[]) => boolean): Promise<boolean> {
    return (await this.#monitor?.until(holds, deadlineMs)) ?? false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.kill();
    await this.#monitor?.[Symbol.asyncDispose]();
  }

  async #begin(): Promise<void> {
    this.#network.list(atSign, (await this.#server.address("main")).port);
    this.#monitor = await MonitorLog.open(this.#server, this.received);
  }
}
