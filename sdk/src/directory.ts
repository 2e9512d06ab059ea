import type { AtSign } from "@atrium/protocol";
import { Channel } from "./channel.ts";
import { ClientError } from "./errors.ts";
import { type Address, formatAddress, loopback, type Platform, parseAddress } from "./platform.ts";
import { openTls } from "./tls.ts";

const what = "the directory";
const maxReplyBytes = 512;

/**
 * Asks the directory where the atServer of an atSign is.
 *
 * @throws {ClientError} `not_found` when the directory does not know the atSign; `unreachable`, `timeout`, `untrusted`, `corrupt`
 */
export async function lookUpAtServer(atSign: AtSign, platform: Platform, timeoutMs: number): Promise<Address> {
  const address = platform.directory;
  const dial = loopback({ ...address, host: address.address ?? address.host });
  const socket = await openTls({ what, address, dial, ca: platform.ca }, timeoutMs);
  return await askDirectory(socket, atSign, timeoutMs, formatAddress(address));
}

/** The dialogue: a greeting, the name without `@`, and `host:port` or `null`. */
export async function askDirectory(
  stream: Parameters<typeof Channel.open>[0],
  atSign: AtSign,
  timeoutMs: number,
  where: string,
): Promise<Address> {
  const channel = await Channel.open(stream, { what, timeoutMs, maxReplyBytes });
  if (typeof channel === "string")
    throw new ClientError("unreachable", `the directory at ${where} does not accept requests`);
  await using open = channel;
  const answer = await open.exchange(atSign.slice(1));
  if (answer === "null") {
    throw new ClientError("not_found", `the directory at ${where} does not know ${atSign}`, {
      advice: "Check the spelling, and whether this is the right platform.",
    });
  }
  const address = parseAddress(answer);
  if (address === undefined)
    throw new ClientError("corrupt", `the directory at ${where} gave no address for ${atSign}`);
  return address;
}
