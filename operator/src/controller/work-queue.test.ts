import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { seeded } from "./testing/random.ts";
import { type Outcome, WorkQueue, type WorkQueueOptions } from "./work-queue.ts";

const backoff = { minMs: 100, maxMs: 1_000 };

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Lets what was resolved go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

/** A queue whose work is ended by the test. */
function workbench(options: Partial<WorkQueueOptions> = {}) {
  const working = new Map<string, PromiseWithResolvers<Outcome | undefined>>();
  const started: string[] = [];
  const worked: { waitedMs: number; tookMs: number; failed: boolean }[] = [];
  const queue = new WorkQueue(
    (key) => {
      if (working.has(key)) throw new Error(`${key} is worked on twice at once`);
      const work = Promise.withResolvers<Outcome | undefined>();
      working.set(key, work);
      started.push(key);
      return work.promise;
    },
    // Full pauses: without jitter.
    {
      workers: 2,
      backoff,
      random: () => 1,
      onError: () => undefined,
      onWorked: (work) => worked.push(work),
      ...options,
    },
  );
  const end = async (key: string, how: "done" | "failed" | Outcome) => {
    const work = working.get(key);
    working.delete(key);
    if (how === "failed") work?.reject(new Error("failed"));
    else work?.resolve(how === "done" ? undefined : how);
    await settle();
  };
  return { queue, working, started, worked, end };
}

describe("a work queue", () => {
  test("works on a key once, however often it is added, and again when it was added meanwhile", async () => {
    const { queue, started, end } = workbench();
    queue.add("a");
    queue.add("a");
    expect(started).toEqual([]);
    queue.start();
    expect(started).toEqual(["a"]);
    queue.add("a");
    queue.add("a");
    expect([queue.length, queue.working]).toEqual([1, 1]);
    await end("a", "done");
    expect(started).toEqual(["a", "a"]);
    await end("a", "done");
    expect([queue.length, queue.size]).toEqual([0, 0]);
  });

  test("works on so many at once", async () => {
    const { queue, started, end } = workbench();
    queue.start();
    for (const key of ["a", "b", "c"]) queue.add(key);
    expect(started).toEqual(["a", "b"]);
    expect([queue.length, queue.working, queue.waiting(1)]).toEqual([3, 2, 1]);
    await end("b", "done");
    expect(started).toEqual(["a", "b", "c"]);
  });

  test("waits longer with each failure in a row, and not at all after a success", async () => {
    const { queue, started, end } = workbench();
    queue.start();
    queue.add("a");
    for (const pauseMs of [100, 200, 400, 800, 1_000, 1_000]) {
      await end("a", "failed");
      const before = started.length;
      jest.advanceTimersByTime(pauseMs - 1);
      expect(started).toHaveLength(before);
      jest.advanceTimersByTime(1);
      expect(started).toHaveLength(before + 1);
    }
    await end("a", "done");
    queue.add("a");
    await end("a", "failed");
    const before = started.length;
    jest.advanceTimersByTime(100);
    expect(started).toHaveLength(before + 1);
  });

  test("does not go round in circles with work that fails and adds itself", async () => {
    const { queue, started, end } = workbench();
    queue.start();
    queue.add("a");
    for (let i = 0; i < 5; i++) {
      queue.add("a");
      await end("a", "failed");
      jest.advanceTimersByTime(backoff.minMs);
    }
    expect(started).toHaveLength(6);
    await end("a", "failed");
    // What changes while it pauses may be what it needs.
    queue.add("a");
    expect(started).toHaveLength(7);
  });

  test("keeps the higher priority", () => {
    const { queue, started } = workbench({ workers: 1 });
    for (const [key, priority] of [
      ["a", 2],
      ["b", 1],
      ["a", 0],
      ["a", 2],
    ] as const) {
      queue.add(key, priority);
    }
    queue.start();
    expect(started).toEqual(["a"]);
  });

  test("the earliest of several times counts", async () => {
    const { queue, started, end } = workbench();
    queue.start();
    queue.addAfter("a", 500);
    queue.addAfter("a", 200);
    queue.addAfter("a", 900);
    jest.advanceTimersByTime(199);
    expect(started).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(started).toEqual(["a"]);
    await end("a", { againAfterMs: 300 });
    expect([queue.length, queue.size]).toEqual([0, 1]);
    jest.advanceTimersByTime(300);
    expect(started).toEqual(["a", "a"]);
    await end("a", "done");
    jest.advanceTimersByTime(10_000);
    expect([started.length, queue.size]).toEqual([2, 0]);
  });

  test("tells how long keys waited, and how long they were worked on", async () => {
    const { queue, worked, end } = workbench({ workers: 1 });
    queue.add("a");
    queue.add("b");
    jest.advanceTimersByTime(30);
    queue.start();
    jest.advanceTimersByTime(20);
    await end("a", "failed");
    jest.advanceTimersByTime(5);
    await end("b", "done");
    expect(worked).toEqual([
      { waitedMs: 30, tookMs: 20, failed: true },
      { waitedMs: 50, tookMs: 5, failed: false },
    ]);
  });

  test("stops when what was begun has ended, and begins nothing more", async () => {
    const { queue, started, end } = workbench();
    queue.start();
    for (const key of ["a", "b", "c"]) queue.add(key);
    queue.addAfter("d", 10);
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    queue.add("e");
    await end("a", "done");
    expect(stopped).toBe(false);
    await end("b", "failed");
    await stopping;
    jest.advanceTimersByTime(10_000);
    expect(started).toEqual(["a", "b"]);
    expect([queue.length, queue.size]).toEqual([0, 0]);
  });

  test.each(Array.from({ length: 100 }, (_, seed) => [seed]))("does as its model does (seed %i)", async (seed) => {
    const { next, below, oneOf } = seeded(seed);
    const workers = 1 + below(3);
    const { queue, working, started, end } = workbench({ workers });
    queue.start();
    const model = new Model(workers, started);
    const keys = ["n/a", "n/b", "n/c", "m/a", "m/b"] as const;
    for (let step = 0; step < 150; step++) {
      const key = oneOf(...keys);
      const busy = [...working.keys()][below(working.size)];
      const action = below(6);
      if (action === 0) {
        queue.add(key, oneOf(0, 1, 2));
        model.add(key);
      } else if (action === 1) {
        const delayMs = 1 + below(300);
        queue.addAfter(key, delayMs);
        model.addAfter(key, delayMs);
      } else if (action === 2) {
        model.advance(below(400), (ms) => jest.advanceTimersByTime(ms));
      } else if (busy !== undefined) {
        const how = oneOf<"done" | "failed" | Outcome>("done", "failed", { againAfterMs: Math.floor(next() * 200) });
        await end(busy, how);
        model.end(busy, how);
      }
      model.check(new Set(working.keys()), queue);
    }
    // At last everything succeeds, and nothing is left.
    for (let step = 0; queue.size > 0 && step < 1_000; step++) {
      const [busy] = working.keys();
      if (busy === undefined) {
        model.advance(1_000, (ms) => jest.advanceTimersByTime(ms));
      } else {
        await end(busy, "done");
        model.end(busy, "done");
      }
      model.check(new Set(working.keys()), queue);
    }
    expect([queue.length, queue.size]).toEqual([0, 0]);
  });
});

/** What a queue should do, said as plainly as can be. Which of the keys that wait comes next is left open. */
class Model {
  readonly #workers: number;
  /** of the queue: which one it took */
  readonly #started: readonly string[];
  #seen = 0;
  #nowMs = 0;
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  readonly #dueMs = new Map<string, number>();
  readonly #failures = new Map<string, number>();

  constructor(workers: number, started: readonly string[]) {
    this.#workers = workers;
    this.#started = started;
  }

  add(key: string): void {
    this.#dueMs.delete(key);
    (this.#working.has(key) ? this.#again : this.#waiting).add(key);
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#waiting.has(key) || this.#again.has(key)) return;
    this.#dueMs.set(key, Math.min(this.#dueMs.get(key) ?? Number.POSITIVE_INFINITY, this.#nowMs + delayMs));
  }

  end(key: string, how: "done" | "failed" | Outcome): void {
    this.#working.delete(key);
    const again = this.#again.delete(key);
    const failures = how === "failed" ? (this.#failures.get(key) ?? 0) + 1 : 0;
    this.#failures.set(key, failures);
    if (how === "failed") this.addAfter(key, again ? backoff.minMs : Math.min(100 * 2 ** (failures - 1), 1_000));
    else if (again) this.add(key);
    else if (how !== "done") this.addAfter(key, how.againAfterMs ?? 0);
  }

  advance(ms: number, wait: (ms: number) => void): void {
    wait(ms);
    this.#nowMs += ms;
    for (const [key, dueMs] of this.#dueMs) if (dueMs <= this.#nowMs) this.add(key);
  }

  check(working: ReadonlySet<string>, queue: WorkQueue): void {
    for (; this.#seen < this.#started.length; this.#seen++) {
      const key = this.#started[this.#seen] ?? "";
      // A key may have come, gone and come within one step.
      expect(this.#waiting.has(key)).toBe(true);
      this.#waiting.delete(key);
      this.#working.add(key);
    }
    expect(working).toEqual(this.#working);
    expect(queue.working).toBe(this.#working.size);
    expect(queue.length).toBe(this.#working.size + this.#waiting.size);
    expect(queue.working).toBeLessThanOrEqual(this.#workers);
    // Nobody idles while there is work.
    if (this.#waiting.size > 0) expect(queue.working).toBe(this.#workers);
  }
}
