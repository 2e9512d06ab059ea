import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { type ApiClient, NoAnswerError, type RequestParts } from "./api.ts";
import { EventRecorder, type EventRecorderOptions, type Happening } from "./events.ts";

function happening(name: string): Happening<"Served"> {
  const regarding = { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name };
  return { regarding, type: "Normal", reason: "Served", action: "Serve", note: "" };
}

/** A recorder whose API server does as it is told. */
function recording(answer: (parts: RequestParts) => Promise<unknown>, options: Partial<EventRecorderOptions> = {}) {
  const asked: RequestParts[] = [];
  const client: Pick<ApiClient, "request"> = {
    request: async <T>(parts: RequestParts) => {
      asked.push(parts);
      return (await answer(parts)) as T;
    },
  };
  const reporter = { controller: "atrium.dev/operator", instance: "one" };
  const recorder = new EventRecorder<"Served">({
    ...{ client, term: undefined, reporter, onError: () => undefined },
    backoff: { minMs: 5, maxMs: 10 },
    ...options,
  });
  const names = () => asked.map(({ body }) => (body as { regarding: { name: string } }).regarding.name);
  return { recorder, asked, names };
}

function away(): Promise<never> {
  return Promise.reject(new NoAnswerError("away"));
}

describe("an event recorder", () => {
  test("waits for nothing, and ends in bounded time, when the API server does not answer", async () => {
    let asked = 0;
    const { recorder } = recording(({ signal }) => {
      asked++;
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new NoAnswerError("cut"))));
    });
    const began = performance.now();
    for (let i = 0; i < 1_000; i++) recorder.record(happening(`object-${i}`));
    expect(performance.now() - began).toBeLessThan(500);
    await recorder[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(3_500);
    expect(recorder.dropped).toBe(1_000);
    expect(asked).toBe(1);
  });

  test("remembers so many series and drops those that were silent for longest", async () => {
    let answer: () => Promise<unknown> = away;
    const { recorder, names } = recording(() => answer(), { maxSeries: 10 });
    for (let i = 0; i < 25; i++) recorder.record(happening(`object-${i}`));
    expect(recorder.dropped).toBe(15);
    answer = () => Promise.resolve({});
    await recorder[Symbol.asyncDispose]();
    expect(new Set(names().slice(-10))).toEqual(new Set(Array.from({ length: 10 }, (_, i) => `object-${i + 15}`)));
  });

  test("tries again what was not answered, under the same name", async () => {
    let failures = 3;
    const { recorder, asked } = recording(() => (failures-- > 0 ? away() : Promise.resolve({})));
    recorder.record(happening("alice"));
    while (failures >= 0) await delay(1);
    await recorder[Symbol.asyncDispose]();
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map(({ body }) => (body as { metadata: { name: string } }).metadata.name)).size).toBe(1);
    expect(recorder.dropped).toBe(0);
  });

  test("keeps to its rate", async () => {
    const { recorder, asked } = recording(() => Promise.resolve({}), { rate: { perSecond: 20, burst: 3 } });
    for (let i = 0; i < 50; i++) recorder.record(happening(`object-${i}`));
    await delay(500);
    // Three at once, then ten in half a second.
    expect(asked.length).toBeGreaterThanOrEqual(8);
    expect(asked.length).toBeLessThanOrEqual(14);
    await recorder[Symbol.asyncDispose]();
    expect(asked).toHaveLength(50);
  });
});
