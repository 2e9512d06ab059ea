import fc from "fast-check";
import type { AtSign } from "./atsign.ts";
import { formatKey, type Key } from "./key.ts";
import type { MetadataChange, RecordMetadata } from "./metadata.ts";

/** Values for property tests: each is in the form that parsers give. */

const emoji = ["😀", "🦄", "☎", "⚡", "❤️", "©"];
const word = [..."abcdefghijklmnopqrstuvwxyz0123456789_"];

export const atSigns: fc.Arbitrary<AtSign> = fc
  .string({ unit: fc.constantFrom(...word, "-", ...emoji), minLength: 1, maxLength: 25 })
  .map((name): AtSign => `@${name}`);

const entities = fc.string({
  unit: fc.constantFrom(...word, "-", ".", "'", "*", '"', ...emoji),
  minLength: 1,
  maxLength: 30,
});

const owned = { name: entities, owner: atSigns };

/** Keys of every scope that has an owner. */
export const ownedKeys: fc.Arbitrary<Key> = fc.oneof(
  fc.record({ cached: fc.boolean(), scope: fc.constant("public" as const), ...owned }),
  fc.record({ cached: fc.boolean(), scope: fc.constant("shared" as const), sharedWith: atSigns, ...owned }),
  fc.record({
    cached: fc.constant(false),
    scope: fc.constantFrom("self" as const, "private" as const, "local" as const),
    ...owned,
  }),
);

const reservedKeys: fc.Arbitrary<Key> = fc
  .constantFrom("privatekey:at_pkam_publickey", "privatekey:at_secret", "configkey", "_latestnotificationid")
  .map((name) => ({ cached: false, scope: "reserved", name }));

export const keys: fc.Arbitrary<Key> = fc.oneof({ weight: 5, arbitrary: ownedKeys }, reservedKeys);

/** Stored forms that `update` can carry. */
export const writableKeys: fc.Arbitrary<string> = fc.oneof(
  ownedKeys.map(formatKey),
  fc.constant("privatekey:at_pkam_publickey"),
);

/** Text without white space, `:` and `@`. */
const opaque = fc
  .string({ unit: fc.constantFrom(...word, ..."ABC+/=.-é€", "😀"), minLength: 1, maxLength: 40 })
  .filter((text) => text !== "null");
const removable = fc.oneof({ weight: 4, arbitrary: opaque }, fc.constant(null));
const instants = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });

const spans = {
  ttl: fc.maxSafeNat(),
  ttb: fc.nat(),
  ttr: fc.integer({ min: -1 }),
  ccd: fc.boolean(),
  isBinary: fc.boolean(),
  isEncrypted: fc.boolean(),
  immutable: fc.boolean(),
};
const textNames = [
  "dataSignature",
  "sharedKeyEnc",
  "pubKeyCS",
  "encoding",
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
  "appMetadata",
] as const;
const hashes = fc.record({ hash: opaque, algo: opaque });

function texts<T>(arbitrary: fc.Arbitrary<T>) {
  return Object.fromEntries(textNames.map((name) => [name, arbitrary])) as Record<
    (typeof textNames)[number],
    typeof arbitrary
  >;
}

export const metadataChanges: fc.Arbitrary<MetadataChange> = fc.record(
  {
    ...spans,
    createdAt: instants,
    updatedAt: instants,
    expiresAt: instants,
    availableAt: instants,
    ...texts(removable),
    pubKeyHash: fc.oneof(hashes, fc.constant(null)),
  },
  { requiredKeys: [] },
);

export const recordMetadata: fc.Arbitrary<RecordMetadata> = fc.record(
  {
    createdBy: atSigns,
    updatedBy: atSigns,
    createdAt: instants,
    updatedAt: instants,
    availableAt: instants,
    expiresAt: instants,
    refreshAt: instants,
    status: fc.constant("active" as const),
    version: fc.nat(),
    ...spans,
    ...texts(opaque),
    pubKeyHash: hashes,
  },
  { requiredKeys: ["createdBy", "updatedBy", "createdAt", "updatedAt", "status", "version"] },
);

/** Values as `update` can carry them: one line, not ending in white space. */
export const values: fc.Arbitrary<string> = fc
  .string({
    unit: fc.oneof(fc.constantFrom(..." :@\t\r€😀"), fc.string({ minLength: 1, maxLength: 1 })),
    minLength: 1,
    maxLength: 60,
  })
  .map((text) => `${text}.`);

/** Things that a parser could trip over: commands in pieces, in any order. */
export const garbage: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ..."from:|cram:|pkam:|info|noop:|scan|update|update:meta:|update:json:{|llookup|lookup:|plookup:|delete|stats|config".split(
            "|",
          ),
        ),
        fc.constantFrom(
          ..."block:add:|public|private:|cached:|privatekey:at_secret|:clientConfig:{|meta|all|force|priority:low|3|-1".split(
            "|",
          ),
        ),
        fc.constantFrom(
          ":",
          "@",
          ".",
          " ",
          "  ",
          "\t",
          "\r",
          "\n",
          "\0",
          '"',
          "{",
          "}",
          "null",
          "__proto__",
          "\ud83d",
          "\ufeff",
        ),
        fc.constantFrom(
          ...[
            ":ttl:",
            ":ttr:",
            ":ccd:true",
            ":cAt:2024-10-24T01:35:02.123Z",
            ":hash:",
            ":pubKeyHash:x",
            ":isBinary:TRUE",
          ],
        ),
        atSigns,
        keys.map(formatKey),
        fc.string({ unit: "binary", maxLength: 10 }),
      ),
      { maxLength: 12 },
    )
    .map((pieces) => pieces.join("")),
);
