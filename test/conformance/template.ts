export type Variables = Map<string, string>;

/** What a call in a template gives, by its name. */
export type Functions = Readonly<Record<string, (argument: string, variables: Variables) => string>>;

/** What `<name>` stands for in what is expected. */
const patterns = {
  any: "[^\\n]*?",
  all: "[\\s\\S]*?",
  some: "[^\\n]+?",
  short: "[^\\n]{1,185}",
  int: "-?\\d+",
  number: "\\d+",
  word: "\\w+",
  uuid: "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
  challenge: "_[0-9a-f-]{36}@[^:@\\s]+:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
  session: "_[0-9a-f-]{36}",
  nonce: "[^:\\s]+",
  date: "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z",
  ms: "\\d{13}",
  base64: "[A-Za-z0-9+/]+={0,2}",
  otp: "(?=[1-9A-NP-Z]*[1-9])[1-9A-NP-Z]{6,}",
  version: '[^"\\s]+',
  item: '[^"\\n]*',
  dns: "(?:[a-z0-9-]+\\.)+[a-z][a-z0-9-]*",
  lt: "<",
  gt: ">",
  object: "\\{[^{}\\n]*\\}",
} as const;

const names = ["alice", "bob", "carol", "dave", "erin"] as const;
export type Name = (typeof names)[number];

/**
 * Puts the values of `{x}` and `{f(x)}` into a template.
 *
 * @throws {Error} when it names what does not exist
 */
export function filled(template: string, variables: Variables, functions: Functions = {}): string {
  return template.replaceAll(/\{([a-zA-Z]\w*)(?:\(([^(){}]*)\))?\}/g, (_all, name: string, argument?: string) => {
    const value = argument === undefined ? variables.get(name) : functions[name]?.(argument, variables);
    if (value === undefined) throw new Error(`there is no {${name}} in this row`);
    return value;
  });
}

/** Puts the Atsigns of the target in the place of those that the rows speak of. */
export function named(template: string, actual: Readonly<Partial<Record<Name, string>>>): string {
  return template.replaceAll(/(?<![a-z])(alice|bob|carol|dave|erin)(?![a-z])/g, (name) => actual[name as Name] ?? name);
}

/**
 * @returns undefined when the text is not as expected; else what it captured
 */
export function matched(template: string, text: string): Variables | undefined {
  // Large values are no patterns, and too large for one.
  if (!template.includes("<")) return template === text ? new Map() : undefined;
  const match = expressionOf(template).exec(text);
  return match === null ? undefined : new Map(Object.entries(match.groups ?? {}));
}

const expressions = new Map<string, RegExp>();

function expressionOf(template: string): RegExp {
  const known = expressions.get(template);
  if (known !== undefined) return known;
  const source = template
    .split(/(<(?:\w+:)?[\w|]+>)/)
    .map((part, index) => (index % 2 === 0 ? escaped(part) : patternOf(part)))
    .join("");
  const expression = new RegExp(`^${source}$`);
  expressions.set(template, expression);
  return expression;
}

function patternOf(placeholder: string): string {
  const [, capture, name = ""] = /^<(?:(\w+):)?([\w|]+)>$/.exec(placeholder) ?? [];
  const known = (patterns as Readonly<Record<string, string>>)[name];
  if (known === undefined && !name.includes("|")) throw new Error(`there is no pattern ${placeholder}`);
  const source = known ?? name;
  return capture === undefined ? `(?:${source})` : `(?<${capture}>${source})`;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
