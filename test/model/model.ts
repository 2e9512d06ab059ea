import { type Client, type Command, grants, type Items, type Key, keyText, type Part } from "./command.ts";

/**
 * An atServer of @alice as the documents of the protocol describe it, in as few words as possible: everything is in
 * memory, nothing is fast, one thing after the other. It answers with whole lines, without prompt.
 */

type Metadata = Record<string, string | number | boolean>;

interface Stored {
  readonly value: string | undefined;
  readonly metadata: Metadata;
}

interface Notification {
  readonly kind: "received" | "self";
  readonly id: string;
  readonly key: string;
  readonly value: string | undefined;
  readonly operation: string;
  readonly isEncrypted: boolean;
}

interface Change {
  readonly key: Key;
  readonly items: Items;
  /** not in the commit log */
  readonly uncommitted: boolean;
}

interface Options {
  /** the last commit id that was given */
  readonly baseId: number;
  /** epoch milliseconds */
  readonly now: () => number;
}

/** What a command is refused with; only the code when the documents leave the words to the server. */
class Refusal {
  readonly code: string;
  readonly detail: string | undefined;

  constructor(code: string, detail?: string) {
    this.code = code;
    this.detail = detail;
  }
}

const descriptions: Readonly<Record<string, string>> = {
  AT0003: "Invalid syntax",
  AT0009: "UnAuthorized client in request",
  AT0015: "key not found",
  AT0016: "Invalid key",
  AT0032: "Illegal state",
};

/** In the order of the documents. */
const memberOrder = (
  "createdBy updatedBy createdAt updatedAt availableAt expiresAt refreshAt status version ttl ttb ttr ccd isBinary " +
  "isEncrypted dataSignature sharedKeyEnc pubKeyCS encoding encKeyName encAlgo ivNonce skeEncKeyName skeEncAlgo " +
  "pubKeyHash immutable appMetadata"
).split(" ");
const numeric: ReadonlySet<string> = new Set(["ttl", "ttb", "ttr"]);
const boolean: ReadonlySet<string> = new Set(["ccd", "isBinary", "isEncrypted", "immutable"]);

export class Model {
  readonly #options: Options;
  readonly #records = new Map<string, Stored>();
  /** in the order of the ids */
  #log: { readonly id: number; readonly key: string; readonly operation: string }[] = [];
  #lastId: number;
  #notifications: Notification[] = [];
  /** of all that was notified, also of what was removed */
  readonly #ids = new Set<string>();
  #blocked: string[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#lastId = options.baseId;
  }

  /** @returns the line; without its text, as far as an error's code, when that is left to the server */
  answer(client: Client, command: Command): string {
    const payload = this.#try(client, command);
    if (payload instanceof Refusal) {
      const { code, detail } = payload;
      if (detail === undefined) return `error:${code}`;
      const asOwner = client === "owner" || client === "app";
      return `error:${code}-${asOwner ? `${descriptions[code]} :` : "Exception:"} ${detail}`;
    }
    return `data:${payload}`;
  }

  #try(client: Client, command: Command): string | null | Refusal {
    try {
      return this.#run(client, command);
    } catch (refusal) {
      if (refusal instanceof Refusal) return refusal;
      throw refusal;
    }
  }

  /** @returns null for what is answered by `null` without being that text */
  #run(client: Client, command: Command): string | null {
    if (command.verb === "notify") this.#assertSpans(command.items);
    if (client === "anonymous" || client === "peer") return this.#runForOthers(client, command);
    switch (command.verb) {
      case "update":
        return this.#update(client, command, command.value);
      case "update:meta":
        return this.#update(client, { uncommitted: false, ...command }, undefined);
      case "delete":
        return this.#delete(client, command);
      case "llookup": {
        const key = keyText(command.key);
        if (command.key.scope !== "public:") this.#assertGranted(client, command.key, "r");
        return this.#render(key, command.part);
      }
      case "lookup":
        this.#assertGranted(client, { scope: "@alice:", ...command }, "r");
        return this.#render(`@alice:${command.name}${command.owner}`, command.part);
      case "scan":
        return JSON.stringify(this.#scan(client, command.hidden, command.regex));
      case "stats:3": {
        const seen = this.#log.filter(({ key }) => this.#syncs(client, key, command.regex, false));
        // Without an expression, whatever there was before is counted, too.
        const none = command.regex === undefined && this.#options.baseId >= 0 ? this.#options.baseId : null;
        return ` [${JSON.stringify({ id: "3", name: "lastCommitID", value: String(seen.at(-1)?.id ?? none) })}]`;
      }
      case "sync:from":
        return JSON.stringify(this.#sync(client, command));
      case "batch":
        return JSON.stringify(command.commands.map((each, id) => ({ id, response: this.#response(client, each) })));
      case "notify":
        this.#assertGranted(client, { scope: "@alice:", name: command.name, owner: "@alice" }, "rw");
        this.#add("self", command);
        return command.id;
      case "notify:list":
        return this.#list(client);
      case "notify:status":
        return this.#find(client, command.id, "r") === undefined ? null : "delivered";
      case "notify:fetch": {
        const status = this.#find(client, command.id, "r") === undefined ? "expired" : "delivered";
        return JSON.stringify({ id: command.id, notificationStatus: `NotificationStatus.${status}` });
      }
      case "notify:remove": {
        const found = this.#find(client, command.id, "rw");
        this.#notifications = this.#notifications.filter((each) => each !== found);
        return "success";
      }
      case "config:block:add":
        if (!this.#blocked.includes(command.atSign)) this.#blocked.push(command.atSign);
        return "success";
      case "config:block:remove":
        this.#blocked = this.#blocked.filter((each) => each !== command.atSign);
        return "success";
      case "config:block:show":
        return this.#blocked.length === 0 ? null : JSON.stringify(this.#blocked.toSorted());
      case "noop:0":
        return "ok";
    }
  }

  #runForOthers(client: "anonymous" | "peer", command: Command): string | null {
    const scope = client === "peer" ? "@bob:" : "public:";
    if (command.verb === "lookup") return this.#render(`${scope}${command.name}${command.owner}`, command.part);
    if (command.verb === "noop:0") return "ok";
    if (command.verb === "scan") {
      const keys = this.#liveKeys().filter((key) => key.startsWith(scope) && !key.startsWith("public:_"));
      return JSON.stringify(
        keys
          .filter((key) => matches(key, command.regex))
          .map((key) => key.slice(scope.length))
          .toSorted(),
      );
    }
    if (command.verb === "notify" && client === "peer") return this.#receive(command);
    const detail =
      command.verb === "notify"
        ? "Notify command cannot be executed without authentication"
        : "Command cannot be executed without auth";
    throw new Refusal("AT0401", detail);
  }

  // Records

  #update(client: Client, { key, items, uncommitted }: Change, value: string | undefined): string {
    this.#assertSpans(items);
    const text = keyText(key);
    if (key.owner !== "@alice") {
      const detail = `Invalid update command - sharedBy atsign ${key.owner} should be same as current atsign @alice`;
      throw new Refusal("AT0016", detail);
    }
    this.#assertGranted(client, key, "rw");
    const type = { "private:": "privateKey", "local:": "localKey", "cached:public:": "cachedPublicKey" }[key.scope];
    if (type !== undefined) throw new Refusal("AT0016", `You may not update keys of type KeyType.${type}`);
    const previous = this.#unexpired(text);
    if (previous?.metadata.immutable === true && this.#live(text) !== undefined) throw new Refusal("AT0032");
    this.#records.set(text, { value: value ?? previous?.value, metadata: this.#merge(previous?.metadata, items) });
    return uncommitted ? "-1" : this.#commit(text, value === undefined ? "#" : "*");
  }

  #assertSpans(items: Items): void {
    for (const [name, value] of items) {
      if ((name === "ttl" || name === "ttb") && Number(value) < 0) {
        throw new Refusal("AT0003", `Valid value for ${name.toUpperCase()} should be greater than or equal to 0`);
      }
      if (name === "ttr" && Number(value) < -1) {
        throw new Refusal("AT0003", "Valid values for TTR are -1 and greater than or equal to 1");
      }
    }
  }

  #merge(previous: Metadata | undefined, items: Items, by = "@alice"): Metadata {
    const now = this.#options.now();
    const merged: Metadata = { ...previous, isBinary: false, isEncrypted: false };
    for (const [name, value] of items) {
      if (value === "null") delete merged[name];
      else merged[name] = numeric.has(name) ? Number(value) : boolean.has(name) ? /^true$/i.test(value) : value;
    }
    const { ttl = 0, ttb = 0, ttr = 0 } = merged as Record<string, number>;
    for (const derived of ["availableAt", "expiresAt", "refreshAt"]) delete merged[derived];
    if (ttr === 0) {
      delete merged.ttr;
      delete merged.ccd;
    } else merged.ccd ??= false;
    return {
      ...merged,
      createdBy: previous?.createdBy ?? by,
      updatedBy: by,
      createdAt: previous?.createdAt ?? date(now),
      updatedAt: date(now),
      ...(ttb > 0 && { availableAt: date(now + ttb) }),
      ...(ttl > 0 && { expiresAt: date(now + ttb + ttl) }),
      ...(ttr > 0 && { refreshAt: date(now + ttr * 1000) }),
      status: "active",
      version: previous === undefined ? 0 : Number(previous.version) + 1,
    };
  }

  #delete(client: Client, { key, force, uncommitted }: Command & { verb: "delete" }): string {
    const text = keyText(key);
    if (text === "public:publickey@alice") {
      throw new Refusal("AT0009", client === "owner" ? `Cannot delete protected key: '${text}'` : undefined);
    }
    this.#assertGranted(client, key, "rw");
    if (!force && this.#live(text)?.metadata.immutable === true) throw new Refusal("AT0032");
    this.#records.delete(text);
    return uncommitted ? "-1" : this.#commit(text, "-");
  }

  #commit(key: string, operation: string): string {
    if (/^(?:public:_(?!_)|private|local:)/.test(key)) return "-1";
    this.#log = [...this.#log.filter((entry) => entry.key !== key), { id: ++this.#lastId, key, operation }];
    return String(this.#lastId);
  }

  /** Also what is not born yet. */
  #unexpired(key: string): Stored | undefined {
    const record = this.#records.get(key);
    const { expiresAt } = record?.metadata ?? {};
    return expiresAt !== undefined && String(expiresAt) <= date(this.#options.now()) ? undefined : record;
  }

  #live(key: string): Stored | undefined {
    const record = this.#unexpired(key);
    const { availableAt } = record?.metadata ?? {};
    return availableAt !== undefined && String(availableAt) > date(this.#options.now()) ? undefined : record;
  }

  #liveKeys(): string[] {
    return [...this.#records.keys()].filter((key) => this.#live(key) !== undefined);
  }

  #render(key: string, part: Part): string | null {
    const record = this.#live(key);
    if (record === undefined) throw new Refusal("AT0015", `${key} does not exist in keystore`);
    const { value = null, metadata } = record;
    if (part === "") return value;
    const metaData = ordered(metadata);
    return JSON.stringify(part === "meta:" ? metaData : { key, data: value, metaData });
  }

  #scan(client: Client, hidden: boolean, regex: string | undefined): string[] {
    return this.#liveKeys()
      .filter((key) => !/^(?:private:|privatekey:)/.test(key))
      .filter((key) => (/^(?:public:)?_/.test(key) ? hidden && /^(?:public:__|_)/.test(key) : true))
      .filter((key) => client === "owner" || key.startsWith("public:") || namespaceOf(key) in grants)
      .filter((key) => matches(key, regex))
      .toSorted();
  }

  // Sync

  #sync(client: Client, command: Command & { verb: "sync:from" }): object[] {
    const { after, limit = 25, skipDeletes = 0, regex } = command;
    const { baseId } = this.#options;
    return this.#log
      .filter(({ id, operation }) => id > baseId + after && !(operation === "-" && id <= baseId + skipDeletes))
      .filter(({ key, operation }) => operation === "-" || this.#records.has(key))
      .filter(({ key }) => this.#syncs(client, key, regex, true))
      .slice(0, Math.max(1, limit))
      .map(({ id, key, operation }) => {
        const record = operation === "-" ? undefined : this.#records.get(key);
        const texts = record && Object.entries(ordered(record.metadata)).map(([name, value]) => [name, String(value)]);
        return {
          atKey: key,
          value: record?.value ?? null,
          metadata: texts ? Object.fromEntries(texts) : null,
          commitId: id,
          operation,
        };
      });
  }

  /** @param always whether some names are told whatever the expression says */
  #syncs(client: Client, key: string, regex: string | undefined, always: boolean): boolean {
    const included = always && (/^public:[^.]*$/.test(key) || /^(?:@\w+:)?shared_key\b/.test(key));
    const namespace = namespaceOf(key);
    return (included || matches(key, regex)) && (client === "owner" || namespace === "" || namespace in grants);
  }

  #response(client: Client, command: Command): object {
    const payload = this.#try(client, command);
    if (!(payload instanceof Refusal)) return { data: payload };
    return { error_code: payload.code, error_message: descriptions[payload.code] };
  }

  // Notifications

  #receive(command: Command & { verb: "notify" }): string {
    const { operation, items, name, value } = command;
    if (!this.#add("received", command)) return "success";
    const given = Object.fromEntries(items);
    const copy = `cached:@alice:${name}@bob`;
    const cached = this.#records.get(copy);
    if (operation === "delete") {
      if (cached?.metadata.ccd === true) {
        this.#records.delete(copy);
        this.#commit(copy, "-");
      }
    } else if (Number(given.ttr ?? 0) !== 0 && (value !== undefined || cached !== undefined)) {
      const metadata = this.#merge(cached?.metadata, [["isEncrypted", "true"], ...items], "@bob");
      this.#records.set(copy, { value: value ?? cached?.value, metadata });
      this.#commit(copy, value === undefined ? "#" : "*");
    }
    return "success";
  }

  /** @returns false when its id was seen before */
  #add(kind: Notification["kind"], { id, operation, items, name, value }: Command & { verb: "notify" }): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const isEncrypted = !items.some(([name, value]) => name === "isEncrypted" && /^false$/i.test(value));
    const key = `@alice:${name}${kind === "self" ? "@alice" : "@bob"}`;
    this.#notifications.push({ kind, id, key, value, operation, isEncrypted });
    return true;
  }

  #list(client: Client): string | null {
    const shown = this.#notifications.filter(({ kind, key }) => kind === "received" && mayUse(client, key, "r"));
    if (shown.length === 0) return null;
    return JSON.stringify(
      shown.map(({ id, key, value = null, operation, isEncrypted }) => {
        const about = { operation, messageType: "MessageType.key", isEncrypted };
        return { id, from: "@bob", to: "@alice", key, value, ...about };
      }),
    );
  }

  #find(client: Client, id: string, access: "r" | "rw"): Notification | undefined {
    const found = this.#notifications.find((each) => each.id === id);
    if (found !== undefined && !mayUse(client, found.key, access)) throw new Refusal("AT0009");
    return found;
  }

  #assertGranted(client: Client, key: Key, access: "r" | "rw"): void {
    if (!mayUse(client, keyText(key), access)) throw new Refusal("AT0009");
  }
}

function mayUse(client: Client, key: string, access: "r" | "rw"): boolean {
  const granted = grants[namespaceOf(key)];
  return client === "owner" || granted === "rw" || granted === access;
}

/** The last part of a name, when it has several. */
function namespaceOf(key: string): string {
  const name = key.replace(/^(?:cached:)?(?:\w+:|@\w+:)?/, "").replace(/@\w+$/, "");
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : "";
}

function matches(key: string, regex = ""): boolean {
  return new RegExp(regex).test(key);
}

function ordered(metadata: Metadata): Metadata {
  return Object.fromEntries(memberOrder.flatMap((name) => (name in metadata ? [[name, metadata[name] ?? ""]] : [])));
}

function date(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("T", " ");
}
