/** Who says it: the owner, an enrolled app (see `grants`), anybody, or the atServer of @bob. */
export const clients = ["owner", "app", "anonymous", "peer"] as const;
export type Client = (typeof clients)[number];

/** What the app is enrolled for. */
export const grants: Readonly<Record<string, "r" | "rw">> = { ns: "rw", wavi: "r" };

export interface Key {
  readonly scope: string;
  /** of each run's own: it has the run's tag in it */
  readonly name: string;
  readonly owner: string;
}

/** Metadata of a command, in the order in which it is written. */
export type Items = readonly (readonly [name: string, value: string])[];

export type Command =
  | {
      readonly verb: "update";
      readonly uncommitted: boolean;
      readonly key: Key;
      readonly items: Items;
      readonly value: string;
    }
  | { readonly verb: "update:meta"; readonly key: Key; readonly items: Items }
  | { readonly verb: "delete"; readonly uncommitted: boolean; readonly key: Key; readonly force: boolean }
  | { readonly verb: "llookup"; readonly part: Part; readonly key: Key }
  | { readonly verb: "lookup"; readonly part: Part; readonly name: string; readonly owner: string }
  | { readonly verb: "scan"; readonly hidden: boolean; readonly regex?: string }
  | { readonly verb: "stats:3"; readonly regex?: string }
  | {
      readonly verb: "sync:from";
      readonly after: number;
      readonly limit?: number;
      readonly skipDeletes?: number;
      readonly regex?: string;
    }
  | { readonly verb: "batch"; readonly commands: readonly Command[] }
  | {
      readonly verb: "notify";
      readonly id: string;
      readonly operation: "update" | "delete";
      readonly items: Items;
      readonly name: string;
      readonly value?: string;
    }
  | { readonly verb: "notify:list" }
  | { readonly verb: "notify:status" | "notify:fetch" | "notify:remove"; readonly id: string }
  | { readonly verb: "config:block:add" | "config:block:remove"; readonly atSign: string }
  | { readonly verb: "config:block:show" | "noop:0" };

export type Part = "" | "meta:" | "all:";

/** @param baseId the last commit id before the run: those of commands count from it */
export function textOf(command: Command, client: Client, baseId: number): string {
  switch (command.verb) {
    case "update":
      return `update${command.uncommitted ? ":nc" : ""}${itemsText(command.items)}:${keyText(command.key)} ${command.value}`;
    case "update:meta":
      return `update:meta:${keyText(command.key)}${itemsText(command.items)}`;
    case "delete":
      return `delete${command.uncommitted ? ":nc" : ""}${command.force ? ":force" : ""}:${keyText(command.key)}`;
    case "llookup":
      return `llookup:${command.part}${keyText(command.key)}`;
    case "lookup":
      return `lookup:${command.part}${command.name}${command.owner}`;
    case "scan":
      return `scan${command.hidden ? ":showHidden:true" : ""}${command.regex === undefined ? "" : ` ${command.regex}`}`;
    case "stats:3":
      return `stats:3${option("", command.regex)}`;
    case "sync:from": {
      const { after, limit, skipDeletes, regex } = command;
      const skip = skipDeletes === undefined ? undefined : baseId + skipDeletes;
      return `sync:from:${baseId + after}${option("limit:", limit)}${option("skipDeletesUntil:", skip)}${option("", regex)}`;
    }
    case "batch":
      return `batch:${JSON.stringify(command.commands.map((each, id) => ({ id, command: textOf(each, client, baseId) })))}`;
    case "notify":
      return `notify:id:${command.id}:${command.operation}${itemsText(command.items)}:@alice:${command.name}${
        client === "peer" ? "@bob" : "@alice"
      }${option("", command.value)}`;
    case "notify:status":
    case "notify:fetch":
    case "notify:remove":
      return `${command.verb}:${command.id}`;
    case "config:block:add":
    case "config:block:remove":
      return `${command.verb}:${command.atSign}`;
    default:
      return command.verb;
  }
}

export function keyText({ scope, name, owner }: Key): string {
  return `${scope}${name}${owner}`;
}

function itemsText(items: Items): string {
  return items.map(([name, value]) => `:${name}:${value}`).join("");
}

function option(name: string, value: string | number | undefined): string {
  return value === undefined ? "" : `:${name}${value}`;
}
