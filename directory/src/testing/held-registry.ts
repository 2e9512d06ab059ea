import { memoryRegistry } from "../registry/memory.ts";
import type { Found, Registry } from "../registry.ts";

export interface HeldRegistry {
  readonly registry: Registry;
  /** names that were asked for and not answered */
  readonly waiting: readonly string[];
  /** answers the oldest of those */
  answer(found: Found): void;
}

/** A registry that remembers nothing and answers when the test says so. */
export function heldRegistry(): HeldRegistry {
  const questions: { name: string; resolve: (found: Found) => void }[] = [];
  const registry: Registry = Object.assign(memoryRegistry({ cells: ["local"] }), {
    recall: () => undefined,
    find: (name: string) => new Promise<Found>((resolve) => questions.push({ name, resolve })),
  });
  return {
    registry,
    get waiting() {
      return questions.map(({ name }) => name);
    },
    answer: (found) => questions.shift()?.resolve(found),
  };
}
