import { type KeyObject, sign } from "node:crypto";

/**
 * A signing request for one host name and nothing else.
 *
 * By hand, since it is a dozen values, and a library for it would cost each atServer more memory than its TLS does.
 *
 * @param keys ECDSA
 * @returns PEM
 * @see RFC 2986; RFC 5280, section 4.2.1.6; RFC 5758, section 3.2
 */
export function certificateRequest(host: string, keys: { publicKey: KeyObject; privateKey: KeyObject }): string {
  const name = der(0x82, Buffer.from(host, "ascii"));
  const extension = der(0x30, objectId("551d11"), der(0x04, der(0x30, name)));
  const attribute = der(0x30, objectId("2a864886f70d01090e"), der(0x31, der(0x30, extension)));
  const information = der(
    0x30,
    der(0x02, Buffer.from([0])),
    // The subject: it says nothing.
    der(0x30),
    keys.publicKey.export({ format: "der", type: "spki" }),
    der(0xa0, attribute),
  );
  const ecdsaWithSha256 = der(0x30, objectId("2a8648ce3d040302"));
  const signature = sign("sha256", information, keys.privateKey);
  const request = der(0x30, information, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  const lines = request.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE REQUEST-----", ...lines, "-----END CERTIFICATE REQUEST-----", ""].join("\n");
}

/** @param hex the content of an OBJECT IDENTIFIER: subjectAltName, extensionRequest, ecdsa-with-SHA256 */
function objectId(hex: "551d11" | "2a864886f70d01090e" | "2a8648ce3d040302"): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}
