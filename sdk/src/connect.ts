import { type AtSign, lookup } from "@atrium/protocol";
import { Connection } from "./connection.ts";
import { lookUpAtServer } from "./directory.ts";
import { ClientError } from "./errors.ts";
import { type Address, formatAddress, type Platform } from "./platform.ts";
import { withRetries } from "./retry.ts";

export interface ConnectOptions {
  readonly atSign: AtSign;
  readonly platform: Platform;
  /** how long each step may take, 20 s without it; the transfer of long values earns more */
  readonly timeoutMs?: number | undefined;
  /** is told what is about to be done */
  readonly onStep?: ((step: string) => void) | undefined;
}

const defaultTimeoutMs = 20_000;

/**
 * Finds the atServer in the directory and connects, some times if need be.
 *
 * @throws {ClientError} `not_found`, `unreachable`, `timeout`, `untrusted`, `corrupt`
 */
export function connect({
  atSign,
  platform,
  onStep,
  timeoutMs = defaultTimeoutMs,
}: ConnectOptions): Promise<{ address: Address; connection: Connection }> {
  return withRetries(async () => {
    onStep?.(`looking up ${atSign} in the directory at ${formatAddress(platform.directory)}`);
    const address = await lookUpAtServer(atSign, platform, timeoutMs);
    onStep?.(`connecting to the atServer of ${atSign} at ${formatAddress(address)}`);
    return { address, connection: await Connection.open({ atSign, address, platform, timeoutMs }) };
  });
}

/**
 * The encryption key that an atSign has published, asked for on a connection that is not logged in.
 *
 * @returns undefined while nobody has activated the atSign
 */
export async function publishedKey(connection: Connection, atSign: AtSign): Promise<string | undefined> {
  const command = lookup.format({ bypassCache: false, part: "value", name: "publickey", owner: atSign });
  try {
    return await connection.send(command);
  } catch (error) {
    if (error instanceof ClientError && error.reason === "not_found") return undefined;
    throw error;
  }
}
