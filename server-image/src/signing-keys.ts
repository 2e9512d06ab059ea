import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { AtSign } from "@atrium/protocol";
import { serverMetadata } from "./records.ts";
import type { Store } from "./store/store.ts";

const markerKey = "privatekey:signing_keypair_generated";

/**
 * Makes the pair by which other atServers will know this one, once in its life, before anything else is stored: clients
 * look for it in a new atServer, and count on the first write of theirs having commit id 2.
 */
export async function ensureSigningKeys(store: Store, atSign: AtSign, now: () => number): Promise<void> {
  if (store.get(markerKey) !== undefined) return;
  const { publicKey, privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  const metadata = serverMetadata(atSign, now());
  const record = (key: string, value: string) => ({ key, value, metadata });
  await store.write((tx) => {
    if (tx.get(markerKey) !== undefined) return;
    tx.put(record(`public:signing_publickey${atSign}`, publicKey.toString("base64")), "+");
    tx.put(record(`${atSign}:signing_privatekey${atSign}`, privateKey.toString("base64")), "+");
    tx.put(record(markerKey, "true"), null);
  });
}
