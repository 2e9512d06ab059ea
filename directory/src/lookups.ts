import type { Address } from "@atrium/runtime/config.ts";
import { traced } from "@atrium/runtime/tracing.ts";
import { nameOf } from "./names.ts";
import type { Found, Registry } from "./registry.ts";
import type { Outcome, Source, Tally } from "./tally.ts";
import type { Upstream } from "./upstream.ts";

/** Where an atSign is; `unknown` when nowhere; `none` when nobody can say: then there must be no answer. */
export type Answer = Address | "unknown" | "none";

interface Parts {
  readonly registry: Registry;
  /** who knows the names that are not ours */
  readonly upstream: Upstream | undefined;
  readonly tally: Tally;
}

/** Names to addresses: from memory, from the registry, for names that it does not have from upstream. */
export class Lookups {
  readonly #registry: Registry;
  readonly #upstream: Upstream | undefined;
  readonly #tally: Tally;

  constructor({ registry, upstream, tally }: Parts) {
    this.#registry = registry;
    this.#upstream = upstream;
    this.#tally = tally;
  }

  /**
   * From memory, at once.
   * @param text what the client wrote
   * @returns undefined when others have to be asked: {@link ask}
   */
  recall(text: string): Answer | undefined {
    return traced("directory.recall", {}, () => this.#recall(text), outcomeOf);
  }

  #recall(text: string): Answer | undefined {
    const name = nameOf(text);
    if (name === undefined) return this.#count("memory", "unknown", "unknown");
    const found = this.#registry.recall(name);
    if (found === undefined) return undefined;
    if (found.kind !== "absent" || this.#upstream === undefined) return this.#answer("memory", found);
    const address = this.#upstream.recall(name);
    return address === undefined ? undefined : this.#count("upstream", "address", address);
  }

  /**
   * Never rejects.
   * @param mayAskUpstream false for a client that has asked for too many unknown names already
   */
  ask(text: string, options: { mayAskUpstream: boolean }): Promise<Answer> {
    return traced("directory.lookup", {}, () => this.#ask(text, options), outcomeOf);
  }

  async #ask(text: string, { mayAskUpstream }: { mayAskUpstream: boolean }): Promise<Answer> {
    const name = nameOf(text);
    if (name === undefined) return this.#count("memory", "unknown", "unknown");
    const found = await this.#registry.find(name);
    if (found.kind !== "absent" || this.#upstream === undefined) return this.#answer("registry", found);
    if (!mayAskUpstream) return this.#count("upstream", "none", "none");
    const address = await this.#upstream.find(name);
    return this.#count("upstream", typeof address === "string" ? address : "address", address);
  }

  #answer(source: Source, found: Found): Answer {
    if (found.kind === "listed") return this.#count(source, "address", found.address);
    return found.kind === "unsure" ? this.#count(source, "none", "none") : this.#count(source, "unknown", "unknown");
  }

  #count(source: Source, outcome: Outcome, answer: Answer): Answer {
    this.#tally.answers[source][outcome] += 1;
    if (outcome === "address" && this.#registry.away) this.#tally.answersWhileAway += 1;
    return answer;
  }
}

/** Not the name: who asks for whom is nobody's business. */
function outcomeOf(answer: Answer | undefined) {
  return { outcome: typeof answer === "object" ? "address" : (answer ?? "not in memory") };
}
