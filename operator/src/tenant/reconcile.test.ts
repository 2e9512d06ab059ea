import type { AtSign } from "@atrium/protocol";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, test } from "@jest/globals";
import type { Action, Plan } from "./desired.ts";
import type { Observed } from "./observe.ts";
import { type Adapter, reconciler } from "./reconcile.ts";

/** A place where AtSigns are listed and nothing else; what is done there is held until it is let go. */
class Place implements Adapter {
  readonly done: string[] = [];
  readonly reports: string[] = [];
  looks = 0;
  running = 0;
  mostRunning = 0;
  hold = false;
  faults = 0;
  onReport = () => {};
  listed = new Set<AtSign>();
  #waiting: (() => void)[] = [];
  #held: (() => void)[] = [];

  observe(atSign: AtSign, now: number): Observed | undefined {
    this.looks += 1;
    if (atSign === "@gone") return undefined;
    const generation = this.listed.has(atSign) ? 5 : 4;
    const server = { state: "starting", epoch: 5 } as const;
    const wanted = { atSign, run: "Always", deletionPolicy: "Retain" } as const;
    const listing = { state: "ours", generation, parked: false } as const;
    return { now, wanted, epoch: 5, volume: "present", listing, server, activated: false };
  }

  async apply(atSign: AtSign, action: Action): Promise<void> {
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    if (this.hold) await new Promise<void>((resolve) => this.#held.push(resolve));
    this.running -= 1;
    this.done.push(`${atSign} ${action.do}`);
    for (const resume of this.#waiting.splice(0)) resume();
    if (this.faults > 0) {
      this.faults -= 1;
      throw new Error("away");
    }
    this.listed.add(atSign);
  }

  report(atSign: AtSign, _observed: Observed, { conditions }: Plan): void {
    this.reports.push(`${atSign} ${conditions[0]?.reason}`);
    this.onReport();
  }

  release(): void {
    this.hold = false;
    for (const resume of this.#held.splice(0)) resume();
  }

  async until(count: number): Promise<void> {
    while (this.done.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("the loop", () => {
  test("reads, decides and does", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    loop.poke("@alice");
    await place.until(1);
    expect(place.done).toEqual(["@alice list"]);
    expect(place.reports).toEqual(["@alice Starting"]);
    loop.poke("@alice");
    await turn();
    expect(place.done).toHaveLength(1);
  });

  test("does one thing at a time for an AtSign, and looks once more for all that happened meanwhile", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    place.hold = true;
    for (let count = 0; count < 10; count += 1) loop.poke("@alice");
    await turn();
    expect(place).toMatchObject({ looks: 1, running: 1 });
    place.release();
    await place.until(1);
    await turn();
    expect(place).toMatchObject({ looks: 2, mostRunning: 1 });
  });

  test("looks once more, and not inside itself, when who is told of a look pokes", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    let depth = 0;
    let pokes = 1;
    place.onReport = () => {
      depth += 1;
      expect(depth).toBe(1);
      if (pokes-- > 0) loop.poke("@alice");
      depth -= 1;
    };
    loop.poke("@alice");
    await place.until(1);
    await turn();
    expect(place).toMatchObject({ looks: 2, mostRunning: 1, done: ["@alice list"] });
  });

  test("has one loop for an AtSign that went and is wanted again", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    loop.poke("@gone");
    loop.poke("@gone");
    await turn();
    expect(place.looks).toBe(1);
    loop.poke("@gone");
    await turn();
    expect(place.looks).toBe(2);
  });

  test("does not let one AtSign wait for another", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    place.hold = true;
    for (const atSign of ["@alice", "@bob", "@carol"] as const) loop.poke(atSign);
    await turn();
    expect(place.running).toBe(3);
    place.release();
  });

  test("tries again what failed, without being asked", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    place.faults = 2;
    loop.poke("@alice");
    await place.until(3);
    expect(place.done).toEqual(["@alice list", "@alice list", "@alice list"]);
  });

  test("forgets what is gone", async () => {
    const place = new Place();
    await using loop = reconciler({ adapter: place, log: silent });
    loop.poke("@gone");
    await turn();
    expect(place).toMatchObject({ looks: 1, done: [], reports: [] });
  });

  test("ends when what it does has ended, and begins nothing more", async () => {
    const place = new Place();
    const loop = reconciler({ adapter: place, log: silent });
    place.hold = true;
    loop.poke("@alice");
    await turn();
    let ended = false;
    const ending = loop[Symbol.asyncDispose]().then(() => {
      ended = true;
    });
    loop.poke("@bob");
    await turn();
    expect(ended).toBe(false);
    place.release();
    await ending;
    expect(place.done).toEqual(["@alice list"]);
    expect(place.looks).toBe(1);
  });
});
