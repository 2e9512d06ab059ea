import { parseArgs } from "node:util";
import type { GivenAtSign, Named } from "./given.ts";

export const help = `npm run conformance -- [options]

Without a server: starts a platform of its own, with Atsigns of its own, and runs every row.
Against a server: what the rows may use of it. Rows that need more are reported as "needs".

  --directory HOST:PORT    the directory that knows the Atsigns
  --ca FILE                PEM of the CAs to trust (else those that Node trusts)
  --dial HOST:PORT         where every atServer is reached, whatever the directory says (SNI kept)
  --platform FILE          a platform file instead of the three above (.atrium/platform.json)
  --atsign @a              the Atsign under test, "@alice" in the rows; with
    --keys FILE              its .atKeys file, or
    --secret TEXT            its activation secret: it is activated then, with keys that nobody keeps
  --peer @b                an Atsign on another atServer, "@bob" in the rows; with --peer-keys or --peer-secret, and
    --peer-certificate FILE --peer-key FILE   what its atServer shows to others (PEM)
  --new @c=SECRET          an Atsign that waits for its activation, up to three times; they will be activated
  --reference              the server is not Atrium: rows about what Atrium does otherwise on purpose may fail
                           ("differs"); always so with --directory, unless --atrium is given
  --atrium                 the server is Atrium

  --filter REGEX           only rows whose ids match
  --list                   the rows, without running them
  --json                   results as JSON

Prints a line per row, and ends with 0 when no row failed, with 1 when one did, with 2 on wrong arguments.`;

export class UsageError extends Error {}

/** What was given cannot be used. */
export class GivenError extends Error {}

export interface Arguments {
  /** undefined: a platform of our own */
  readonly given: Named | undefined;
  readonly reference: boolean;
  readonly filter: RegExp | undefined;
  readonly list: boolean;
  readonly json: boolean;
}

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;

/** @returns undefined when help is wanted */
export function readArguments(args: string[]): Arguments | undefined {
  const values = parsed(args);
  if (values.help) return undefined;
  const given = givenOf(values);
  return {
    given,
    reference: values.reference || (given !== undefined && !values.atrium),
    filter: values.filter === undefined ? undefined : regexOf(values.filter),
    list: values.list,
    json: values.json,
  };
}

function parsed(args: string[]) {
  try {
    const options = {
      directory: text,
      ca: text,
      dial: text,
      platform: text,
      atsign: text,
      keys: text,
      secret: text,
      peer: text,
      "peer-keys": text,
      "peer-secret": text,
      "peer-certificate": text,
      "peer-key": text,
      new: { type: "string", multiple: true },
      reference: flag,
      atrium: flag,
      filter: text,
      list: flag,
      json: flag,
      help: { ...flag, short: "h" },
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

type Values = ReturnType<typeof parsed>;

function givenOf(values: Values): Named | undefined {
  const { directory, ca, dial, platform, atsign, peer } = values;
  if (directory === undefined && platform === undefined) {
    if (atsign !== undefined || peer !== undefined) throw new UsageError("--atsign needs --directory or --platform");
    return undefined;
  }
  if (directory !== undefined && platform !== undefined) throw new UsageError("--platform names the directory itself");
  if (atsign === undefined) throw new UsageError("which Atsign? --atsign @name");
  const certificate = values["peer-certificate"];
  const key = values["peer-key"];
  if ((certificate === undefined) !== (key === undefined))
    throw new UsageError("--peer-certificate goes with --peer-key");
  return {
    ...(directory !== undefined && { directory }),
    ...(ca !== undefined && { ca }),
    ...(dial !== undefined && { dial }),
    ...(platform !== undefined && { platform }),
    self: atSignOf(atsign, values.keys, values.secret),
    ...(peer !== undefined && { peer: atSignOf(peer, values["peer-keys"], values["peer-secret"]) }),
    ...(certificate !== undefined && key !== undefined && { certificate: { cert: certificate, key } }),
    fresh: (values.new ?? []).map((each) => {
      const [, name = "", secret = ""] = /^(@[^=]+)=(.+)$/.exec(each) ?? [];
      if (secret === "") throw new UsageError(`--new is @name=SECRET, not ${each}`);
      return atSignOf(name, undefined, secret);
    }),
  };
}

function atSignOf(atSign: string, keys: string | undefined, secret: string | undefined): GivenAtSign {
  if (!/^@[^@\s]+$/.test(atSign)) throw new UsageError(`an Atsign begins with @: ${atSign}`);
  if (keys !== undefined && secret !== undefined) throw new UsageError(`${atSign}: keys or a secret, not both`);
  return { atSign, ...(keys !== undefined && { keys }), ...(secret !== undefined && { secret }) };
}

function regexOf(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch {
    throw new UsageError(`--filter is no regular expression: ${source}`);
  }
}
