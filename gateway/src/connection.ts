import type { Log } from "@atrium/runtime/log.ts";
import { beginTrace, type Trace } from "@atrium/runtime/tracing.ts";
import type { Deadlines, Timed } from "./deadlines.ts";
import type { Lease, Limits } from "./limits.ts";
import type { Link, LinkUser, Net } from "./net/link.ts";
import { Parting } from "./parting.ts";
import { Pipe, type PipeContext } from "./pipe.ts";
import { ProxyHeaderReader } from "./proxy-header.ts";
import type { Route, Routes } from "./routes/table.ts";
import { type Hello, HelloReader, maxHelloBytes } from "./sni.ts";

/** What all connections of a server have in common. */
export interface ConnectionContext extends PipeContext<Lease> {
  readonly net: Net;
  readonly routes: Routes;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly log: Log;
  /** does whoever connects from this address begin with a PROXY header? */
  readonly isProxy: (address: string) => boolean;
  /** for PROXY header and ClientHello together */
  readonly helloMs: number;
  readonly connectMs: number;
  /** how long to wait for a new route when the upstream was not there */
  readonly rerouteMs: number;
  /** for the first byte of the upstream's answer */
  readonly firstByteMs: number;
  readonly onRefused: (reason: Refusal) => void;
  readonly onRerouted: () => void;
}

/** Why a connection ended before a byte of an atServer's went through it. */
export const refusals = [
  "not accepted",
  "too many connections",
  "too many from address",
  "too many to host",
  "bad proxy header",
  "not TLS",
  "malformed hello",
  "oversize hello",
  "no server name",
  "unknown host",
  "suspended",
  "slow hello",
  "upstream gone",
  "upstream slow",
  "client gone",
  "drained",
] as const;
export type Refusal = (typeof refusals)[number];

/** Alert descriptions of TLS. @see RFC 8446, section 6.2 */
const alerts = { decodeError: 50, recordOverflow: 22, missingExtension: 109, unrecognizedName: 112 } as const;
type Alert = (typeof alerts)[keyof typeof alerts];

const helloFaults: Record<HelloFault, { reason: Refusal; alert?: Alert }> = {
  "not-tls": { reason: "not TLS" },
  malformed: { reason: "malformed hello", alert: alerts.decodeError },
  oversize: { reason: "oversize hello", alert: alerts.recordOverflow },
  nameless: { reason: "no server name", alert: alerts.missingExtension },
};
type HelloFault = Exclude<Hello["kind"], "incomplete" | "named">;

/**
 * A connection from its first byte until the first byte of the atServer's answer: who is meant, where is it, is it
 * there. Then a {@link Pipe} takes over, and what was kept here can go.
 */
export class Connection implements LinkUser, Timed {
  due: number;
  place = 0;
  readonly #client: Link;
  readonly #context: ConnectionContext;
  readonly #lease: Lease;
  #proxyHeader: ProxyHeaderReader | undefined;
  #hello: HelloReader | undefined = new HelloReader();
  #address = "";
  #host = "";
  /** everything that the client has sent, as long as it could be sent to another upstream instead */
  #kept: Buffer | undefined;
  #route: Route | undefined;
  #upstream: Link | undefined;
  #connected = false;
  #cancelWait: (() => void) | undefined;
  #attempts = 0;
  readonly #trace: Trace | undefined = beginTrace("gateway.route");

  constructor(client: Link, lease: Lease, context: ConnectionContext) {
    this.#client = client;
    this.#lease = lease;
    this.#context = context;
    this.due = context.deadlines.tick + context.deadlines.ticks(context.helloMs);
    client.user = this;
    context.deadlines.add(this);
    const address = client.remoteAddress;
    if (context.isProxy(address)) this.#proxyHeader = new ProxyHeaderReader();
    else if (!this.#countAddress(address)) return;
    client.read();
  }

  onConnect(upstream: Link): void {
    this.#setDue(this.#context.firstByteMs);
    this.#connected = true;
    upstream.read();
    if (this.#kept === undefined || upstream.write(this.#kept)) this.#client.read();
  }

  onData(link: Link, bytes: Uint8Array): void {
    if (link === this.#upstream) this.#pipe(link, bytes);
    else if (this.#proxyHeader !== undefined) this.#readProxyHeader(this.#proxyHeader, bytes);
    else if (this.#hello !== undefined) this.#readHello(this.#hello, bytes);
    else this.#goOn(bytes);
  }

  onDrain(link: Link): void {
    if (link === this.#upstream) this.#client.read();
  }

  /** No use for half a connection before an answer: whoever has sent a hello and a FIN does not want one. */
  onEnd(link: Link): void {
    if (link === this.#upstream) this.#upstreamGone("upstream gone");
    else this.#refuse("client gone");
  }

  onClose(link: Link, error: string | undefined): void {
    if (link === this.#upstream) {
      this.#context.log.debug({ host: this.#host, upstream: this.#route?.upstream, error }, "upstream not there");
      this.#upstreamGone("upstream gone");
    } else this.#end("client gone");
  }

  onDue(): void {
    if (this.#cancelWait !== undefined) this.#routeAgain();
    else if (this.#upstream !== undefined) this.#upstreamGone("upstream slow");
    else this.#refuse("slow hello");
  }

  finish(): void {
    this.#refuse("drained");
  }

  #readProxyHeader(reader: ProxyHeaderReader, bytes: Uint8Array): void {
    const header = reader.push(bytes);
    if (header.kind === "incomplete") return;
    if (header.kind === "malformed") {
      this.#refuse("bad proxy header");
      return;
    }
    this.#proxyHeader = undefined;
    const address = header.kind === "proxied" ? header.address : this.#client.remoteAddress;
    if (this.#countAddress(address) && header.rest.length > 0) this.onData(this.#client, header.rest);
  }

  /** @returns false when this address has too many; the connection has ended then */
  #countAddress(address: string): boolean {
    this.#address = address;
    const counted = this.#context.limits.countAddress(this.#lease, address);
    if (!counted) this.#reset("too many from address");
    return counted;
  }

  #readHello(reader: HelloReader, bytes: Uint8Array): void {
    const hello = reader.push(bytes);
    if (hello.kind === "incomplete") return;
    if (hello.kind !== "named") {
      const { reason, alert } = helloFaults[hello.kind];
      this.#refuse(reason, alert);
      return;
    }
    this.#hello = undefined;
    this.#kept = reader.bytes;
    this.#host = hello.serverName;
    this.#connect();
  }

  #connect(): void {
    const { routes, limits, net, connectMs } = this.#context;
    const route = routes.get(this.#host);
    if (route?.upstream === undefined) {
      this.#refuse(route === undefined ? "unknown host" : "suspended", alerts.unrecognizedName);
      return;
    }
    if (!limits.countHost(this.#lease, this.#host)) {
      this.#reset("too many to host");
      return;
    }
    this.#attempts += 1;
    this.#route = route;
    this.#setDue(connectMs);
    this.#upstream = net.connect(route.upstream, this);
  }

  /** A client that goes on before it has an answer (early data) is served, but not served twice without limit. */
  #goOn(bytes: Uint8Array): void {
    this.#client.pause();
    if (this.#kept !== undefined) this.#kept = Buffer.concat([this.#kept, bytes]);
    if (this.#upstream === undefined || !this.#connected) return;
    if (this.#kept !== undefined && this.#kept.length > 2 * maxHelloBytes) this.#kept = undefined;
    if (this.#upstream.write(bytes)) this.#client.read();
  }

  #pipe(upstream: Link, bytes: Uint8Array): void {
    this.#told("routed");
    this.#context.deadlines.delete(this);
    this.#context.traffic.fromClients += this.#kept?.length ?? 0;
    new Pipe(this.#client, upstream, this.#lease, this.#context).onData(upstream, bytes);
  }

  /** A pod that has just gone may have a successor: the client, which has seen nothing yet, goes there. */
  #upstreamGone(reason: Refusal): void {
    this.#upstream?.destroy();
    this.#upstream = undefined;
    this.#connected = false;
    const { routes, rerouteMs } = this.#context;
    if (this.#kept === undefined || this.#attempts > 1) this.#reset(reason);
    else if (routes.get(this.#host) !== this.#route) this.#routeAgain();
    else {
      this.#setDue(rerouteMs);
      this.#cancelWait = routes.whenChanged(this.#host, () => this.#routeAgain());
    }
  }

  #routeAgain(): void {
    this.#stopWaiting();
    this.#context.onRerouted();
    this.#connect();
  }

  #stopWaiting(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  #setDue(ms: number): void {
    this.due = this.#context.deadlines.tick + this.#context.deadlines.ticks(ms);
  }

  /** Ends in a way that the client can read: with an alert where it speaks TLS, and with FIN. */
  #refuse(reason: Refusal, alert?: Alert): void {
    const { limits, deadlines, lingerMs } = this.#context;
    if (alert !== undefined) this.#client.write(Buffer.from([21, 3, 3, 0, 2, 2, alert]));
    this.#leave(reason);
    new Parting([this.#client], { deadlines, lingerMs, onEnd: () => limits.close(this.#lease) });
  }

  /** Ends as fast as can be: the client shall not wait for us, but try again or elsewhere. */
  #reset(reason: Refusal): void {
    this.#client.reset();
    this.#end(reason);
  }

  #end(reason: Refusal): void {
    this.#leave(reason);
    this.#context.limits.close(this.#lease);
  }

  #told(outcome: Refusal | "routed"): void {
    this.#trace?.end({ outcome, "server.address": this.#host, attempts: this.#attempts });
  }

  #leave(reason: Refusal): void {
    this.#stopWaiting();
    this.#upstream?.reset();
    this.#context.deadlines.delete(this);
    this.#context.onRefused(reason);
    this.#told(reason);
    this.#context.log.debug({ reason, host: this.#host, client: this.#address }, "connection refused");
  }
}
