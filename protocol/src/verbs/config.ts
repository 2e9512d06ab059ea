import { type AtSign, parseAtSign } from "../atsign.ts";
import { syntax } from "../syntax.ts";

export type ConfigParams =
  | { readonly operation: "add" | "remove"; readonly atSigns: readonly AtSign[] }
  | { readonly operation: "show" }
  | { readonly operation: "set"; readonly name: string; readonly value: string }
  | { readonly operation: "reset" | "print"; readonly name: string };

/** `config:block:add:@x @y`, `…:remove:@x`, `config:block:show` — whom to refuse; `config:set:…` and its kin. */
export const config = syntax<ConfigParams>({
  verb: "config",
  usage: "config:block:<add|remove>:<@atSign>[ <@atSign>…], config:block:show",
  pattern:
    /^config:(?:block:(?:(?<block>add|remove):(?<list>@[^:@\s]+(?: +@[^:@\s]+)*)|(?<show>show))|set:(?<set>\w+)=(?<value>\S+)|(?<operation>reset|print):(?<name>\w+))$/i,
  parse({ block, list = "", show, set, value = "", operation = "", name = "" }) {
    if (block !== undefined) {
      return { operation: block.toLowerCase() as "add" | "remove", atSigns: list.split(/ +/).map(parseAtSign) };
    }
    if (show !== undefined) return { operation: "show" };
    if (set !== undefined) return { operation: "set", name: set, value };
    return { operation: operation.toLowerCase() as "reset" | "print", name };
  },
  format(params) {
    switch (params.operation) {
      case "add":
      case "remove":
        return `config:block:${params.operation}:${params.atSigns.join(" ")}`;
      case "show":
        return "config:block:show";
      case "set":
        return `config:set:${params.name}=${params.value}`;
      default:
        return `config:${params.operation}:${params.name}`;
    }
  },
});
