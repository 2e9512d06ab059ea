import { type AtSign, type ProtocolError, parseError } from "@atrium/protocol";
import { Channel, type Listener } from "./channel.ts";
import { ClientError } from "./errors.ts";
import { type Address, dialAddress, formatAddress, type Platform } from "./platform.ts";
import { openTls } from "./tls.ts";

/** The longest reply that is accepted: the largest value, every character of it escaped in JSON, and its metadata. */
const maxReplyBytes = 64 * 1024 * 1024;

export interface ConnectionOptions {
  readonly atSign: AtSign;
  /** what the directory says */
  readonly address: Address;
  readonly platform: Platform;
  readonly timeoutMs: number;
}

/** A connection to an atServer: commands in, what stands behind `data:` out. */
export class Connection implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #what: string;

  private constructor(channel: Channel, what: string) {
    this.#channel = channel;
    this.#what = what;
  }

  /** @throws {ClientError} `unreachable`, `timeout`, `untrusted`, `corrupt` */
  static async open({ atSign, address, platform, timeoutMs }: ConnectionOptions): Promise<Connection> {
    const what = `the atServer of ${atSign} (${formatAddress(address)})`;
    const dial = dialAddress(platform, address);
    const socket = await openTls({ what, address, dial, ca: platform.ca }, timeoutMs);
    return await Connection.over(socket, what, timeoutMs);
  }

  /** Over a stream that is there already and that the connection owns from then on. */
  static async over(stream: Parameters<typeof Channel.open>[0], what: string, timeoutMs: number): Promise<Connection> {
    const channel = await Channel.open(stream, { what, timeoutMs, maxReplyBytes });
    if (typeof channel !== "string") return new Connection(channel, what);
    if (!channel.startsWith("error:")) throw new ClientError("corrupt", `${what} does not speak the protocol`);
    throw clientError(parseError(channel), what);
  }

  get usable(): boolean {
    return this.#channel.usable;
  }

  /**
   * @param command one line of the protocol
   * @returns the reply, without `data:`
   * @throws {ClientError} what the atServer answered (`code` is set then), or why there is no answer
   */
  async send(command: string): Promise<string> {
    const reply = await this.#channel.exchange(command);
    if (reply.startsWith("data:")) return reply.slice("data:".length);
    if (reply.startsWith("error:")) throw clientError(parseError(reply), this.#what);
    throw new ClientError("corrupt", `${this.#what} answered neither data nor error`);
  }

  /**
   * Sends a command that notifications answer, and nothing else.
   *
   * @param listener gets what stands behind `notification:`
   */
  listen(command: string, listener: Listener): Promise<void> {
    return this.#channel.listen(command, listener);
  }

  /** Whether notifications may come: a listener that has enough stops them for a while. */
  set flowing(flowing: boolean) {
    this.#channel.flowing = flowing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#channel[Symbol.asyncDispose]();
  }
}

function clientError(error: ProtocolError, what: string): ClientError {
  const { reason, advice } = meaning(error.code);
  return new ClientError(reason, `${what} answered ${error.code}: ${error.message}`, {
    code: error.code,
    advice,
    cause: error,
  });
}

const noAnswerFromPeer = "The atServer of the other atSign did not answer; try again later.";
const notAccepted = "Check that the key file belongs to this atSign on this platform.";

function meaning(code: string): Pick<ClientError, "reason" | "advice"> {
  switch (code) {
    case "AT0015":
      return { reason: "not_found", advice: undefined };
    case "AT0007":
      return { reason: "not_found", advice: "Check the spelling of the other atSign." };
    case "AT0401":
    case "AT0025":
    case "AT0026":
    case "AT0027":
    case "AT0028":
    case "AT0029":
      return { reason: "authentication", advice: notAccepted };
    case "AT0004":
    case "AT0006":
    case "AT0008":
    case "AT0021":
    case "AT0023":
      return { reason: "unreachable", advice: noAnswerFromPeer };
    case "AT0012":
    case "AT0024":
      return { reason: "unreachable", advice: "It has no room at the moment; try again later." };
    default:
      return { reason: "refused", advice: undefined };
  }
}
