import { ProtocolError } from "../errors.ts";
import { present } from "../metadata.ts";
import { syntax } from "../syntax.ts";

export interface KeysParams {
  readonly operation: "put" | "get" | "delete";
  readonly visibility?: "public" | "private" | "self";
  readonly namespace?: string;
  readonly appName?: string;
  readonly deviceName?: string;
  readonly keyType?: string;
  readonly encryptionKeyName?: string;
  /** with `put` a part of the record's name, else all of it; as the client wrote it */
  readonly keyName?: string;
  /** with `put` */
  readonly value?: string;
}

const options = ["namespace", "appName", "deviceName", "keyType", "encryptionKeyName"] as const;
const optionPattern = options.map((name) => `(?::${name}:(?<${name}>[\\w-]+))?`).join("");

/** `keys:<put|get|delete>[:<public|private|self>][:<option>:<value>…][:keyName:<name>[ <value>]]` — keys of an enrolled app. */
export const keys = syntax<KeysParams>({
  verb: "keys",
  usage: "keys:<put|get|delete>[:<public|private|self>][:<option>:<value>…][:keyName:<name>[ <value>]]",
  pattern: new RegExp(
    `^keys:(?<operation>put|get|delete)(?::(?<visibility>public|private|self))?${optionPattern}(?::keyName:(?<keyName>\\S+)(?: (?<value>.+))?)?$`,
    "is",
  ),
  parse({ operation = "", visibility, value, ...rest }) {
    return {
      operation: operation.toLowerCase() as KeysParams["operation"],
      ...present<Pick<KeysParams, "visibility">>({
        visibility: visibility?.toLowerCase() as KeysParams["visibility"],
      }),
      ...present(rest),
      ...present({ value }),
    };
  },
  format({ operation, visibility, keyName, value, ...given }) {
    if (value !== undefined && (keyName === undefined || value !== value.trimEnd() || value === "")) {
      throw new ProtocolError("invalid_syntax", "a value needs a name, and cannot be empty nor end in white space");
    }
    const said = options.map((name) => (given[name] === undefined ? "" : `:${name}:${given[name]}`)).join("");
    const named = keyName === undefined ? "" : `:keyName:${keyName}${value === undefined ? "" : ` ${value}`}`;
    return `keys:${operation}${visibility === undefined ? "" : `:${visibility}`}${said}${named}`;
  },
});
