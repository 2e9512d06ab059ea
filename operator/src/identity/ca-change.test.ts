import { describe, expect, test } from "@jest/globals";
import { type Circumstances, entriesOf, nextStep } from "./ca-change.ts";
import type { CaContent } from "./ca-secret.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

const root = {} as CertificateAuthority;
const stable: CaContent = {
  current: root,
  next: undefined,
  previous: undefined,
  platformId: "p",
  sinceMs: undefined,
  ownMade: true,
};
const quiet: Circumstances = { now: 10_000, waitMs: 1_000, need: undefined, nextFault: undefined };
const announced = { ...stable, next: root };
const switched = { ...stable, previous: "old" };

describe("the change of the CA", () => {
  test.each<[string, Partial<CaContent>, Partial<Circumstances>, string | undefined]>([
    ["rests when there is no need", stable, {}, undefined],
    ["begins when there is need", stable, { need: "it ends" }, "announce"],
    ["is begun by who brought the root", { ...stable, ownMade: false }, { need: "it ends" }, undefined],
    ["counts from when the next root is in every bundle", announced, {}, "wait"],
    ["waits", { ...announced, sinceMs: 9_001 }, {}, undefined],
    ["waits while the clock is behind", { ...announced, sinceMs: 20_000 }, {}, undefined],
    ["switches after a life", { ...announced, sinceMs: 9_000 }, {}, "switch"],
    ["does not switch to what cannot issue", { ...announced, sinceMs: 9_000 }, { nextFault: "no" }, undefined],
    ["is not begun twice", { ...announced, sinceMs: 9_500 }, { need: "it ends" }, undefined],
    ["counts again from when certificates are of the new root", switched, {}, "wait"],
    ["keeps the previous root for a life", { ...switched, sinceMs: 9_001 }, {}, undefined],
    ["retires the previous root", { ...switched, sinceMs: 9_000 }, {}, "retire"],
    ["ends before another begins", { ...switched, next: root, sinceMs: 9_000 }, {}, "retire"],
  ])("%s", (_what, content, circumstances, step) => {
    expect(nextStep({ ...stable, ...content }, { ...quiet, ...circumstances })?.do).toBe(step);
  });

  test("moves the roots", () => {
    const data = { "ca.crt": "a", "ca.key": "b", "next.crt": "c", "next.key": "d", "platform-id": "p" };
    const after = { ...data, ...entriesOf("switch", data) };
    expect(after).toEqual({
      ...{ "ca.crt": "c", "ca.key": "d", "previous.crt": "a", "platform-id": "p" },
      ...{ "next.crt": undefined, "next.key": undefined },
    });
    expect(entriesOf("retire", {})).toEqual({ "previous.crt": undefined });
  });
});
