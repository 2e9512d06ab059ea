/**
 * Settings from the environment, read once at the edge.
 *
 * Deliberately not a schema library: the atServer runs once per Atsign, and a schema library costs it more private
 * memory than its own code does (docs/decisions/0002-settings-without-a-schema-library.md).
 */

/** One setting: the variable that it is read from and how its text becomes a value. */
export interface Setting<T> {
  readonly name: string;
  readonly fallback?: T;
  /** @throws {Error} whose message completes "NAME …", for instance "must be a whole number" */
  parse(text: string): T;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

type Values<S> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Thrown by {@link readSettings}; `faults` has one plain sentence per wrong or missing variable. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.faults = faults;
  }
}

/**
 * @returns one typed value per setting
 * @throws {SettingsError} with every fault, not only the first
 */
export function readSettings<S extends Record<string, Setting<unknown>>>(
  settings: S,
  environment: Readonly<Record<string, string | undefined>>,
): Values<S> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const value = environment[setting.name];
    // An empty variable is an unset one: charts and shells cannot easily leave a variable out.
    if (value === undefined || value === "") {
      if ("fallback" in setting) values[key] = setting.fallback;
      else faults.push(`${setting.name} is not set`);
      continue;
    }
    try {
      values[key] = setting.parse(value);
    } catch (error) {
      faults.push(`${setting.name} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return values as Values<S>;
}

type Options<T> = { readonly fallback?: T };

export function setting<T>(name: string, parse: (text: string) => T, options: Options<T> = {}): Setting<T> {
  return { name, parse, ...options };
}

export function text(name: string, options?: Options<string>): Setting<string> {
  return setting(name, (value) => value, options);
}

export function optionalText(name: string): Setting<string | undefined> {
  return setting<string | undefined>(name, (value) => value, { fallback: undefined });
}

/** A whole number between `min` (0) and `max` (2^53 - 1), both included. */
export function integer(
  name: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER, ...options }: Options<number> & { min?: number; max?: number } = {},
): Setting<number> {
  return setting(
    name,
    (value) => {
      const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max)) throw new Error(`must be a whole number from ${min} to ${max}`);
      return number;
    },
    options,
  );
}

export function oneOf<const T extends string>(name: string, allowed: readonly T[], options?: Options<T>): Setting<T> {
  return setting(
    name,
    (value) => {
      const found = allowed.find((each) => each === value);
      if (found === undefined) throw new Error(`must be one of ${allowed.join(", ")}`);
      return found;
    },
    options,
  );
}

/** `host:port`; an IPv6 literal in brackets. Port 0 means any free port, where something listens. */
export function address(name: string, options?: Options<Address>): Setting<Address> {
  return setting(name, parseAddress, options);
}

export function optionalAddress(name: string): Setting<Address | undefined> {
  return setting<Address | undefined>(name, parseAddress, { fallback: undefined });
}

/** @throws {Error} when `text` is not `host:port` */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65_535)) throw new Error("must be HOST:PORT");
  return { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
