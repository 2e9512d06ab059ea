import type { KubernetesObject } from "./objects.ts";

/** `namespace/name`, or `name` of what has no namespace. */
export function keyOf({ metadata: { namespace, name } }: KubernetesObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf("/");
  return slash === -1
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** By the name of an index: the values under which an object is found. Pure: asked again when an object goes. */
export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/**
 * What a reflector saw last of the objects of one resource, by key and by whatever else they are looked up by. Objects in
 * it are never changed, but replaced.
 */
export class ObjectStore<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: readonly Index<T>[];

  constructor(indexers: Indexers<T> = {}) {
    this.#indexes = Object.entries(indexers).map(([name, valuesOf]) => ({ name, valuesOf, keys: new Map() }));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /**
   * Those with this value in an index.
   *
   * @throws {RangeError} when there is no such index
   */
  find(index: string, value: string): T[] {
    const keys = this.#indexes.find(({ name }) => name === index)?.keys;
    if (keys === undefined) throw new RangeError(`there is no index ${index}`);
    const found: T[] = [];
    for (const key of each(keys.get(value))) {
      const object = this.#objects.get(key);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  /** @returns what was there before */
  set(object: T): T | undefined {
    const key = keyOf(object);
    const previous = this.delete(key);
    this.#objects.set(key, object);
    for (const { valuesOf, keys } of this.#indexes) {
      for (const value of valuesOf(object)) keys.set(value, joined(keys.get(value), key));
    }
    return previous;
  }

  /** @returns what was there */
  delete(key: string): T | undefined {
    const previous = this.#objects.get(key);
    if (previous === undefined) return undefined;
    this.#objects.delete(key);
    for (const { valuesOf, keys } of this.#indexes) {
      for (const value of valuesOf(previous)) {
        const rest = left(keys.get(value), key);
        if (rest === undefined) keys.delete(value);
        else keys.set(value, rest);
      }
    }
    return previous;
  }
}

interface Index<T> {
  readonly name: string;
  readonly valuesOf: (object: T) => readonly string[];
  readonly keys: Map<string, Keys>;
}

/** One key as itself: most values have one, and a Set is ten times as large. */
type Keys = string | Set<string>;

function each(keys: Keys | undefined): Iterable<string> {
  return keys === undefined ? [] : typeof keys === "string" ? [keys] : keys;
}

function joined(keys: Keys | undefined, key: string): Keys {
  if (keys === undefined || keys === key) return key;
  return typeof keys === "string" ? new Set([keys, key]) : keys.add(key);
}

/** @returns undefined when none is left */
function left(keys: Keys | undefined, key: string): Keys | undefined {
  if (typeof keys !== "object") return keys === key ? undefined : keys;
  keys.delete(key);
  return keys.size === 0 ? undefined : keys;
}
