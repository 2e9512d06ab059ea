import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { describe, expect, test } from "@jest/globals";
import {
  type CertificateAuthority,
  createRoot,
  leafLifeMs,
  openAuthority,
  type Pair,
} from "./certificate-authority.ts";

const hourMs = 3_600_000;

async function authority(permitted = ["at.test", "atrium.internal"], now = Date.now()): Promise<CertificateAuthority> {
  return openAuthority(await createRoot(permitted, now));
}

/** A TLS connection of a client to a server. @returns why each side does not trust the other, undefined when it does */
async function handshake(server: TlsOptions, client: { servername: string; ca: string; pair?: Pair }) {
  let ofClient: string | undefined;
  const listener = createServer(server, (peer: TLSSocket) => {
    ofClient = peer.authorizationError === null ? undefined : String(peer.authorizationError);
    peer.on("error", () => undefined).end("hello");
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const { servername, ca, pair } = client;
  const credentials = pair && { cert: pair.certificate, key: pair.key };
  const socket = connect({ host: "127.0.0.1", port, servername, ca, ...credentials });
  const ofServer = await new Promise<string | undefined>((resolve) => {
    socket.once("data", () => resolve(undefined));
    socket.once("error", ({ message }) => resolve(message));
  });
  socket.destroy();
  listener.close();
  return { ofServer, ofClient };
}

function asServer({ certificate, key }: Pair): TlsOptions {
  return { cert: certificate, key };
}

describe("the platform's CA", () => {
  test.each(["at.test", "alice.at.test", "x-y.deep.at.test", "directory.atrium.internal"])(
    "speaks for %s",
    async (name) => {
      const ca = await authority();
      const pair = await ca.issue({ dnsNames: [name], client: false }, Date.now());
      const { ofServer } = await handshake(asServer(pair), { servername: name, ca: ca.certificate });
      expect(ofServer).toBeUndefined();
    },
  );

  test.each(["example.org", "evilat.test", "test", "at.test.example.org"])("cannot speak for %s", async (name) => {
    const ca = await authority();
    const pair = await ca.issue({ dnsNames: [name], client: false }, Date.now());
    const { ofServer } = await handshake(asServer(pair), { servername: name, ca: ca.certificate });
    expect(ofServer).toBe("permitted subtree violation");
  });

  test("cannot speak for a name that comes with one of its own", async () => {
    const ca = await authority();
    const pair = await ca.issue({ dnsNames: ["alice.at.test", "example.org"], client: false }, Date.now());
    const { ofServer } = await handshake(asServer(pair), { servername: "alice.at.test", ca: ca.certificate });
    expect(ofServer).toBe("permitted subtree violation");
  });

  test("may permit names in every length", async () => {
    const long = `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.test`;
    const ca = await authority([long, "at.test", ...Array.from({ length: 20 }, (_, index) => `zone-${index}.test`)]);
    const pair = await ca.issue({ dnsNames: [long], client: false }, Date.now());
    const { ofServer } = await handshake(asServer(pair), { servername: long, ca: ca.certificate });
    expect(ofServer).toBeUndefined();
  });

  test("is not trusted by who trusts another one", async () => {
    const [ours, other] = [await authority(), await authority()];
    const pair = await ours.issue({ dnsNames: ["alice.at.test"], client: false }, Date.now());
    const { ofServer } = await handshake(asServer(pair), { servername: "alice.at.test", ca: other.certificate });
    expect(ofServer).toContain("unable to verify the first certificate");
  });

  test("says whether a certificate identifies clients", async () => {
    const ca = await authority();
    const now = Date.now();
    const server = await ca.issue({ dnsNames: ["bob.at.test"], client: false }, now);
    const asking = { ...asServer(server), ca: ca.certificate, requestCert: true, rejectUnauthorized: false };
    const faultWith = async (pair: Pair) =>
      (await handshake(asking, { servername: "bob.at.test", ca: ca.certificate, pair })).ofClient;
    expect(await faultWith(await ca.issue({ dnsNames: ["alice.at.test"], client: true }, now))).toBeUndefined();
    expect(await faultWith(await ca.issue({ dnsNames: ["alice.at.test"], client: false }, now))).toBe(
      "INVALID_PURPOSE",
    );
  });

  test("cannot be extended: a leaf signs nothing", async () => {
    const ca = await authority();
    const leaf = await ca.issue({ dnsNames: ["alice.at.test"], client: true }, Date.now());
    const below = await openAuthority(leaf);
    const pair = await below.issue({ dnsNames: ["bob.at.test"], client: false }, Date.now());
    const chain = { ...pair, certificate: pair.certificate + leaf.certificate };
    const { ofServer } = await handshake(asServer(chain), { servername: "bob.at.test", ca: ca.certificate });
    expect(ofServer).toBe("key usage does not include certificate signing");
  });

  test("gives leaves a day, and some time before for clocks that are late", async () => {
    const now = Date.parse("2027-03-01T12:00:00Z");
    const ca = await authority(["at.test"], now);
    const { certificate } = await ca.issue({ dnsNames: ["alice.at.test"], client: true }, now);
    const leaf = new X509Certificate(certificate);
    expect(Date.parse(leaf.validFrom)).toBe(now - hourMs);
    expect(Date.parse(leaf.validTo)).toBe(now + leafLifeMs);
    expect(leaf.subjectAltName).toBe("DNS:alice.at.test");
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(new X509Certificate(ca.certificate).ca).toBe(true);
  });

  test("gives no serial number twice, and none that is negative or too long", async () => {
    const ca = await authority();
    const serials = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const { certificate } = await ca.issue({ dnsNames: ["alice.at.test"], client: true }, Date.now());
        return new X509Certificate(certificate).serialNumber;
      }),
    );
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });
});
