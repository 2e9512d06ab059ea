import { createPrivateKey, X509Certificate } from "node:crypto";
import { type LeafRequest, leafLifeMs, type Pair } from "./certificate-authority.ts";

/** Whether a certificate and its key belong together, to this request and this root, and a third of the life is left. */
export function isGoodLeaf(
  pair: Pair,
  root: string,
  { dnsNames, lifeMs = leafLifeMs }: LeafRequest,
  now: number,
): boolean {
  try {
    const leaf = new X509Certificate(pair.certificate);
    return (
      leaf.verify(new X509Certificate(root).publicKey) &&
      leaf.checkPrivateKey(createPrivateKey(pair.key)) &&
      leaf.subjectAltName === dnsNames.map((name) => `DNS:${name}`).join(", ") &&
      Date.parse(leaf.validFrom) <= now &&
      Date.parse(leaf.validTo) - now > lifeMs / 3
    );
  } catch {
    return false; // damaged, or not there: it is issued again
  }
}
