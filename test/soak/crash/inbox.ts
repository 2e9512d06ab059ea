import { type AtServerClient, dataOf } from "../atserver-client.ts";
import type { Imitation } from "../network.ts";
import type { RunningAtServer } from "./atserver-driver.ts";
import { type Duty, type Round, untilKilled } from "./crash.ts";

/** What is known of a notification: sent and not answered, there, or removed (or about to be). */
type State = "sent" | "kept" | "removing" | "removed";

interface Listed {
  readonly id: string;
  readonly from: string;
  readonly value: string;
  readonly epochMillis: number;
}

const senders = 2;
/** Longer than a run of any length that is worth it. */
const lifeMs = 86_400_000;
/** So many removed ones are sent once more, which must not bring them back. */
const remembered = 200;

/** Notifications that another atServer delivers: what it was told `success` for is there once, until it is removed. */
export class Inbox implements Duty<RunningAtServer> {
  readonly name = "received notifications";
  readonly faults: string[] = [];
  readonly counts = { acknowledged: 0, underWay: 0 };
  readonly #peer: Imitation;
  readonly #states = new Map<string, State>();

  constructor(peer: Imitation) {
    this.#peer = peer;
  }

  async check({ owner }: RunningAtServer): Promise<void> {
    const listed: Listed[] = JSON.parse(dataOf(await owner.ask("notify:list"))) ?? [];
    const ids = new Set(listed.map(({ id }) => id));
    if (ids.size !== listed.length) this.faults.push(`some are there twice: ${listed.map(({ id }) => id)}`);
    for (const { id, from, value } of listed) {
      const state = this.#states.get(id);
      if (state === undefined || from !== "@bob" || value !== `value-${id}`) this.faults.push(`${id} was never sent`);
      if (state === "removed") this.faults.push(`${id} is back`);
    }
    for (const [id, state] of this.#states) {
      if (state === "sent") this.counts.underWay++;
      if (state === "kept" && !ids.has(id)) this.faults.push(`${id} is lost`);
      if (ids.has(id)) this.#states.set(id, "kept");
      else if (state !== "removed") this.#set(id, state === "sent" ? undefined : "removed");
    }
    this.#checkOrder(listed);
    this.#forget();
  }

  async work(running: RunningAtServer, round: Round): Promise<void> {
    const sending = Array.from({ length: senders }, (_, sender) => {
      let client: AtServerClient | undefined;
      let count = 0;
      return untilKilled(round, async () => {
        client ??= await this.#peer.connect(running.process);
        await this.#send(client, round, `${round.number}-${sender}-${count++}`);
      }).finally(() => client?.[Symbol.dispose]());
    });
    const removing = untilKilled(round, () => this.#remove(running.owner, round));
    await Promise.all([...sending, removing]);
  }

  async #send(client: AtServerClient, round: Round, fresh: string): Promise<void> {
    const again = round.random.chance(0.2) ? this.#one(round, "removed") : undefined;
    const id = again ?? fresh;
    if (again === undefined) this.#states.set(id, "sent");
    const line = `notify:id:${id}:update:messageType:key:notifier:SYSTEM:ttln:${lifeMs}:isEncrypted:false`;
    const reply = dataOf(await client.ask(`${line}:@alice:note.soak@bob:value-${id}`));
    if (reply !== "success") this.faults.push(`${id} was answered by ${reply}`);
    if (again === undefined) this.#states.set(id, "kept");
    this.counts.acknowledged++;
    round.acknowledged();
  }

  async #remove(owner: AtServerClient, round: Round): Promise<void> {
    const id = this.#one(round, "kept");
    if (id === undefined) {
      await owner.ask("noop:1");
      return;
    }
    this.#states.set(id, "removing");
    dataOf(await owner.ask(`notify:remove:${id}`));
    this.#states.set(id, "removed");
    this.counts.acknowledged++;
  }

  #one({ random }: Round, wanted: State): string | undefined {
    const ids = [...this.#states].filter(([, state]) => state === wanted).map(([id]) => id);
    return ids[random.below(ids.length)];
  }

  /** Those of one sender's connection are there in the order in which they were sent. */
  #checkOrder(listed: readonly Listed[]): void {
    let before = 0;
    const last = new Map<string, number>();
    for (const { id, epochMillis } of listed) {
      const [round, sender, count] = id.split("-");
      if (epochMillis <= before) this.faults.push(`${id} arrived at ${epochMillis}, one before it at ${before}`);
      before = epochMillis;
      const lane = `${round}-${sender}`;
      if (Number(count) <= (last.get(lane) ?? -1)) this.faults.push(`${id} is behind ${lane}-${last.get(lane)}`);
      last.set(lane, Number(count));
    }
  }

  #set(id: string, state: State | undefined): void {
    if (state === undefined) this.#states.delete(id);
    else this.#states.set(id, state);
  }

  #forget(): void {
    const removed = [...this.#states].filter(([, state]) => state === "removed").map(([id]) => id);
    for (const id of removed.slice(0, -remembered)) this.#states.delete(id);
  }
}
