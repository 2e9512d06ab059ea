import type { Random } from "../random.ts";
import { type Duty, type Round, type Running, untilKilled } from "./crash.ts";
import { type Found, Ledger } from "./ledger.ts";

/** As much of a record as is compared. */
export interface Content {
  /** 0 for a new record, and one more with each write */
  readonly version: number;
  readonly nonce: string;
  readonly value: string;
}

export interface Change {
  readonly key: string;
  /** `meta` keeps the value */
  readonly how: "update" | "meta" | "delete";
  /** what the record is then; undefined when it is deleted */
  readonly content: Content | undefined;
}

/** What keeps records. */
export interface RecordKeeper extends Running {
  /** @returns the commit ids with which all were acknowledged; rejects when the process ends before */
  write(changes: readonly Change[]): Promise<number[]>;
  /** Values as {@link textOf} writes them. */
  readAll(): Promise<Found>;
}

/** Each has its own keys, so that of one key never more than one write is under way. */
const writers = 24;
const keysPerWriter = 8;

/** Updates, changes of metadata and deletions, one by one and in batches. */
export class Records implements Duty<RecordKeeper> {
  readonly name = "records";
  readonly ledger = new Ledger();
  #underWay = 0;

  get faults(): readonly string[] {
    return this.ledger.faults;
  }

  get counts() {
    return { acknowledged: this.ledger.acknowledged, underWay: this.#underWay };
  }

  async check(keeper: RecordKeeper): Promise<void> {
    this.#underWay += this.ledger.underWay;
    this.ledger.compare(await keeper.readAll());
  }

  async work(keeper: RecordKeeper, round: Round): Promise<void> {
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        let count = 0;
        await untilKilled(round, () => this.#write(keeper, round, { writer, count: count++ }));
      }),
    );
  }

  async #write(
    keeper: RecordKeeper,
    round: Round,
    { writer, count }: { writer: number; count: number },
  ): Promise<void> {
    const { random } = round;
    const first = random.below(keysPerWriter);
    const size = random.chance(0.15) ? 1 + random.below(keysPerWriter) : 1;
    const changes = Array.from({ length: size }, (_, offset) => {
      const key = `key${writer}.${(first + offset) % keysPerWriter}.soak@alice`;
      return this.#change(key, random, `${round.number}.${writer}.${count}.${offset}`);
    });
    const sent = changes.map(({ key, content }) => this.ledger.sent(key, content && textOf(content)));
    const commitIds = await keeper.write(changes);
    for (const [index, write] of sent.entries()) this.ledger.acknowledge(write, commitIds[index] ?? Number.NaN);
    round.acknowledged();
  }

  #change(key: string, random: Random, unique: string): Change {
    if (random.chance(0.1)) return { key, how: "delete", content: undefined };
    const known = this.ledger.value(key);
    const before = known === undefined ? undefined : contentOf(known);
    const version = before === undefined ? 0 : before.version + 1;
    if (before !== undefined && random.chance(0.2)) {
      return { key, how: "meta", content: { version, nonce: `meta-${unique}`, value: before.value } };
    }
    return { key, how: "update", content: { version, nonce: unique, value: newValue(random, unique) } };
  }
}

/** Mostly small; some span many pages of a database, so that a kill can hit them in the middle. */
function newValue(random: Random, unique: string): string {
  const size = random.chance(0.05) ? random.below(100_000) : random.below(500);
  return `${unique}:${"x".repeat(size)}`;
}

export function textOf({ version, nonce, value }: Content): string {
  return `${version} ${nonce} ${value}`;
}

function contentOf(text: string): Content {
  const [version = "", nonce = "", value = ""] = text.split(" ");
  return { version: Number(version), nonce, value };
}
