import type { HashingAlgo, SigningAlgo } from "../auth.ts";
import { syntax } from "../syntax.ts";

export interface PkamParams {
  readonly signingAlgo?: SigningAlgo;
  readonly hashingAlgo?: HashingAlgo;
  readonly enrollmentId?: string;
  readonly signature: string;
}

/** `pkam:[signingAlgo:…:][hashingAlgo:…:][enrollmentId:…:]<signature>` — log in with a private key, see `signPkam`. */
export const pkam = syntax<PkamParams>({
  verb: "pkam",
  usage: "pkam:[signingAlgo:<rsa2048|ecc_secp256r1>:][hashingAlgo:<sha256|sha512>:][enrollmentId:<id>:]<signature>",
  pattern:
    /^pkam:(?:signingAlgo:(?<signing>rsa2048|ecc_secp256r1):)?(?:hashingAlgo:(?<hashing>sha256|sha512):)?(?:enrollmentId:(?<enrollmentId>[^:\s]+):)?(?<signature>[^:\s]+)$/i,
  parse: ({ signing, hashing, enrollmentId, signature = "" }) => ({
    ...(signing !== undefined && { signingAlgo: signing.toLowerCase() as SigningAlgo }),
    ...(hashing !== undefined && { hashingAlgo: hashing.toLowerCase() as HashingAlgo }),
    ...(enrollmentId !== undefined && { enrollmentId }),
    signature,
  }),
  format({ signingAlgo, hashingAlgo, enrollmentId, signature }) {
    const options = Object.entries({ signingAlgo, hashingAlgo, enrollmentId });
    return `pkam:${options.map(([name, value]) => (value === undefined ? "" : `${name}:${value}:`)).join("")}${signature}`;
  },
});
