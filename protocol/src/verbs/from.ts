import { type AtSign, parseAtSign } from "../atsign.ts";
import { syntax } from "../syntax.ts";

/** What a client says of itself. Members that are no text, and unknown ones, are passed over. */
export interface ClientConfig {
  readonly version?: string;
  readonly clientId?: string;
  readonly appName?: string;
  readonly appVersion?: string;
  readonly platform?: string;
}

const members = ["version", "clientId", "appName", "appVersion", "platform"] as const satisfies (keyof ClientConfig)[];

/** `from:@alice[:clientConfig:{…}]` — say who is connecting, and get a challenge. */
export const from = syntax<{ atSign: AtSign; clientConfig?: ClientConfig }>({
  verb: "from",
  usage: "from:<@atSign>[:clientConfig:<json>]",
  pattern: /^from:(?<atSign>@?[^:@\s]+)(?::clientConfig:(?<config>\{.*))?$/is,
  parse({ atSign = "", config }) {
    if (config === undefined) return { atSign: parseAtSign(atSign) };
    const clientConfig = parseClientConfig(config);
    return clientConfig && { atSign: parseAtSign(atSign), clientConfig };
  },
  format: ({ atSign, clientConfig }) =>
    `from:${atSign}${clientConfig === undefined ? "" : `:clientConfig:${JSON.stringify(clientConfig)}`}`,
});

function parseClientConfig(text: string): ClientConfig | undefined {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined; // answered as wrong syntax
  }
  const config: { -readonly [K in keyof ClientConfig]: ClientConfig[K] } = {};
  for (const member of members) {
    const value = Object.hasOwn(json, member) ? json[member] : undefined;
    if (typeof value === "string") config[member] = value;
  }
  return config;
}

/** Whether a client reads errors as JSON: the reference's clients do since after 3.0.37, all others read text only. */
export function readsJsonErrors(config: ClientConfig | undefined): boolean {
  const match = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+].*)?$/.exec(config?.version ?? "");
  if (match === null) return false;
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number];
  return major !== 3 ? major > 3 : minor !== 0 ? true : patch > 37;
}
