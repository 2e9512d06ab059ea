import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { TlsFiles, TlsFilesWatch } from "@atrium/runtime/tls-files.ts";

type Done = (error: Error | null, context?: SecureContext) => void;

/**
 * A certificate of its own for clients that ask for one of its names, as `SNICallback` of a TLS server: everybody else gets
 * the server's. It is the present one of the files at each handshake.
 */
export function namedCertificate(files: TlsFilesWatch): (name: string, done: Done) => void {
  let known: { readonly of: TlsFiles; readonly leaf: X509Certificate; readonly context: SecureContext } | undefined;
  return (name, done) => {
    const { current } = files;
    if (known?.of !== current) {
      const { certificate: cert, key } = current;
      known = { of: current, leaf: new X509Certificate(cert), context: createSecureContext({ cert, key }) };
    }
    const isFor = known.leaf.checkHost(name, { subject: "never" }) !== undefined;
    done(null, isFor ? known.context : undefined);
  };
}
