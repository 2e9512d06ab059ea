import { createServer, type Server, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { connect, createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Pair } from "./certificates.ts";

/** What becomes of a connection when a message is due. */
export type How =
  /** it ends in both directions, in good order, without the message */
  | "end"
  /** it is reset in both directions, without the message */
  | "reset"
  /** it stays open, and nothing passes any more in either direction */
  | "stall"
  /** it is reset behind the first half of the message */
  | "half"
  /** the message passes byte by byte, each in a TLS record of its own, and the connection goes on */
  | "bytewise"
  /** this passes in the message's place, and the connection goes on */
  | { readonly instead: string };

export interface Fault {
  /**
   * The message that it befalls: its number on its connection, see {@link FaultProxy.messages}; or the first on a
   * connection that matches; or `connect`: the connection itself, in place of the TLS handshake.
   */
  readonly at: number | RegExp | "connect";
  readonly how: How;
}

interface Options {
  /** the proxy poses as the server by this, and is what the directory must say of it */
  readonly serving: Pair;
  /** the proxy poses as its client by this, towards a server that asks for a certificate */
  readonly client?: Pair;
  /** where the server is */
  readonly to: { readonly host: string; readonly port: number };
  /** as which name the server is asked for */
  readonly servername: string;
}

/**
 * Stands between an atServer and who connects to it, and cuts, slows or falsifies what they say to each other.
 *
 * It ends TLS on both sides, so it knows what it carries: a command is a message, a reply with its prompt is one, the
 * greeting is one, and so is the prompt that answers `pol`. A fault befalls every connection while it is set, those that
 * were open before are ended: take it away by `fault = undefined` to see what recovers.
 *
 * @example
 * await using proxy = await FaultProxy.listen({ serving, client, to: bobsAtServer, servername: "bob.atrium.localhost" });
 * directory.list("@bob", proxy.port);
 * proxy.fault = { at: /^notify:/, how: "reset" };
 */
export class FaultProxy implements AsyncDisposable {
  readonly #options: Options;
  readonly #contexts: { readonly serving: SecureContext; readonly client: SecureContext };
  readonly #server: Server;
  readonly #carriers = new Set<Carrier>();
  #fault: Fault | undefined;
  #befallen = 0;
  #messages: readonly string[] = [];

  static async listen(options: Options): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen({ host: "127.0.0.1", port: 0 }, resolve);
    });
    return proxy;
  }

  private constructor(options: Options) {
    const { serving, client } = options;
    this.#options = options;
    this.#contexts = {
      serving: createSecureContext({ cert: serving.certificate, key: serving.key }),
      client: createSecureContext(client === undefined ? {} : { cert: client.certificate, key: client.key }),
    };
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Also ends all connections, so that what comes next meets it, or finds it gone, from its first message on. */
  set fault(fault: Fault | undefined) {
    this.#fault = fault;
    this.#befallen = 0;
    for (const carrier of this.#carriers) carrier.end();
  }

  /** How many connections the fault has befallen since it was set. */
  get befallen(): number {
    return this.#befallen;
  }

  /** All that passed on the newest connection, in order: what a number in {@link Fault.at} counts. */
  get messages(): readonly string[] {
    return this.#messages;
  }

  #accept(socket: Socket): void {
    socket.on("error", ignore);
    const { fault } = this;
    if (fault?.at === "connect") {
      this.#befallen++;
      refuse(socket, fault.how);
    }
    const messages: string[] = [];
    this.#messages = messages;
    const carrier = new Carrier({
      socket,
      contexts: this.#contexts,
      ...this.#options,
      messages,
      judge: (text, number) => {
        if (fault === undefined || fault.at === "connect") return undefined;
        if (typeof fault.at === "number" ? fault.at !== number : !fault.at.test(text)) return undefined;
        this.#befallen++;
        return fault.how;
      },
    });
    this.#carriers.add(carrier);
    socket.once("close", () => {
      this.#carriers.delete(carrier);
      carrier.finish();
    });
    if (fault?.at !== "connect") carrier.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const carrier of this.#carriers) carrier.end();
    await closed;
  }
}

interface CarrierOptions {
  readonly socket: Socket;
  readonly contexts: { readonly serving: SecureContext; readonly client: SecureContext };
  readonly to: { readonly host: string; readonly port: number };
  readonly servername: string;
  /** takes what passes */
  readonly messages: string[];
  /** what is to become of a message, the first time that something is; undefined: it passes */
  readonly judge: (text: string, number: number) => How | undefined;
}

/** One connection and the one behind it. */
class Carrier {
  readonly #options: CarrierOptions;
  /** the TCP connection behind */
  readonly #behind = new Socket();
  #tls: readonly TLSSocket[] = [];
  #stalled = false;
  #judged = false;
  /** one message after the other, in both directions */
  #passing: Promise<void> = Promise.resolve();

  constructor(options: CarrierOptions) {
    this.#options = options;
    this.#behind.on("error", ignore);
  }

  start(): void {
    const { socket, contexts, to, servername } = this.#options;
    const client = new TLSSocket(socket, {
      isServer: true,
      secureContext: contexts.serving,
      requestCert: true,
      rejectUnauthorized: false,
    });
    const server = connect({
      socket: this.#behind.setNoDelay(true).connect(to),
      servername,
      secureContext: contexts.client,
      rejectUnauthorized: false,
    });
    this.#tls = [client, server];
    // Some do not wait for the greeting: it is the first message all the same.
    server.once("data", () => this.#carry(client, server, /\n$/));
    // A prompt ends with `@`, also the one that has no line before it.
    this.#carry(server, client, /[@\n]$/);
    client.on("error", ignore);
  }

  /** Ends both connections at once. */
  end(): void {
    this.#options.socket.destroy();
    this.#behind.destroy();
  }

  /** Ends the connection behind, after what has still to pass. */
  finish(): void {
    void this.#passing.then(() => this.#behind.destroy());
  }

  #carry(from: TLSSocket, to: TLSSocket, end: RegExp): void {
    let text = "";
    from.setEncoding("latin1");
    from.on("error", ignore);
    from.on("data", (chunk: string) => {
      text += chunk;
      if (!end.test(chunk)) return;
      const message = text;
      text = "";
      this.#passing = this.#passing.then(() => this.#pass(message, to));
    });
    from.once("end", () => {
      this.#passing = this.#passing.then(() => {
        if (!this.#stalled) to.end(text, "latin1");
      });
    });
    from.once("close", () => {
      if (!this.#stalled) to.destroySoon();
    });
  }

  async #pass(message: string, to: TLSSocket): Promise<void> {
    if (this.#stalled) return;
    const { messages, judge } = this.#options;
    const how = this.#judged ? undefined : judge(message.trimEnd(), messages.length);
    messages.push(message);
    if (how === undefined) {
      to.write(message, "latin1");
      return;
    }
    this.#judged = true;
    if (typeof how === "object") to.write(how.instead, "latin1");
    else await this.#harm(message, to, how);
  }

  async #harm(message: string, to: TLSSocket, how: Exclude<How, object>): Promise<void> {
    if (how === "bytewise") {
      for (const byte of message) {
        to.write(byte, "latin1");
        await turn();
      }
      return;
    }
    this.#stalled = true;
    if (how === "half") {
      const half = message.slice(0, Math.ceil(message.length / 2));
      await new Promise<void>((resolve) => to.write(half, "latin1", () => resolve()));
    }
    if (how === "end") for (const socket of this.#tls) socket.end();
    else for (const socket of [this.#options.socket, this.#behind]) refuse(socket, how);
  }
}

function refuse(socket: Socket, how: How): void {
  if (how === "reset" || how === "half") socket.resetAndDestroy();
  else if (how === "end") socket.end();
  else if (how === "stall") socket.pause();
  else throw new RangeError("a connection can be ended, reset or stalled only");
}

/** Connections fail here all the time; what matters is how those at their ends take it. */
function ignore(): void {
  // Each is followed by `close`.
}
