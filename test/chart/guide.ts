import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const guideDirectory = fileURLToPath(new URL("../../docs/guide", import.meta.url));

/** A block of shell commands of the guide. */
export interface Block {
  readonly page: string;
  /** line of the page that it begins in */
  readonly line: number;
  /** what it is run with, `test=quickstart`; undefined when it is for reading only */
  readonly test: string | undefined;
  readonly commands: string;
}

export function pages(): readonly string[] {
  return readdirSync(guideDirectory).filter((file) => file.endsWith(".md"));
}

export function textOf(page: string): string {
  return readFileSync(join(guideDirectory, page), "utf8");
}

/** All blocks that begin with ```` ```sh ````, in their order. */
export function blocksOf(page: string): readonly Block[] {
  const text = textOf(page);
  return [...text.matchAll(/^```sh(?: test=(?<test>[a-z]+))?\n(?<commands>.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split("\n").length,
    test: match.groups?.test,
    commands: match.groups?.commands ?? "",
  }));
}

/**
 * The commands of one test, to be run by bash in the root of the repository: they share one shell, and the first that fails
 * ends it, after its line was printed.
 */
export function scriptOf(test: string): string {
  const blocks = pages()
    .flatMap(blocksOf)
    .filter((block) => block.test === test);
  if (blocks.length === 0) throw new Error(`no block of the guide has test=${test}`);
  return ["set -euo pipefail", "set -x", ...blocks.map(({ commands }) => commands)].join("\n");
}
