import { ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { Identity } from "./identity/identity.ts";
import { serverMetadata } from "./records.ts";
import type { Store } from "./store/store.ts";

/** Says for ever that the secret was deleted by the owner, wherever a copy of it may still be. */
const deletedKey = "privatekey:at_secret_deleted";

/**
 * @returns the secret that a client activates the atSign with
 * @throws {ProtocolError} `key_not_found` when there is none, or none any more
 */
export function activationSecret(store: Pick<Store, "get">, identity: Pick<Identity, "activationSecret">): string {
  const secret = store.get(deletedKey) === undefined ? identity.activationSecret() : undefined;
  if (secret === undefined) {
    throw new ProtocolError("key_not_found", "privatekey:at_secret does not exist in keystore");
  }
  return secret;
}

/** Ends the life of the activation secret; returns once that is durable. */
export async function deleteActivationSecret({
  atSign,
  store,
  identity,
  log,
  now,
}: {
  atSign: `@${string}`;
  store: Store;
  identity: Pick<Identity, "activated">;
  log: Log;
  now: () => number;
}): Promise<void> {
  const metadata = serverMetadata(atSign, now());
  await store.write((tx) => tx.put({ key: deletedKey, value: "true", metadata }, null));
  log.info({ atSign }, "activated");
  await tellActivated(identity, log);
}

/** At each start: the process may have ended between its own note of the activation and the source's. */
export async function repeatActivation(
  store: Pick<Store, "get">,
  identity: Pick<Identity, "activated" | "activationSecret">,
  log: Log,
): Promise<void> {
  if (store.get(deletedKey) !== undefined && identity.activationSecret() !== undefined) {
    await tellActivated(identity, log);
  }
}

/** The marker in the store decides; that the source could not be told is no fault of the owner's command. */
async function tellActivated(identity: Pick<Identity, "activated">, log: Log): Promise<void> {
  try {
    await identity.activated();
  } catch (error) {
    log.error({ err: error }, "the identity source does not know of the activation yet");
  }
}
