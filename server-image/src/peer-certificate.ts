import { X509Certificate } from "node:crypto";
import { PassThrough } from "node:stream";
import { TLSSocket } from "node:tls";
import type { ShownCertificate } from "./connection.ts";

/** The part of Node's TLS handle that is used here. */
interface Handle {
  getPeerX509Certificate(): unknown;
  getPeerCertificate(): { readonly raw?: Uint8Array } | undefined;
}

/**
 * Makes Node 24 free the chains that clients show.
 *
 * A TLS server asks its handle, after each verified handshake, for the peer's certificate by `getPeerX509Certificate`,
 * only to see whether there is one. That takes the first certificate behind the leaf out of OpenSSL's list and never
 * frees it: 4.7 KB for each connection of another atServer. The older `getPeerCertificate` copies, and leaks nothing.
 *
 * The whole process has it then, and other users of `getPeerX509Certificate` get nothing of use.
 *
 * @returns takes it back; undefined when Node's handle is not as expected, and nothing was changed
 */
export function plugChainLeak(): (() => void) | undefined {
  const socket = new TLSSocket(new PassThrough() as never, { isServer: true });
  const handle: unknown = Reflect.get(socket, "_handle");
  socket.destroy();
  const methods = handle !== null && typeof handle === "object" ? Object.getPrototypeOf(handle) : undefined;
  const known = ["getPeerX509Certificate", "getPeerCertificate"].every((name) => typeof methods?.[name] === "function");
  if (!known) return undefined;
  const { getPeerX509Certificate } = methods;
  methods.getPeerX509Certificate = function (this: Handle) {
    return this.getPeerCertificate()?.raw;
  };
  return () => {
    methods.getPeerX509Certificate = getPeerX509Certificate;
  };
}

/** @returns undefined when it showed none, and once the connection has ended */
export function shownCertificate(socket: TLSSocket): ShownCertificate | undefined {
  const certificate: { readonly raw?: Buffer } | null = socket.getPeerCertificate();
  return certificate?.raw && { certificate: new X509Certificate(certificate.raw), trusted: socket.authorized };
}
