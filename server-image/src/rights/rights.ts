import { isProtected, keyType } from "@atrium/protocol";

/** What an enrolled app was granted: names of namespaces in lower case, `*` for all, `__manage` for enrolments. */
export type Namespaces = Readonly<Record<string, Access>>;

export type Access = "r" | "rw";

/** What a command does to one record. */
export interface Act {
  /** as the client wrote it, of a notification too */
  readonly key: string;
  readonly access: Access;
  /** the verb that does it: what concerns enrolments is for some of them alone */
  readonly verb: string;
}

const all = "*";
const manage = "__manage";
/** The verbs that may deal with what concerns enrolments. */
const managing: ReadonlySet<string> = new Set(["enroll", "otp", "monitor"]);

/**
 * Whether an enrolled app may read or write a record, or be told of it. Pure: that the enrolment is approved, and which
 * commands nobody has to be granted, is for the caller to know.
 */
export function mayAccess(namespaces: Namespaces, { key, access, verb }: Act): boolean {
  const { cached, original, name, namespace } = partsOf(key);
  // Whatever else was granted: an app that could write these would grant itself what it likes.
  if (namespace === manage) return managing.has(verb) && mayManage(namespaces);
  if (keyType(original) === "reservedKey") {
    return access === "r" || cached || !isIdentity(original) || isRoot(namespaces);
  }
  const granting = grantingNamespace(namespaces, name);
  return granting !== undefined && allows(namespaces[granting], access);
}

/** Whether the owner's apps may be approved, denied and revoked with it. */
export function mayManage(namespaces: Namespaces): boolean {
  return Object.hasOwn(namespaces, manage);
}

/** Whether an app was granted all there is, as the one that activated the atSign. */
export function isRoot(namespaces: Namespaces): boolean {
  return mayManage(namespaces) && Object.hasOwn(namespaces, all) && namespaces[all] === "rw";
}

/** Whether who has been granted `own` may decide on a request for `requested`: nobody grants more than they have. */
export function covers(own: Namespaces, requested: Namespaces): boolean {
  return Object.entries(requested).every(([namespace, access]) => {
    if (`.${namespace}`.endsWith(`.${manage}`)) return mayManage(own);
    const granting = Object.keys(own).find((each) => `.${namespace}`.endsWith(`.${each}`)) ?? all;
    return Object.hasOwn(own, granting) && allows(own[granting], access);
  });
}

/** Whether `scan` shows a name to an enrolled app, among those that it shows to the owner. */
export function mayList(namespaces: Namespaces, key: string): boolean {
  if (Object.hasOwn(namespaces, all)) return true;
  const { scope, namespace } = partsOf(key);
  if (namespace === manage || Object.keys(namespaces).length === 0) return false;
  if (scope === "public:") return true;
  return namespace !== undefined && Object.hasOwn(namespaces, namespace);
}

/** Whether a change of a record reaches an enrolled app by sync, and counts for it in the statistics. */
export function maySync(namespaces: Namespaces, key: string): boolean {
  if (Object.hasOwn(namespaces, all) || mayManage(namespaces)) return true;
  const { namespace } = partsOf(key);
  return namespace === undefined || Object.hasOwn(namespaces, namespace);
}

function allows(granted: Access | undefined, access: Access): boolean {
  return granted === "rw" || (granted === "r" && access === "r");
}

/**
 * The first of the namespaces that grants a name: by the last segment of it, then by a longer end, then the one for all.
 *
 * @param name entity and namespace: `foo.bar.app`
 */
function grantingNamespace(namespaces: Namespaces, name: string): string | undefined {
  const last = namespaceOf(name);
  if (last !== undefined && Object.hasOwn(namespaces, last)) return last;
  const dotted = Object.keys(namespaces).find((namespace) => name.endsWith(`.${namespace}`));
  return dotted ?? (Object.hasOwn(namespaces, all) ? all : undefined);
}

/** What the atSign is known and let in by: who replaces it takes the atSign over. */
function isIdentity(reserved: string): boolean {
  if (reserved.startsWith("_")) return false;
  const at = reserved.lastIndexOf("@");
  return at === -1 || reserved.startsWith("private:") || isProtected(reserved, `@${reserved.slice(at + 1)}`);
}

interface KeyParts {
  readonly cached: boolean;
  /** in lower case; of a cached record, the name of the original */
  readonly original: string;
  readonly scope: string;
  /** entity and namespace */
  readonly name: string;
  readonly namespace: string | undefined;
}

/** Also of what is no valid name, such as the text of a message. */
function partsOf(key: string): KeyParts {
  const whole = key.toLowerCase();
  const original = whole.replace(/^cached:/, "");
  const scope = /^(?:public|private|local|@[^:@]+):/.exec(original)?.[0] ?? "";
  const rest = original.slice(scope.length);
  const at = rest.lastIndexOf("@");
  const name = at === -1 ? rest : rest.slice(0, at);
  return { cached: original !== whole, original, scope, name, namespace: namespaceOf(name) };
}

/** The last segment of a dotted name. */
function namespaceOf(name: string): string | undefined {
  const dot = name.lastIndexOf(".");
  return dot <= 0 || dot === name.length - 1 ? undefined : name.slice(dot + 1);
}
