import { type AtServerClient, dataOf } from "../atserver-client.ts";
import type { RunningAtServer } from "./atserver-driver.ts";
import { type Duty, type Round, untilKilled } from "./crash.ts";
import type { Recipient } from "./recipient.ts";

/** As many may wait for their delivery: a round is too short to deliver many. */
const mostWaiting = 300;
/** How often the recipient's atServer is killed, too, while the other one runs. */
const recipientKills = 0.2;

/**
 * Notifications to another atServer, by `notify` and by updating what is shared: what was acknowledged arrives there,
 * once, and all in the order in which they were sent.
 */
export class Outbox implements Duty<RunningAtServer> {
  readonly name = "sent notifications";
  readonly faults: string[] = [];
  readonly counts = { acknowledged: 0, underWay: 0 };
  readonly #recipient: Recipient;
  /** in the order of their numbers, which are their values at the recipient; acknowledged or not */
  readonly #sent: { readonly number: number; readonly id: string | undefined; acknowledged: boolean }[] = [];
  #next = 0;
  /** how much of what the recipient received was looked at */
  #seen = 0;
  #lastSeen = -1;
  /** of those in {@link #sent} */
  readonly #arrived = new Set<number>();

  constructor(recipient: Recipient) {
    this.#recipient = recipient;
  }

  async check({ owner }: RunningAtServer): Promise<void> {
    this.#look();
    if (this.#sent.at(-1)?.acknowledged === false) this.counts.underWay++;
    for (const { number, id, acknowledged } of this.#sent) {
      if (!acknowledged || id === undefined) continue;
      const status = dataOf(await owner.ask(`notify:status:${id}`));
      if (!/^(?:delivered|queued|errored)$/.test(status)) this.faults.push(`${number} is ${status}`);
    }
    if (this.#sent.length > mostWaiting) await this.#settle();
  }

  async work(running: RunningAtServer, round: Round): Promise<void> {
    const restarting = round.random.chance(recipientKills) ? this.#recipient.restart() : undefined;
    await Promise.all([restarting, this.#sendUntilKilled(running, round)]);
  }

  async #sendUntilKilled(running: RunningAtServer, round: Round): Promise<void> {
    // Its own, so that nothing but the atServer decides on the order.
    const client = await running.process.login().catch(() => undefined);
    if (client === undefined) return;
    await untilKilled(round, () => this.#send(client, round)).finally(() => client[Symbol.dispose]());
  }

  async finish(): Promise<void> {
    await this.#settle();
  }

  async #send(client: AtServerClient, round: Round): Promise<void> {
    if (this.#sent.length > mostWaiting) {
      await client.ask("noop:5");
      this.#look();
      round.acknowledged();
      return;
    }
    const number = this.#next++;
    const shared = round.random.chance(0.25);
    const id = shared ? undefined : `out-${number}`;
    const sent = { number, id, acknowledged: false };
    this.#sent.push(sent);
    if (shared) dataOf(await client.ask(`update:@carol:record${number % 7}.outbox@alice ${number}`));
    else dataOf(await client.ask(`notify:id:${id}:ttln:86400000:@carol:note.outbox@alice:${number}`));
    sent.acknowledged = true;
    this.counts.acknowledged++;
    round.acknowledged();
  }

  /** Takes note of what arrived since the last time. */
  #look(): void {
    const { received } = this.#recipient;
    for (; this.#seen < received.length; this.#seen++) {
      const number = Number(received[this.#seen]?.value);
      if (!(number > this.#lastSeen)) this.faults.push(`${number} came after ${this.#lastSeen}`);
      this.#arrived.add(number);
      this.#lastSeen = Math.max(this.#lastSeen, number);
      if (number >= this.#next) this.faults.push(`${number} was never sent`);
    }
    // Those before the last one that arrived have arrived, too, or never will.
    while (this.#sent[0] !== undefined && this.#sent[0].number <= this.#lastSeen) {
      const { number, acknowledged } = this.#sent[0];
      if (acknowledged && !this.#arrived.has(number)) this.faults.push(`${number} is lost`);
      this.#arrived.delete(number);
      this.#sent.shift();
    }
  }

  /** Waits until all that was acknowledged has arrived. */
  async #settle(): Promise<void> {
    const last = this.#sent.findLast(({ acknowledged }) => acknowledged)?.number ?? -1;
    const arrived = await this.#recipient.until((received) => Number(received.at(-1)?.value ?? -1) >= last);
    if (!arrived) this.faults.push(`${last} did not arrive in time; ${this.#sent.length} wait`);
    this.#look();
  }
}
