import { type AtSign, info } from "@atrium/protocol";
import { type ConnectOptions, connect, publishedKey } from "./connect.ts";
import { ClientError } from "./errors.ts";
import type { Address } from "./platform.ts";
import { parseReply } from "./record.ts";

/** What can be said about an atSign by somebody who is not its owner. */
export interface Inspection {
  readonly atSign: AtSign;
  /** what the directory says */
  readonly address: Address;
  /** whether somebody has taken possession of it */
  readonly activated: boolean;
  /** what the atServer says about itself */
  readonly server: Readonly<Record<string, unknown>>;
}

/**
 * Looks at an atSign without its keys.
 *
 * @throws {ClientError} `not_found`, `unreachable`, `timeout`, `untrusted`, `corrupt`
 */
export async function inspect(options: ConnectOptions): Promise<Inspection> {
  const { atSign, onStep } = options;
  const { address, connection } = await connect(options);
  await using open = connection;
  onStep?.(`asking the atServer of ${atSign} about itself`);
  const server = parseReply(await open.send(info.format({})));
  if (typeof server !== "object" || server === null) {
    throw new ClientError("corrupt", `the atServer of ${atSign} told nothing about itself`);
  }
  const activated = (await publishedKey(open, atSign)) !== undefined;
  return { atSign, address, activated, server: { ...server } };
}
