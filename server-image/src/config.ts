import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type AtSign, maxLineBytes, parseAtSign } from "@atrium/protocol";
import {
  type Address,
  address,
  integer,
  oneOf,
  optionalText,
  parseAddress,
  readSettings,
  type Setting,
  setting,
  text,
} from "@atrium/runtime/config.ts";
import { logLevels } from "@atrium/runtime/log.ts";
import { noNetworks, parseNetworks } from "./outbound/dialable.ts";

/** Hosts under `zone` are dialled at `at`, with their own name as SNI. */
export interface Zone {
  readonly zone: string;
  readonly at: Address;
}

/** Where certificates and the activation secret come from. */
export type IdentitySource =
  | { readonly kind: "files"; readonly directory: string }
  | { readonly kind: "service"; readonly url: URL };

const settings = {
  atSign: setting("ATSERVER_ATSIGN", atSign),
  host: setting("ATSERVER_HOST", hostName),
  port: integer("ATSERVER_PORT", { min: 1, max: 65_535 }),
  data: text("ATSERVER_DATA"),
  epoch: integer("ATSERVER_EPOCH", { min: 1 }),
  identity: setting("ATSERVER_IDENTITY", identitySource),
  identityToken: optionalText("ATSERVER_IDENTITY_TOKEN"),
  platformCa: setting<PemSource | undefined>("ATSERVER_PLATFORM_CA", pemSource, { fallback: undefined }),
  zones: setting("ATSERVER_ZONES", zones, { fallback: [] }),
  privateAddresses: setting("ATSERVER_PRIVATE_ADDRESSES", parseNetworks, { fallback: noNetworks }),
  directory: address("ATSERVER_DIRECTORY"),
  listen: address("ATSERVER_LISTEN", { fallback: { host: "0.0.0.0", port: 6464 } }),
  healthListen: address("ATSERVER_HEALTH_LISTEN", { fallback: { host: "0.0.0.0", port: 9464 } }),
  logLevel: oneOf("ATSERVER_LOG_LEVEL", logLevels, { fallback: "info" }),
  maxConnections: integer("ATSERVER_MAX_CONNECTIONS", { fallback: 200, min: 1, max: 10_000 }),
  maxLineBytes: integer("ATSERVER_MAX_LINE_BYTES", { fallback: maxLineBytes, min: 65_536, max: maxLineBytes }),
  maxHeldBytes: integer("ATSERVER_MAX_HELD_BYTES", { fallback: 44_040_192, min: 65_536 }),
} satisfies Record<string, Setting<unknown>>;

/** A service is shown a token, and checked. */
const ofService: typeof settings = {
  ...settings,
  identityToken: setting<string | undefined>("ATSERVER_IDENTITY_TOKEN", (value) => value),
  platformCa: setting<PemSource | undefined>("ATSERVER_PLATFORM_CA", pemSource),
};

export type Config = ReturnType<typeof readConfig>;

/** @throws {SettingsError} with every fault */
export function readConfig(environment: Readonly<Record<string, string | undefined>>) {
  return readSettings(environment.ATSERVER_IDENTITY?.startsWith("https:") ? ofService : settings, environment);
}

function atSign(value: string): AtSign {
  try {
    return parseAtSign(value);
  } catch (cause) {
    throw new Error("must be an atSign, for instance @alice", { cause });
  }
}

function hostName(value: string): string {
  const name = value.toLowerCase();
  if (!/^(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{1,63}$/.test(name)) throw new Error("must be a host name");
  return name;
}

function identitySource(value: string): IdentitySource {
  if (value.startsWith("file:///")) return { kind: "files", directory: fileURLToPath(value) };
  const url = URL.parse(value);
  if (url?.protocol === "https:" && url.pathname === "/" && url.search === "") return { kind: "service", url };
  throw new Error(
    "must be file:///DIRECTORY with certificate.pem, key.pem and trust.pem, or https://HOST:PORT of an identity service",
  );
}

/** Reads the PEM anew, so that a new root is known without a restart. */
export type PemSource = () => string;

function pemSource(value: string): PemSource {
  if (value.includes("-----BEGIN CERTIFICATE-----")) return () => value;
  const read = () => readFileSync(value, "utf8");
  let pem: string;
  try {
    pem = read();
  } catch (cause) {
    throw new Error(`names a file that cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw new Error("names a file without a certificate");
  return read;
}

/** `zone=host:port,…` */
function zones(value: string): Zone[] {
  return value.split(",").map((each) => {
    const [zone = "", at = "", ...more] = each.trim().split("=");
    try {
      if (more.length > 0) throw new Error("one = too many");
      if (!/^[a-z0-9.-]+$/i.test(zone)) throw new Error("no zone");
      return { zone: zone.toLowerCase(), at: parseAddress(at) };
    } catch (cause) {
      throw new Error("must be ZONE=HOST:PORT,…", { cause });
    }
  });
}
