import { appKey, digest, ownFunctions, publicKeyOf, signed } from "./proofs.ts";
import type { On } from "./row.ts";
import { type Functions, matched, type Name, named } from "./template.ts";
import { type Endpoint, Wire } from "./wire.ts";

/** An Atsign that the rows may use, and what proves to its atServer that one is its owner. */
export interface Account {
  readonly atSign: string;
  readonly endpoint: Endpoint;
  /** base64 PKCS#8; logs in */
  readonly pkamKey?: string | undefined;
  readonly enrollmentId?: string | undefined;
  /** of an Atsign that is not activated yet */
  readonly secret?: string | undefined;
  /** what its atServer shows to others; PEM */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
}

/** alice and bob are activated; carol, dave and erin are not, and will be. */
export type Accounts = Readonly<Partial<Record<Name, Account>>>;

/** What the rows may use. */
export interface Given {
  readonly accounts: Accounts;
  readonly directory?: Endpoint | undefined;
}

/** A row uses what the target has not got. */
export class Missing extends Error {}

/** A connection, and what the rows must know of it. */
export interface Line extends Disposable {
  readonly wire: Wire;
  /** what must follow each reply */
  prompt: string;
  /** whether the other side was shown to be an atServer: then errors are followed by the plain prompt */
  peer: boolean;
  monitoring: boolean;
  /** whether it is as it was at first, and may be used by another row */
  fresh: boolean;
}

const timeoutMs = 10_000;
const kinds =
  /^(?<kind>anyone|owner|json|peer|caller|friend|stranger|directory|new|new2|new3|app|http|alpn|tls12|tls13)(?:\((?<rights>[^)]*)\))?(?<fresh>!)?(?:#\d+)?$/;

/** Opens connections of all kinds, and keeps those that can be used again. */
export class Target implements Disposable {
  readonly #accounts: Accounts;
  readonly #directory: Endpoint | undefined;
  readonly #idle = new Map<string, Line[]>();
  readonly #all = new Set<Line>();
  readonly #enrollments = new Map<string, Promise<string>>();
  #signingKey: Promise<string> | undefined;

  constructor({ accounts, directory }: Given) {
    this.#accounts = accounts;
    this.#directory = directory;
  }

  /** A row's text with the Atsigns that there are. */
  named(template: string): string {
    return named(
      template,
      Object.fromEntries(Object.entries(this.#accounts).map(([name, { atSign }]) => [name, atSign.slice(1)])),
    );
  }

  get functions(): Functions {
    const key = (name: Name) => this.#account(name).pkamKey ?? this.#lacks(name, "a PKAM key");
    const secret = (name: Name) => this.#account(name).secret ?? this.#lacks(name, "an activation secret");
    return {
      ...ownFunctions(),
      pkamKey: () => publicKeyOf(key("alice")),
      pkam: (name, variables) => signed(key("alice"), variables.get(name) ?? ""),
      pkam512: (name, variables) => signed(key("alice"), variables.get(name) ?? "", "sha512"),
      cramCarol: (name, variables) => digest(secret("carol"), variables.get(name) ?? ""),
      cramDave: (name, variables) => digest(secret("dave"), variables.get(name) ?? ""),
      cramErin: (name, variables) => digest(secret("erin"), variables.get(name) ?? ""),
    };
  }

  /** @throws {Missing} when the target has nothing to open it with */
  async take(on: On): Promise<Line> {
    const { kind = "", rights = "", fresh } = kinds.exec(on)?.groups ?? {};
    if (kind === "") throw new Error(`there is no connection of the kind ${on}`);
    const pool = fresh === undefined ? (this.#idle.get(poolOf(on)) ?? []) : [];
    for (let pooled = pool.pop(); pooled !== undefined; pooled = pool.pop()) {
      // A row may have ended what no row has in hand.
      if (!pooled.wire.received.closed) return pooled;
      this.#all.delete(pooled);
    }
    const line = await this.#open(kind, rights);
    this.#all.add(line);
    return line;
  }

  /** For the next row, when it is as it was at first; else it is closed. */
  give(on: On, line: Line): void {
    if (!line.fresh || on.includes("!")) {
      this.#all.delete(line);
      line[Symbol.dispose]();
      return;
    }
    const pool = this.#idle.get(poolOf(on)) ?? [];
    pool.push(line);
    this.#idle.set(poolOf(on), pool);
  }

  [Symbol.dispose](): void {
    for (const line of this.#all) line[Symbol.dispose]();
  }

  /** @throws {Missing} when there is no such Atsign */
  need(name: Name): void {
    this.#account(name);
  }

  /** Opens connections, and keeps them all, until one is told something else than the greeting. */
  async crowd(on: On, count: number): Promise<string> {
    using all = new DisposableStack();
    const { endpoint } = this.#account(accountOf(on));
    for (let opened = 0; opened < count; opened++) {
      const wire = all.use(Wire.dial(endpoint));
      await wire.until(({ text, closed }) => closed || text !== "", timeoutMs);
      if (wire.received.text === "@") continue;
      await wire.until(({ closed }) => closed, timeoutMs);
      const { text, closed } = wire.take();
      return closed ? text : `${text} (not closed)`;
    }
    return "@";
  }

  #account(name: Name): Account {
    return this.#accounts[name] ?? this.#lacks(name, "its address");
  }

  #lacks(name: Name, what: string): never {
    throw new Missing(`${what} of @${name}`);
  }

  #open(kind: string, rights: string): Promise<Line> {
    switch (kind) {
      case "anyone":
        return this.#anonymous("alice");
      case "stranger":
        return this.#anonymous("bob");
      case "new":
      case "new2":
      case "new3":
        return this.#fresh(accountOf(kind));
      case "directory":
        return this.#atDirectory();
      case "owner":
        return this.#owner("alice");
      case "friend":
        return this.#owner("bob");
      case "json":
        return this.#owner("alice", ':clientConfig:{"version":"3.8.0","clientId":"conformance"}');
      case "peer":
        return this.#peer();
      case "caller":
        return this.#caller();
      case "http":
        return this.#anonymous("alice", { tls: { ALPNProtocols: ["http/1.1"] }, greets: false });
      case "alpn":
        return this.#anonymous("alice", { tls: { ALPNProtocols: ["atProtocol/1.0"] } });
      case "tls12":
        return this.#anonymous("alice", { tls: { maxVersion: "TLSv1.2" } });
      case "tls13":
        return this.#anonymous("alice", { tls: { minVersion: "TLSv1.3" } });
      default:
        return this.#app(rights);
    }
  }

  async #anonymous(name: Name, more: Pick<Endpoint, "tls" | "greets"> = {}): Promise<Line> {
    return lineOf(await Wire.open({ ...this.#account(name).endpoint, ...more }, timeoutMs), "@");
  }

  #fresh(name: Name): Promise<Line> {
    if (this.#account(name).secret === undefined) this.#lacks(name, "an activation secret");
    return this.#anonymous(name);
  }

  async #atDirectory(): Promise<Line> {
    const endpoint = this.#directory;
    if (endpoint === undefined) throw new Missing("the directory");
    return lineOf(await Wire.open(endpoint, timeoutMs), "@");
  }

  async #caller(): Promise<Line> {
    const { certificate = this.#lacks("bob", "a certificate") } = this.#account("bob");
    return await this.#anonymous("alice", { tls: certificate });
  }

  async #owner(name: Name, config = ""): Promise<Line> {
    const { pkamKey = this.#lacks(name, "a PKAM key"), enrollmentId, ...account } = this.#account(name);
    const wire = await Wire.open(account.endpoint, timeoutMs);
    const challenge = await asked(wire, `from:${account.atSign}${config}`, "data:<x:challenge>\n@");
    const enrolled = enrollmentId === undefined ? "" : `enrollmentId:${enrollmentId}:`;
    const prompt = `${account.atSign}@`;
    await asked(wire, `pkam:${enrolled}${signed(pkamKey, challenge)}`, `data:success\n${prompt}`);
    return lineOf(wire, prompt);
  }

  /** As the atServer of @bob does it: what pol is to find is put where @bob's atServer says it to anybody. */
  async #peer(): Promise<Line> {
    const { atSign } = this.#account("bob");
    this.#signingKey ??= this.#readSigningKey();
    const key = await this.#signingKey;
    const { wire } = await this.#caller();
    const proof = await asked(wire, `from:${atSign}`, `data:proof:<x:some>\n@`);
    const [session = "", challenge = ""] = proof.split(`${atSign}:`);
    const friend = await this.take("friend");
    await asked(friend.wire, `update:public:${session}${atSign} ${signed(key, challenge)}`, `data:<x:int>\n${atSign}@`);
    this.give("friend", friend);
    await asked(wire, "pol", `${atSign}@`);
    return Object.assign(lineOf(wire, `${atSign}@`), { peer: true });
  }

  async #readSigningKey(): Promise<string> {
    const friend = await this.take("friend");
    const { atSign } = this.#account("bob");
    const key = await asked(
      friend.wire,
      `llookup:${atSign}:signing_privatekey${atSign}`,
      `data:<x:base64>\n${atSign}@`,
    );
    this.give("friend", friend);
    return key;
  }

  async #app(rights: string): Promise<Line> {
    const { endpoint, atSign } = this.#account("alice");
    const known = this.#enrollments.get(rights) ?? this.#enroll(rights);
    this.#enrollments.set(rights, known);
    const id = await known;
    const wire = await Wire.open(endpoint, timeoutMs);
    const challenge = await asked(wire, `from:${atSign}`, "data:<x:challenge>\n@");
    const prompt = `${atSign}@`;
    const proof = ownFunctions().app?.("c", new Map([["c", challenge]])) ?? "";
    await asked(wire, `pkam:enrollmentId:${id}:${proof}`, `data:success\n${prompt}`);
    return lineOf(wire, prompt);
  }

  /** Lets the owner approve an app with these rights, `wavi:rw,buzz:r`. */
  async #enroll(rights: string): Promise<string> {
    const owner = await this.take("owner");
    const otp = await asked(owner.wire, "otp:get", `data:<x:some>\n${owner.prompt}`);
    const anyone = await this.take("anyone!");
    const namespaces = Object.fromEntries(rights.split(",").map((each) => each.split(":")));
    const request = {
      appName: "conformance",
      deviceName: `device-${performance.now()}-${Math.random()}`,
      namespaces,
      otp,
      encryptedAPKAMSymmetricKey: "c3ltbWV0cmlj",
      apkamPublicKey: appKey,
    };
    const requested = `data:{"enrollmentId":"<x:some>","status":"pending"}\n@`;
    const id = await asked(anyone.wire, `enroll:request:${JSON.stringify(request)}`, requested);
    this.give("anyone!", anyone);
    const approval = {
      enrollmentId: id,
      encryptedDefaultEncryptionPrivateKey: "cHJpdmF0ZQ==",
      encryptedDefaultSelfEncryptionKey: "c2VsZg==",
    };
    await asked(owner.wire, `enroll:approve:${JSON.stringify(approval)}`, `data:<x:some>\n${owner.prompt}`);
    this.give("owner", owner);
    return id;
  }
}

/** Whose atServer it is at. */
function accountOf(on: On): Name {
  const names: Readonly<Record<string, Name>> = {
    new: "carol",
    new2: "dave",
    new3: "erin",
    friend: "bob",
    stranger: "bob",
  };
  return names[poolOf(on)] ?? "alice";
}

function poolOf(on: On): string {
  return on.replace(/[!#].*$/, "");
}

function lineOf(wire: Wire, prompt: string): Line {
  return {
    wire,
    prompt,
    peer: false,
    monitoring: false,
    fresh: true,
    [Symbol.dispose]: () => wire[Symbol.dispose](),
  };
}

/**
 * One exchange of a login.
 *
 * @param expected captures what is wanted as `x`
 * @throws {Error} when the reply is another
 */
export async function asked(wire: Wire, command: string, expected: string): Promise<string> {
  wire.send(`${command}\n`);
  await wire.until(({ text }) => /\n./s.test(text) || matched(expected, text) !== undefined, timeoutMs);
  const { text } = wire.take();
  const value = matched(expected, text)?.get("x");
  if (value !== undefined) return value;
  if (matched(expected, text) !== undefined) return "";
  throw new Error(`to ${command.slice(0, 80)} came ${JSON.stringify(text)}`);
}
