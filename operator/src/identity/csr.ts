import "reflect-metadata"; // what the library's own code asks for
import { createPublicKey } from "node:crypto";
import {
  type Extension,
  ExtensionsAttribute,
  Pkcs10CertificateRequest,
  type PublicKey,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";

/** A certificate signing request that is not served; the message says why, to the one who made it. */
export class CsrError extends Error {
  override readonly name = "CsrError";
}

/** One with a key of P-256 has some 400 bytes. */
const maxLength = 4_096;

/**
 * The key of a signing request that asks for one host name and nothing else, and is signed with that key.
 *
 * Whatever else could be asked for, and whatever is asked for twice, is refused instead of being left out: what its
 * maker meant would not be what it gets.
 *
 * @param text PEM of a PKCS#10
 * @throws {CsrError}
 * @see RFC 2986
 */
export async function keyOfRequest(text: string, host: string): Promise<PublicKey> {
  const bytes = bytesOf(text);
  try {
    const request = new Pkcs10CertificateRequest(new Uint8Array(bytes));
    assertNamesOnly(request, host);
    assertKey(request.publicKey);
    if (!(await request.verify())) throw new CsrError("the CSR is not signed with its key");
    return request.publicKey;
  } catch (cause) {
    // The library reads parts of it only when they are asked for.
    throw cause instanceof CsrError ? cause : new CsrError("the CSR cannot be parsed", { cause });
  }
}

function bytesOf(text: string): Buffer {
  const block = /^\s*-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/;
  const base64 = text.length <= maxLength ? block.exec(text)?.[1] : undefined;
  if (base64 === undefined) throw new CsrError(`the CSR is not one PEM block of at most ${maxLength} bytes`);
  return Buffer.from(base64, "base64");
}

/** Its subject says nothing, it has one attribute, and that asks for one extension: one alternative name. */
function assertNamesOnly(request: Pkcs10CertificateRequest, host: string): void {
  if (request.subject !== "") throw new CsrError("the CSR has a subject");
  const [attribute, ...otherAttributes] = request.attributes;
  if (!(attribute instanceof ExtensionsAttribute) || otherAttributes.length > 0) {
    throw new CsrError("the CSR must ask for an alternative name and nothing else");
  }
  const [extension, ...others] = attribute.items as Extension[];
  if (!(extension instanceof SubjectAlternativeNameExtension) || others.length > 0) {
    throw new CsrError("the CSR must ask for an alternative name and nothing else");
  }
  const [name, ...otherNames] = extension.names.items;
  if (name?.type !== "dns" || name.value !== host || otherNames.length > 0) {
    throw new CsrError(`the CSR must be for exactly one DNS name, ${host}`);
  }
}

/** As OpenSSL understands it: that also checks that it is a point on the curve. */
function assertKey({ rawData }: PublicKey): void {
  const key = createPublicKey({ key: Buffer.from(rawData), format: "der", type: "spki" });
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new CsrError("the key of the CSR must be ECDSA P-256");
  }
}
