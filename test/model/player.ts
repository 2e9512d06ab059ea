import fc from "fast-check";
import { turns } from "./arbitraries.ts";
import { canonical } from "./canonical.ts";
import { type Client, type Command, textOf } from "./command.ts";
import { Model } from "./model.ts";
import type { World } from "./world.ts";

interface Turn {
  readonly client: Client;
  readonly command: Command;
}

interface State {
  readonly model: Model;
  readonly baseId: number;
  readonly tag: string;
}

/** Something said to both, the model and the atServer, who must answer the same. */
class Say implements fc.AsyncCommand<State, World> {
  readonly #turn: Turn;
  #said = "";

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  check(): boolean {
    return true;
  }

  async run({ model, baseId, tag }: State, world: World): Promise<void> {
    const { client, command }: Turn = JSON.parse(JSON.stringify(this.#turn).replaceAll("%", tag));
    this.#said = textOf(command, client, baseId);
    const expected = model.answer(client, command);
    const reply = await world.ask(client, this.#said);
    const wanted = canonical(expected + promptBehind(expected, client), command, world);
    const seen = canonical(reply, command, world);
    // Where the words of an error are the server's own, its code is compared.
    const same = /^error:AT\d{4}@/.test(wanted) ? withoutWords(seen) === wanted : seen === wanted;
    if (!same) throw new Error(`${client} says ${this.#said}\n  expected ${wanted}\n  saw      ${seen}`);
  }

  toString(): string {
    const { client, command } = this.#turn;
    return `${client}: ${this.#said || JSON.stringify(command)}`;
  }
}

class Pass implements fc.AsyncCommand<State, World> {
  readonly #ms: number;

  constructor(ms: number) {
    this.#ms = ms;
  }

  check(): boolean {
    return true;
  }

  async run(_state: State, { advance }: World): Promise<void> {
    await advance?.(this.#ms);
  }

  toString(): string {
    return `${this.#ms} ms pass`;
  }
}

function promptBehind(line: string, client: Client): string {
  if (client === "owner" || client === "app") return "@alice@";
  return client === "peer" && line.startsWith("data:") ? "@bob@" : "@";
}

function withoutWords(reply: string): string {
  return reply.replace(/^(error:AT\d{4})-[^\n]*?(@(?:alice@|bob@)?)$/, "$1$2");
}

interface Play {
  readonly world: World;
  readonly seed: number;
  /** how many times to begin anew, each time with as many commands as that */
  readonly runs: number;
  readonly commands: number;
}

/** @returns the shortest dialogue in which they differ; undefined when they do not */
export async function play({ world, seed, runs, commands }: Play): Promise<string | undefined> {
  const spans = world.advance === undefined ? ["3600000", "86400000"] : ["1000", "3000", "3600000"];
  const said = turns(spans, world.clients).map((turn) => new Say(turn));
  const passing = fc.constantFrom(999, 1000, 1001, 3000).map((ms) => new Pass(ms));
  const steps = fc.commands(
    world.advance === undefined ? [said] : [fc.oneof({ weight: 6, arbitrary: said }, passing)],
    {
      maxCommands: commands,
      size: "max",
    },
  );
  let run = 0;
  const property = fc.asyncProperty(steps, async (all) => {
    const tag = `t${seed.toString(36)}x${run++}`;
    const baseId = await world.clear();
    const model = new Model({ baseId, now: () => world.now() });
    await fc.asyncModelRun(() => ({ model: { model, baseId, tag }, real: world }), all);
  });
  const result = await fc.check(property, { seed, numRuns: runs });
  if (!result.failed) return undefined;
  const why = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
  return `${why}\nafter ${result.counterexample}\nseen again by seed ${seed} (path ${result.counterexamplePath})`;
}
