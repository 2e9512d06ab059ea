import { describe, expect, test } from "@jest/globals";
import type { KubernetesObject } from "./objects.ts";
import { keyOf, ObjectStore, splitKey } from "./store.ts";
import { seeded } from "./testing/random.ts";

interface Thing extends KubernetesObject {
  readonly colours: readonly string[];
}

const indexers = {
  colour: ({ colours }: Thing) => colours,
  namespace: ({ metadata: { namespace = "" } }: Thing) => [namespace],
};

describe("an object store", () => {
  test.each(Array.from({ length: 20 }, (_, seed) => [seed]))(
    "finds what a search of everything finds (seed %i)",
    (seed) => {
      const { below, oneOf } = seeded(seed);
      const store = new ObjectStore<Thing>(indexers);
      const model = new Map<string, Thing>();
      for (let step = 0; step < 200; step++) {
        const metadata = { namespace: oneOf("a", "b"), name: oneOf("x", "y", "z"), resourceVersion: `${step}` };
        const colours = Array.from({ length: below(4) }, () => oneOf("red", "green", "blue"));
        const thing: Thing = { metadata, colours };
        const key = keyOf(thing);
        if (below(3) > 0) {
          expect(store.set(thing)).toBe(model.get(key));
          model.set(key, thing);
        } else {
          expect(store.delete(key)).toBe(model.get(key));
          model.delete(key);
        }
        expect(store.size).toBe(model.size);
        expect(new Set(store.values())).toEqual(new Set(model.values()));
        expect(store.get(key)).toBe(model.get(key));
        for (const [index, values] of Object.entries({
          colour: ["red", "green", "blue"],
          namespace: ["a", "b", "c"],
        })) {
          for (const value of values) {
            const naive = [...model.values()].filter((one) => indexers[index as "colour"](one).includes(value));
            const found = store.find(index, value);
            expect(found).toHaveLength(naive.length);
            expect(new Set(found)).toEqual(new Set(naive));
          }
        }
      }
    },
  );

  test("does not know an index that it was not given", () => {
    expect(() => new ObjectStore<Thing>(indexers).find("color", "red")).toThrow(RangeError);
  });

  test.each([
    ["namespace/name", { namespace: "namespace", name: "name" }],
    ["name", { namespace: undefined, name: "name" }],
  ])("%s is a key", (key, parts) => {
    expect(splitKey(key)).toEqual(parts);
    const { namespace, name } = parts;
    expect(keyOf({ metadata: namespace === undefined ? { name } : { namespace, name } })).toBe(key);
  });
});
