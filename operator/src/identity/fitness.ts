import { once } from "node:events";
import { duplexPair } from "node:stream";
import { connect, TLSSocket } from "node:tls";
import type { CertificateAuthority, Pair } from "./certificate-authority.ts";

/**
 * What TLS clients that trust the root say of certificates that it issues: asked of a real handshake, in memory, because
 * a root may be constrained, expired or no CA in more ways than could be listed here.
 *
 * @returns what is wrong with certificates for this name, in OpenSSL's words; undefined when nothing is
 * @throws {Error} when it took too long
 */
export async function faultFor(name: string, authority: CertificateAuthority): Promise<string | undefined> {
  // By the clock that the handshake goes by, whatever clock its caller has.
  const pair = await authority.issue({ dnsNames: [name], client: true }, Date.now());
  return await faultOf(pair, name, authority.certificate);
}

async function faultOf({ certificate, key }: Pair, servername: string, ca: string): Promise<string | undefined> {
  const [near, far] = duplexPair();
  const server = new TLSSocket(far, { isServer: true, cert: certificate, key });
  // Told by the other side, too.
  server.on("error", () => undefined);
  const client = connect({ socket: near, servername, ca });
  try {
    await once(client, "secureConnect", { signal: AbortSignal.timeout(5_000) });
    return undefined;
  } catch (error) {
    // That there was no time to find out says nothing of the root.
    if ((error as Error).name === "AbortError") throw error;
    return error instanceof Error ? error.message : String(error);
  } finally {
    client.destroy();
    server.destroy();
  }
}
