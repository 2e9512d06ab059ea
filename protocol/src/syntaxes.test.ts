import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { atSigns, garbage, metadataChanges, ownedKeys, values, writableKeys } from "./arbitraries.ts";
import type { SigningAlgo } from "./auth.ts";
import { ProtocolError } from "./errors.ts";
import { formatKey } from "./key.ts";
import type { Syntax } from "./syntax.ts";
import { syntaxes, verbOf } from "./syntaxes.ts";
import { batch } from "./verbs/batch.ts";
import { config } from "./verbs/config.ts";
import { cram } from "./verbs/cram.ts";
import { deleteRecord } from "./verbs/delete.ts";
import { type EnrollmentState, enroll } from "./verbs/enroll.ts";
import { from } from "./verbs/from.ts";
import { info } from "./verbs/info.ts";
import { keys } from "./verbs/keys.ts";
import { llookup } from "./verbs/llookup.ts";
import { lookup } from "./verbs/lookup.ts";
import { monitor } from "./verbs/monitor.ts";
import { noop } from "./verbs/noop.ts";
import { notify } from "./verbs/notify.ts";
import { notifyAll } from "./verbs/notify-all.ts";
import { notifyFetch, notifyRemove, notifyStatus } from "./verbs/notify-id.ts";
import { notifyList } from "./verbs/notify-list.ts";
import { otp } from "./verbs/otp.ts";
import { pkam } from "./verbs/pkam.ts";
import { plookup } from "./verbs/plookup.ts";
import { pol } from "./verbs/pol.ts";
import { scan } from "./verbs/scan.ts";
import { stats } from "./verbs/stats.ts";
import { sync } from "./verbs/sync.ts";
import { to } from "./verbs/to.ts";
import { update } from "./verbs/update.ts";
import { updateMeta } from "./verbs/update-meta.ts";

const bySyntax: readonly Syntax<unknown>[] = syntaxes as never;

test.each([
  ["from:@alice", "from"],
  ["update:x@alice v", "update"],
  ["update:meta:x@alice:ttl:1", "update:meta"],
  ["update:META:x@alice:ttl:1", "update:meta"],
  ["update:meta@alice v", "update"],
  ["update:json:{}", "update"],
  ["llookup:all:x@alice", "llookup"],
  ["INFO", "info"],
  [" noop:0\r", "noop"],
  ["No Op:0", "noop"],
  ["scan", "scan"],
  ["scan .*", "scan"],
  ["SCAN @bob:.*", "scan"],
  ["scan:showHidden:true .*", "scan"],
  ["scanner", undefined],
  ["stats3", undefined],
  ["notify:update:@bob:x@alice", "notify"],
  ["notify:all:@bob:x@alice", "notify:all"],
  ["notify:list", "notify:list"],
  ["Notify:List:.*", "notify:list"],
  ["notify:status:1", "notify:status"],
  ["monitor .*", "monitor"],
  ["monitor:0 .*", "monitor"],
  ["constructor:x", undefined],
  ["", undefined],
  [":", undefined],
  ["@", undefined],
])("%j is a command of %s", (line, verb) => {
  expect(verbOf(line)).toBe(verb);
});

test("every syntax has a verb of its own, and is found by it", () => {
  expect(new Set(bySyntax.map(({ verb }) => verb)).size).toBe(bySyntax.length);
  for (const { verb } of bySyntax) expect(verbOf(`${verb}:`)).toBe(verb);
});

const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019_"), minLength: 1, maxLength: 20 });
const opaque = fc.string({ unit: fc.constantFrom(..."abcXYZ019+/=-"), minLength: 1, maxLength: 60 });
const regex = fc.string({ unit: fc.constantFrom(..."abcXYZ.*[](){}|\\^$@:_?+,"), minLength: 1, maxLength: 30 });
const parts = fc.constantFrom("value" as const, "meta" as const, "all" as const);
const flags = fc.constant(true as const);
const lookups = fc.record(
  { bypassCache: flags, part: parts, name: ownedKeys.map(({ name }) => name), owner: atSigns },
  { requiredKeys: ["part", "name", "owner"] },
);
const readableKeys = ownedKeys.map(formatKey).filter((key) => !/^(?:cached:)?(?:private|local):/.test(key));
const ids = fc.integer({ min: 1, max: 99 });
const notificationIds = fc.uuid();
const notifyItems = {
  operation: fc.constantFrom("update" as const, "delete" as const),
  messageType: fc.constantFrom("key" as const, "text" as const),
  priority: fc.constantFrom("low" as const, "medium" as const, "high" as const),
  strategy: fc.constant("all" as const),
  latestN: fc.nat({ max: 999 }),
  notifier: opaque,
  ttln: fc.nat(),
  metadata: metadataChanges,
  name: word,
  owner: atSigns,
};
const requiredItems = ["operation", "messageType", "metadata", "name", "owner"] as const;
const days = fc.nat({ max: 20_000 }).map((day) => day * 86_400_000);

const namespaces = fc.dictionary(fc.constantFrom("*", "__manage", "wavi", "buzz.wavi"), fc.constantFrom("r", "rw"));
const enrollMembers = {
  enrollmentId: fc.uuid(),
  appName: word,
  deviceName: word,
  namespaces,
  otp: word,
  apkamPublicKey: opaque,
  signingAlgo: fc.constantFrom<SigningAlgo>("rsa2048", "ecc_secp256r1"),
  encryptedAPKAMSymmetricKey: opaque,
  encryptedDefaultEncryptionPrivateKey: opaque,
  encPrivateKeyIV: opaque,
  encryptedDefaultSelfEncryptionKey: opaque,
  selfEncKeyIV: opaque,
  apkamKeysExpiryInMillis: fc.nat(),
  enrollmentStatusFilter: fc.subarray<EnrollmentState>(["pending", "approved", "denied", "revoked", "expired"]),
};
const passcodes = fc.string({ unit: fc.constantFrom(..."abcXYZ019_"), minLength: 6, maxLength: 20 });
const keysMembers = {
  visibility: fc.constantFrom("public", "private", "self"),
  namespace: word,
  appName: word,
  deviceName: word,
  keyType: word,
  encryptionKeyName: word,
  keyName: word,
};

/** For each syntax, parameters that it can express. */
function cases<P>(syntax: Syntax<P>, params: fc.Arbitrary<P>): [string, Syntax<unknown>, fc.Arbitrary<unknown>] {
  return [syntax.verb, syntax as Syntax<unknown>, params];
}
const expressible = [
  cases(
    from,
    fc.record(
      {
        atSign: atSigns,
        clientConfig: fc.record({ version: fc.string(), appName: fc.string() }, { requiredKeys: [] }),
      },
      { requiredKeys: ["atSign"] },
    ),
  ),
  cases(cram, fc.record({ digest: opaque })),
  cases(
    pkam,
    fc.record(
      {
        signingAlgo: fc.constantFrom("rsa2048", "ecc_secp256r1"),
        hashingAlgo: fc.constantFrom("sha256", "sha512"),
        enrollmentId: opaque,
        signature: opaque,
      },
      { requiredKeys: ["signature"] },
    ),
  ),
  cases(info, fc.oneof(fc.constant({}), fc.record({ form: fc.constantFrom("brief", "mtls", "mtlsbrief") }))),
  cases(to, fc.record({ atSign: atSigns })),
  cases(pol, fc.constant({})),
  cases(
    sync,
    fc.record(
      {
        after: fc.integer({ min: -1, max: 1e12 }),
        limit: fc.nat(1e6),
        skipDeletesUntil: fc.integer({ min: -1, max: 1e12 }),
        regex: fc.constantFrom(".*", "phone", "a:b", "\\.wavi@"),
      },
      { requiredKeys: ["after"] },
    ),
  ),
  cases(
    batch,
    fc.record({ entries: fc.array(fc.record({ id: fc.integer(), command: fc.constantFrom("scan", "update:a@b c") })) }),
  ),
  cases(noop, fc.record({ durationMs: fc.integer({ min: 0, max: 5000 }) })),
  cases(
    scan,
    fc.record(
      { showHidden: flags, atSign: atSigns, regex: regex.filter((text) => !text.startsWith(":")) },
      { requiredKeys: [] },
    ),
  ),
  cases(
    update,
    fc.record(
      { key: writableKeys, value: values, metadata: metadataChanges, uncommitted: fc.constant(true) },
      { requiredKeys: ["key", "value", "metadata"] },
    ),
  ),
  cases(updateMeta, fc.record({ key: ownedKeys.map(formatKey), metadata: metadataChanges })),
  cases(llookup, fc.record({ part: parts, key: readableKeys })),
  cases(lookup, lookups),
  cases(plookup, lookups),
  cases(
    deleteRecord,
    fc.record(
      {
        key: fc.oneof(readableKeys, fc.constantFrom("privatekey:at_secret", "privatekey:at_pkam_publickey")),
        force: flags,
        priority: fc.constantFrom("low", "medium", "high"),
      },
      { requiredKeys: ["key"] },
    ),
  ),
  cases(
    notify,
    fc.record(
      { id: notificationIds, ...notifyItems, to: atSigns, value: values },
      { requiredKeys: [...requiredItems] },
    ),
  ),
  cases(
    notifyAll,
    fc.record(
      { ...notifyItems, to: fc.uniqueArray(atSigns, { minLength: 1, maxLength: 5 }), value: values },
      { requiredKeys: [...requiredItems, "to"] },
    ),
  ),
  cases(notifyStatus, fc.record({ id: notificationIds })),
  cases(notifyFetch, fc.record({ id: notificationIds })),
  cases(notifyRemove, fc.record({ id: notificationIds })),
  cases(
    notifyList,
    fc.oneof(
      fc.record({ from: days, regex }, { requiredKeys: [] }).filter((params) => !/^\d/.test(params.regex ?? "")),
      fc.record({ from: days }).map(({ from }) => ({ from, until: from + 5 * 86_400_000 })),
    ),
  ),
  cases(
    monitor,
    fc.record(
      {
        strict: flags,
        selfNotifications: flags,
        multiplexed: flags,
        after: fc.nat(),
        regex: regex.filter((text) => !text.startsWith(":")),
      },
      { requiredKeys: [] },
    ),
  ),
  cases(
    stats,
    fc.oneof(
      fc.record({ ids: fc.array(ids, { minLength: 1, maxLength: 20 }) }, { requiredKeys: [] }),
      fc.record({ ids: fc.constantFrom([3], [15]), regex }),
    ),
  ),
  cases(
    config,
    fc.oneof(
      fc.record({
        operation: fc.constantFrom("add", "remove"),
        atSigns: fc.array(atSigns, { minLength: 1, maxLength: 5 }),
      }),
      fc.record({ operation: fc.constant("show") }),
      fc.record({ operation: fc.constant("set"), name: word, value: opaque }),
      fc.record({ operation: fc.constantFrom("reset", "print"), name: word }),
    ),
  ),
  cases(
    enroll,
    fc.oneof(
      fc.record(
        { operation: fc.constantFrom("request", "approve", "deny", "list", "fetch", "delete"), ...enrollMembers },
        { requiredKeys: ["operation"] },
      ),
      fc.record(
        { operation: fc.constantFrom("revoke"), force: flags, enrollmentId: fc.uuid() },
        { requiredKeys: ["operation"] },
      ),
    ),
  ),
  cases(
    otp,
    fc.oneof(
      fc.record({ operation: fc.constantFrom("get"), ttl: fc.nat() }, { requiredKeys: ["operation"] }),
      fc.record(
        { operation: fc.constant("put"), passcode: passcodes, ttl: fc.nat() },
        { requiredKeys: ["operation", "passcode"] },
      ),
    ),
  ),
  cases(
    keys,
    fc.oneof(
      fc.record(
        { operation: fc.constantFrom("get", "delete", "put"), ...keysMembers },
        { requiredKeys: ["operation"] },
      ),
      fc.record(
        { operation: fc.constant("put"), ...keysMembers, value: values },
        { requiredKeys: ["operation", "keyName", "value"] },
      ),
    ),
  ),
];

test("no syntax lacks a property test", () => {
  expect(expressible.map(([verb]) => verb).sort()).toEqual(bySyntax.map(({ verb }) => verb).sort());
});

describe.each(expressible)("%s", (verb, syntax, params) => {
  test("parse(format(params)) = params, and its verb is found", () => {
    fc.assert(
      fc.property(params, (expected) => {
        const line = syntax.format(expected);
        expect(line).not.toContain("\n");
        expect(verbOf(line)).toBe(verb);
        expect(syntax.parse(line)).toEqual(expected);
        expect(syntax.parse(` ${line}\r`)).toEqual(expected);
      }),
    );
  });

  test("throws nothing but the protocol's error, and what it reads, it can write", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          garbage,
          garbage.map((rest) => `${verb}${rest}`),
          garbage.map((rest) => `${verb}:${rest}`),
        ),
        (line) => {
          try {
            const read = syntax.parse(line);
            expect(syntax.parse(syntax.format(read))).toEqual(read);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("does not let a second line through", () => {
    fc.assert(
      fc.property(params, (expected) => {
        expect(() => syntax.parse(`${syntax.format(expected)}\ndelete:x@alice`)).toThrow(ProtocolError);
      }),
      { numRuns: 20 },
    );
  });
});

describe("takes linear time for", () => {
  const bodies: readonly (readonly [string, (length: number) => string])[] = [
    ["letters", (length) => "a".repeat(length)],
    ["digits", (length) => "1".repeat(length)],
    ["emoji", (length) => "😀".repeat(length / 2)],
    ["colons", (length) => ":".repeat(length)],
    ["atSigns", (length) => "@".repeat(length)],
    ["blanks", (length) => `${" ".repeat(length)}.`],
    ["dots", (length) => ".".repeat(length)],
    ["words", (length) => "a ".repeat(length / 2)],
    ["segments", (length) => "a:".repeat(length / 2)],
    ["names", (length) => "a@:".repeat(length / 3)],
    ["block lists", (length) => "@a ".repeat(length / 3)],
    ["metadata", (length) => ":ttl:1".repeat(length / 6)],
    ["a long item", (length) => `:ivNonce:${"a".repeat(length)}`],
    ["ids", (length) => "1,".repeat(length / 2)],
    ["braces", (length) => `{"a":`.repeat(length / 5)],
    ["brackets", (length) => "[".repeat(length)],
  ];
  const beginnings = [
    ...bySyntax.map(({ verb }) => verb),
    ...bySyntax.map(({ verb }) => `${verb}:`),
    "",
    "scan ",
    "update:x@alice ",
    "update:@bob:x@alice",
    "update:json:{",
    "update:meta:x@alice",
    "llookup:all:cached:@",
    "from:@alice:clientConfig:{",
    "stats:3:",
    "config:block:add:@a ",
    "notify:messageType:text:@bob:",
    "notify:all:@bob",
    "monitor ",
  ];

  /** Milliseconds for all of these beginnings, at best of some tries. */
  function cost(body: string): number {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round += 1) {
      const started = performance.now();
      for (const beginning of beginnings) parseAny(`${beginning}${body}`);
      best = Math.min(best, performance.now() - started);
    }
    return best;
  }

  function parseAny(line: string): void {
    const verb = verbOf(line);
    for (const tail of ["", " v", "@alice"]) {
      try {
        bySyntax.find((syntax) => syntax.verb === verb)?.parse(line + tail);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }
  }

  test.each(bodies)("%s", (_name, body) => {
    const short = cost(body(30_000));
    // Four times is the promise, sixteen times what quadratic work would cost; the sum absorbs a busy machine.
    expect(cost(body(120_000))).toBeLessThan(10 * short + 200);
  });
});
