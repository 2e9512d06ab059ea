import { X509Certificate } from "node:crypto";
import { isIP, type LookupFunction } from "node:net";
import { connect, createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from "node:tls";
import { ProtocolError } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { PemSource, Zone } from "../config.ts";
import type { Certificates, Identity } from "../identity/identity.ts";
import { dialableLookup, isDialable, type Networks, RefusedAddressError } from "./dialable.ts";

interface Options {
  readonly identity: Pick<Identity, "current">;
  readonly platformCa: PemSource | undefined;
  readonly zones: readonly Zone[];
  /** where else than on the Internet atServers may be that a directory names */
  readonly privateAddresses: Networks;
  /** for the connection and the TLS handshake together */
  readonly deadlineMs?: number;
}

/**
 * Connects to `host:port`, as TLS client with this atServer's own certificate.
 *
 * @param names one of which the other side's certificate must have, to the letter; without it, the host
 * @throws {ProtocolError} `unable_to_connect`, or `timeout`
 */
export type Dial = (to: Address, names?: readonly string[]) => Promise<TLSSocket>;

export interface Dialer {
  /** To what a directory named: under a zone at the gateway given for it, else only where {@link isDialable} lets it. */
  readonly dial: Dial;
  /** To what the settings name, wherever that is. */
  readonly dialKnown: Dial;
}

/** The directory's certificate has this name whatever address it is dialled at. No public authority issues it. */
export const directoryName = "directory.atrium.internal";

const keepAliveMs = 30_000;

export function dialer({ identity, platformCa, zones, privateAddresses, deadlineMs = 3_000 }: Options): Dialer {
  const context = contexts(identity, platformCa);
  const lookup = dialableLookup(privateAddresses);
  const secured = (at: Target, { host }: Address, names: readonly string[] = [host]) =>
    secureConnection({ at, host, names, secureContext: context(), deadlineMs });
  return {
    async dial(to, names) {
      const gateway = zoneOf(to.host, zones)?.at;
      if (gateway !== undefined) return await secured(gateway, to, names);
      const host = resolvable(to.host);
      // A literal is not looked up.
      if (isIP(host) !== 0 && !isDialable(host, privateAddresses))
        throw unreachable(to.host, new RefusedAddressError());
      return await secured({ host, port: to.port, lookup }, to, names);
    },
    dialKnown: async (to, names) => await secured({ host: resolvable(to.host), port: to.port }, to, names),
  };
}

/** Where the bytes go. */
type Target = Address & { readonly lookup?: LookupFunction };

interface Call {
  readonly at: Target;
  /** the other side, as it is known */
  readonly host: string;
  readonly names: readonly string[];
  readonly secureContext: SecureContext;
  readonly deadlineMs: number;
}

function secureConnection({ at, host, names, secureContext, deadlineMs }: Call): Promise<TLSSocket> {
  const servername = isLiteral(host) ? names.find((name) => !isLiteral(name)) : host;
  return new Promise<TLSSocket>((resolve, reject) => {
    const socket = connect({
      ...at,
      ...(servername !== undefined && { servername }),
      secureContext,
      checkServerIdentity: (_host, { raw }) => nameFault(new X509Certificate(raw), names),
      minVersion: "TLSv1.2",
    });
    socket.setNoDelay(true);
    // A kept connection whose other end has vanished is found out before it is used.
    socket.setKeepAlive(true, keepAliveMs);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new ProtocolError("timeout", `${host} did not accept a connection in ${deadlineMs} ms`));
    }, deadlineMs);
    const failed = (cause: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(unreachable(host, cause));
    };
    const closed = () => failed(new Error("closed during the handshake"));
    socket.once("error", failed);
    socket.once("close", closed);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", failed);
      socket.off("close", closed);
      resolve(socket);
    });
  });
}

function unreachable(host: string, cause: Error): ProtocolError {
  return new ProtocolError("unable_to_connect", `${host}: ${reasonOf(cause)}`);
}

/** Roots cost memory, so they are parsed for the first connection, and again only when a certificate changed. */
function contexts(identity: Options["identity"], platformCa: PemSource | undefined): () => SecureContext {
  let made: { context: SecureContext; from: Certificates; platform: string } | undefined;
  return () => {
    const from = identity.current;
    const platform = platformCa?.() ?? "";
    if (made?.from !== from || made.platform !== platform) {
      const ca = [from.trust, platform, ...rootCertificates].filter((pem) => pem !== "");
      const { certificate: cert, key } = from.client;
      made = { context: createSecureContext({ ca, cert, key }), from, platform };
    }
    return made.context;
  };
}

function nameFault(certificate: X509Certificate, names: readonly string[]): Error | undefined {
  if (names.some((name) => certifies(certificate, name))) return undefined;
  return new Error(`the certificate is not for ${names.join(" or ")}`);
}

/** Whether a certificate is for exactly this host name; never judged by its subject or a wild card. */
export function certifies(certificate: X509Certificate, host: string): boolean {
  const options = { subject: "never", wildcards: false, partialWildcards: false } as const;
  return !isLiteral(host) && certificate.checkHost(host, options) !== undefined;
}

function zoneOf(host: string, zones: readonly Zone[]): Zone | undefined {
  const name = host.toLowerCase();
  return zones.find(({ zone }) => name.endsWith(`.${zone}`));
}

/** RFC 6761, 6.3: names under localhost are this machine; not every resolver knows. */
function resolvable(host: string): string {
  return /(?:^|\.)localhost$/i.test(host) ? "127.0.0.1" : host;
}

function isLiteral(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(":");
}

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? error.message;
}
