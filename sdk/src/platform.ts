import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ClientError, systemCode } from "./errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a client needs to know to find every atSign of a platform. */
export interface Platform {
  /** `address`: where it is dialled, when its name need not resolve here */
  readonly directory: Address & { readonly address?: string };
  /** certificates of the trusted CAs, PEM; without it, the CAs that Node trusts */
  readonly ca?: string | undefined;
  /** hosts under `zone` are dialled at `gateway`, whatever their names resolve to */
  readonly zone?: string | undefined;
  readonly gateway?: Address | undefined;
}

/** Where a platform may be described: options first, then the environment, then the current directory. */
export interface PlatformSources {
  readonly platform?: string | undefined;
  readonly directory?: string | undefined;
  readonly ca?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly currentDirectory?: string;
}

const maxFileBytes = 1 << 20;

/**
 * Finds the platform that the user means: `platform` (a platform file) or `directory` with `ca`; else the same in
 * ATRIUM_PLATFORM, or ATRIUM_DIRECTORY and ATRIUM_CA; else `.atrium/platform.json`.
 *
 * @throws {ClientError} `invalid` or `local`, naming what is wrong where
 */
export function findPlatform({ environment = {}, currentDirectory = ".", ...options }: PlatformSources): Platform {
  const { platform, directory, ca } = options;
  if (platform !== undefined && (directory !== undefined || ca !== undefined)) {
    throw new ClientError("invalid", "--platform goes without --directory and --ca: the file names both");
  }
  if (platform !== undefined) return readPlatform(resolve(currentDirectory, platform));
  if (directory !== undefined) return directoryOnly(directory, "--directory", ca ?? environment.ATRIUM_CA);
  if (environment.ATRIUM_PLATFORM) return readPlatform(resolve(currentDirectory, environment.ATRIUM_PLATFORM));
  if (environment.ATRIUM_DIRECTORY) {
    return directoryOnly(environment.ATRIUM_DIRECTORY, "ATRIUM_DIRECTORY", ca ?? environment.ATRIUM_CA);
  }
  const found = readPlatform(resolve(currentDirectory, ".atrium", "platform.json"));
  return ca === undefined ? found : { ...found, ca: readCa(ca) };
}

/**
 * Reads a platform file; members that are not for clients are passed over. `ca` is a PEM text, or the name of a PEM
 * file beside the platform file.
 *
 * @throws {ClientError} `local` when the file cannot be read, `invalid` when it is none
 */
export function readPlatform(file: string): Platform {
  return parsePlatform(readText(file, "the platform file", missingPlatform), file, (ca) =>
    readCa(resolve(dirname(file), ca)),
  );
}

const missingPlatform =
  "Start a platform with `npm start`, or say where one is: --platform FILE, or --directory HOST:PORT --ca FILE.";

/** @param readCaFile gives the PEM text of a CA that is not in the file itself */
export function parsePlatform(text: string, file: string, readCaFile: (name: string) => string): Platform {
  const wrong = (what: string, cause?: unknown) => new ClientError("invalid", `${file}: ${what}`, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong("not JSON", cause);
  }
  if (!isObject(json)) throw wrong("not a JSON object");
  const { zone, gateway, directory, ca } = json;
  if (!isAddress(directory)) throw wrong("`directory` must be { host, port }");
  const { address } = directory as { address?: unknown };
  if (address !== undefined && (typeof address !== "string" || address === "")) {
    throw wrong("`directory.address` must be where the directory is dialled");
  }
  if (zone !== undefined && (typeof zone !== "string" || zone === "")) throw wrong("`zone` must be a name");
  if (gateway !== undefined && !isAddress(gateway)) throw wrong("`gateway` must be { host, port }");
  if (ca !== undefined && typeof ca !== "string") throw wrong("`ca` must be a PEM text or the name of a PEM file");
  return {
    directory: { host: directory.host, port: directory.port, ...(address !== undefined && { address }) },
    ca: ca === undefined || isPem(ca) ? ca : readCaFile(ca),
    zone: zone?.toLowerCase(),
    gateway: gateway && { host: gateway.host, port: gateway.port },
  };
}

/**
 * Where the connection to a host goes: to the platform's gateway for names under its zone, else to the host itself.
 * Names under `localhost` are this machine's loopback address, which not every resolver knows.
 *
 * @see RFC 6761, section 6.3
 */
export function dialAddress({ zone, gateway }: Pick<Platform, "zone" | "gateway">, { host, port }: Address): Address {
  const underZone = zone !== undefined && host.toLowerCase().endsWith(`.${zone}`);
  return loopback(underZone && gateway !== undefined ? gateway : { host, port });
}

export function loopback({ host, port }: Address): Address {
  return { host: /\.localhost\.?$/i.test(host) ? "127.0.0.1" : host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** @returns undefined when `text` is not `host:port` (an IPv6 literal in brackets) */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text);
  const address = { host: match?.[1] ?? match?.[2], port: Number(match?.[3]) };
  return isAddress(address) ? address : undefined;
}

function directoryOnly(text: string, source: string, ca: string | undefined): Platform {
  const directory = parseAddress(text);
  if (directory === undefined)
    throw new ClientError("invalid", `${source} must be HOST:PORT, not ${JSON.stringify(text)}`);
  return { directory, ca: ca ? readCa(ca) : undefined };
}

function readCa(file: string): string {
  const text = readText(
    file,
    "the CA file",
    "Say with --ca FILE (or ATRIUM_CA) which CA signs the platform's certificates.",
  );
  if (!isPem(text)) throw new ClientError("invalid", `${file}: holds no PEM certificate`);
  return text;
}

function readText(file: string, what: string, advice: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const code = systemCode(cause);
    const fault = code === "ENOENT" ? "does not exist" : `cannot be read (${code ?? String(cause)})`;
    throw new ClientError("local", `${what} ${file} ${fault}`, { advice, cause });
  }
  if (text.length > maxFileBytes) throw new ClientError("invalid", `${file}: too large for ${what}`);
  return text;
}

function isPem(text: string): boolean {
  return text.includes("-----BEGIN CERTIFICATE-----");
}

function isAddress(value: unknown): value is Address {
  if (!isObject(value)) return false;
  const { host, port } = value;
  return (
    typeof host === "string" && host !== "" && Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
