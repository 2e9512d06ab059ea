import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { metadataChanges, recordMetadata } from "./arbitraries.ts";
import { isLive, type MetadataChange, mergeMetadata, type RecordMetadata } from "./metadata.ts";
import { formatMetadataJson } from "./metadata-json.ts";

const first = { now: 1_000_000, by: "@alice" } as const;
const later = { now: 2_000_000, by: "@alice" } as const;
const created = mergeMetadata(undefined, {}, first);

/** What is there after a first write with one change and a second with another. */
function twice(one: MetadataChange, other: MetadataChange): RecordMetadata {
  return mergeMetadata(mergeMetadata(undefined, one, first), other, later);
}

test("the first write makes version 0", () => {
  expect(created).toEqual({
    createdBy: "@alice",
    updatedBy: "@alice",
    createdAt: 1_000_000,
    updatedAt: 1_000_000,
    status: "active",
    version: 0,
    isBinary: false,
    isEncrypted: false,
  });
});

test("a later write keeps who created it and when, and counts the version", () => {
  expect(mergeMetadata(created, {}, { now: 5_000_000, by: "@bob" })).toMatchObject({
    createdBy: "@alice",
    updatedBy: "@bob",
    createdAt: 1_000_000,
    updatedAt: 5_000_000,
    version: 1,
  });
});

describe("ttl and ttb", () => {
  test.each<[string, MetadataChange, number | undefined, number | undefined]>([
    ["ttl", { ttl: 500 }, undefined, 1_000_500],
    ["ttb", { ttb: 300 }, 1_000_300, undefined],
    ["both: life begins with birth", { ttl: 500, ttb: 300 }, 1_000_300, 1_000_800],
    ["ttl 0", { ttl: 0 }, undefined, undefined],
    ["ttb 0", { ttl: 500, ttb: 0 }, undefined, 1_000_500],
    ["instants", { availableAt: 1_500_000, expiresAt: 1_600_000 }, 1_500_000, 1_600_000],
    ["an instant over a span", { ttl: 500, expiresAt: 1_600_000 }, undefined, 1_600_000],
    ["ttl from a given birth", { ttl: 500, availableAt: 1_500_000 }, 1_500_000, 1_500_500],
    ["ttl from now, where birth is long past", { ttl: 500, availableAt: 5 }, 5, 1_000_500],
    ["a ttl beyond all dates", { ttl: Number.MAX_SAFE_INTEGER }, undefined, Date.UTC(9999, 11, 31, 23, 59, 59, 999)],
  ])("%s", (_case, change, availableAt, expiresAt) => {
    const merged = mergeMetadata(undefined, change, first);
    expect([merged.availableAt, merged.expiresAt]).toEqual([availableAt, expiresAt]);
  });

  test.each<[string, MetadataChange, MetadataChange, number | undefined, number | undefined]>([
    ["are armed again by a write without them", { ttl: 500, ttb: 300 }, {}, 2_000_300, 2_000_800],
    ["are replaced", { ttl: 500, ttb: 300 }, { ttl: 50, ttb: 30 }, 2_000_030, 2_000_080],
    ["are cleared by 0", { ttl: 500, ttb: 300 }, { ttl: 0, ttb: 0 }, undefined, undefined],
    ["stay cleared", { ttl: 0 }, {}, undefined, undefined],
    ["given as instants, stay", { availableAt: 1_500_000, expiresAt: 3_000_000 }, {}, 1_500_000, 3_000_000],
    ["given as instants, replace the spans", { ttl: 500 }, { expiresAt: 3_000_000 }, undefined, 3_000_000],
  ])("%s", (_case, one, other, availableAt, expiresAt) => {
    const merged = twice(one, other);
    expect([merged.availableAt, merged.expiresAt]).toEqual([availableAt, expiresAt]);
  });

  test("that an instant has replaced are not armed by the write after that", () => {
    expect(
      mergeMetadata(twice({ ttl: 500 }, { expiresAt: 3_000_000 }), {}, { ...later, now: 2_500_000 }).expiresAt,
    ).toBe(3_000_000);
  });
});

describe("ttr and ccd", () => {
  test.each<[string, MetadataChange, Partial<RecordMetadata>]>([
    ["seconds", { ttr: 60 }, { ttr: 60, ccd: false, refreshAt: 1_060_000 }],
    ["for ever", { ttr: -1, ccd: true }, { ttr: -1, ccd: true }],
    ["0 is none", { ttr: 0, ccd: true }, {}],
    ["ccd alone is nothing", { ccd: true }, {}],
  ])("%s", (_case, change, expected) => {
    const { ttr, ccd, refreshAt } = mergeMetadata(undefined, change, first);
    expect({ ttr, ccd, refreshAt }).toEqual({ ttr: undefined, ccd: undefined, refreshAt: undefined, ...expected });
  });

  test("are kept and armed again, until ttr 0", () => {
    const merged = twice({ ttr: 60, ccd: true }, {});
    expect(merged).toMatchObject({ ttr: 60, ccd: true, refreshAt: 2_060_000 });
    expect(mergeMetadata(merged, { ttr: 0 }, later)).not.toHaveProperty("ccd");
  });
});

test("isBinary and isEncrypted are false unless a write says otherwise", () => {
  expect(twice({ isBinary: true, isEncrypted: true }, {})).toMatchObject({ isBinary: false, isEncrypted: false });
});

test("texts are kept, replaced, or removed by null", () => {
  const texts = {
    encoding: "base64",
    ivNonce: "a==",
    pubKeyHash: { hash: "ab", algo: "sha512" },
    immutable: true,
  } as const;
  expect(twice(texts, {})).toMatchObject(texts);
  const changed = twice(texts, { encoding: null, ivNonce: "b==", pubKeyHash: null });
  expect(changed).toMatchObject({ ivNonce: "b==", immutable: true });
  expect(changed).not.toHaveProperty("encoding");
  expect(changed).not.toHaveProperty("pubKeyHash");
});

test("whatever is merged: no null, no undefined, one more version, and JSON can show it", () => {
  fc.assert(
    fc.property(fc.option(recordMetadata, { nil: undefined }), metadataChanges, (previous, change) => {
      const merged = mergeMetadata(previous, change, later);
      expect(Object.values(merged)).not.toContain(null);
      expect(Object.values(merged)).not.toContain(undefined);
      expect(merged.version).toBe(previous === undefined ? 0 : previous.version + 1);
      expect(JSON.stringify(formatMetadataJson(merged))).not.toMatch(/null|[+-]\d{6}-/);
    }),
  );
});

test.each([
  [{}, 0, true],
  [{ availableAt: 100 }, 99, false],
  [{ availableAt: 100 }, 100, true],
  [{ expiresAt: 200 }, 199, true],
  [{ expiresAt: 200 }, 200, false],
  [{ availableAt: 100, expiresAt: 200 }, 150, true],
  [{ availableAt: 200, expiresAt: 200 }, 200, false],
])("%j at %i is live: %s", (metadata, now, live) => {
  expect(isLive(metadata, now)).toBe(live);
});
