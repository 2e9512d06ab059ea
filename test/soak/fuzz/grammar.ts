import { syntaxes, verbOf } from "@atrium/protocol";
import fc from "fast-check";
import { type Holes, template } from "./template.ts";

/** Names repeat, so that commands meet what others left; those of atSigns, too. */
const names = ["a", "b.ns", "c.d.ns", "phone.wavi", "_hidden", "__seen.ns", "shared_key", "publickey", "x.__manage"];
const atSigns = ["@alice", "@bob", "@carol", "@unknown"];
const odd = [
  "\u{1f600}",
  "é",
  "\u200b",
  "\ufeff",
  "\0",
  "\r",
  "\t",
  " ",
  ":",
  "@",
  "::",
  "%",
  "__proto__",
  "constructor",
];
const numbers = [
  "0",
  "1",
  "-1",
  "-2",
  "25",
  "1000",
  "86400000",
  "9007199254740991",
  "9007199254740992",
  "99999999999999999999",
  "1e3",
  "0x10",
  "٣",
];

const oneOf = (texts: readonly string[]) => fc.constantFrom(...texts);
const name = fc.oneof(
  { weight: 12, arbitrary: oneOf(names) },
  { weight: 2, arbitrary: oneOf(odd) },
  { weight: 1, arbitrary: fc.integer({ min: 230, max: 300 }).map((length) => "n".repeat(length)) },
);
const atSign = fc.oneof(
  { weight: 12, arbitrary: oneOf(atSigns) },
  { weight: 1, arbitrary: oneOf(odd).map((text) => `@${text}`) },
);
const scope = fc.oneof(
  oneOf(["", "", "public:", "public:", "private:", "local:", "cached:", "cached:public:", "cached:@alice:"]),
  atSign.map((text) => `${text}:`),
);
const number = oneOf(numbers);
const flag = oneOf(["true", "false", "True", "null", ""]);
const word = fc.oneof(
  oneOf(["text", "null", "wavi", "YWJj+/==", "2024-10-24T01:35:02.123Z"]),
  fc.string({ maxLength: 12 }),
);
const value = fc.oneof(
  { weight: 8, arbitrary: word },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 60 }) },
  { weight: 1, arbitrary: oneOf(["atsign://a@alice", "atsign://phone.wavi@alice", "data:x", '{"a":1}']) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 70_000 }).map((length) => "v".repeat(length)) },
);
const regex = oneOf([
  ".*",
  "ns",
  "^public:",
  "(a+)+$",
  "[",
  "(",
  "\\d{1,3}",
  "a|b",
  "\\p{L}",
  "(?=x)",
  "",
  " x y",
  "@bob:.*",
]);
const id = oneOf(["1", "n-2", "0f8fad5b-d9cb-469f-a165-70867728950e", "-1", "i".repeat(249)]);

const item = template(
  "(:ttl:<number>|:ttb:<number>|:ttr:<number>|:ccd:<flag>|:isBinary:<flag>|:isEncrypted:<flag>|:immutable:<flag>" +
    "|:dataSignature:<word>|:sharedKeyStatus:<word>|:sharedKeyEnc:<word>|:pubKeyCS:<word>|:pubKeyHash:<word>:hashingAlgo:sha256" +
    "|:hash:<word>:algo:sha512|:encoding:base64|:encKeyName:<word>|:encAlgo:<word>|:ivNonce:<word>|:skeEncKeyName:<word>" +
    "|:skeEncAlgo:<word>|:appMetadata:<word>|:cAt:<word>|:eAt:2024-10-24T01:35:02.123Z)",
  { number, flag, word },
);
const json = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc
    .record(
      {
        atKey: name,
        value,
        sharedBy: atSign,
        sharedWith: atSign,
        appName: oneOf(["app", "other"]),
        deviceName: oneOf(["device", "phone"]),
        namespaces: fc.dictionary(oneOf(["ns", "wavi", "*", "__manage"]), oneOf(["r", "rw", "x"]), { maxKeys: 2 }),
        apkamPublicKey: word,
        enrollmentId: id,
        encryptedAPKAMSymmetricKey: word,
        encryptedDefaultEncryptionPrivateKey: word,
        encryptedDefaultSelfEncryptionKey: word,
        enrollmentStatusFilter: fc.array(oneOf(["approved", "pending", "x"]), { maxLength: 2 }),
        metadata: fc.dictionary(
          oneOf(["ttl", "ttr", "isBinary", "ivNonce", "__proto__"]),
          fc.oneof(word, fc.integer(), fc.boolean()),
          { maxKeys: 3 },
        ),
        version: oneOf(["3.0.37", "3.0.38", "3.8.0", "x"]),
      },
      { requiredKeys: [] },
    )
    .map((members) => JSON.stringify(members)),
);

const holes: Holes = {
  name,
  atSign,
  number,
  flag,
  word,
  value,
  regex,
  id,
  json,
  key: fc
    .tuple(scope, name, fc.oneof({ weight: 6, arbitrary: fc.constant("@alice") }, atSign, fc.constant("")))
    .map((parts) => parts.join("")),
  metadata: fc.array(item, { maxLength: 4 }).map((items) => items.join("")),
  // Longer ones would only take time.
  pause: oneOf(["0", "1", "3", "5001", "-1", "99999999999999999999", "x"]),
  date: oneOf(["2024-01-01", "2026-12-31", "2024-13-01", "2024-1-1", "0000-00-00"]),
};

/**
 * Every form of every verb, except what would lock the fuzzer out or only make it wait: the activation secret is not
 * deleted, and no passcode is guessed, since the atServer takes longer and longer to say that one is wrong.
 */
const forms = [
  "from:<atSign>[:clientConfig:<json>]",
  "cram:<word>",
  "pkam:[signingAlgo:(rsa2048|ecc_secp256r1):][hashingAlgo:(sha256|sha512):][enrollmentId:<id>:]<word>",
  "pol",
  "to:<atSign>",
  "update[:nc]<metadata>:<key> <value>",
  "update<metadata>:<key> <value>",
  "update:json:<json>",
  "update:meta:<key><metadata>",
  "llookup[:meta|:all]:<key>",
  "lookup:[bypassCache:<flag>:][meta:|all:]<name><atSign>",
  "plookup:[bypassCache:<flag>:][meta:|all:]<name><atSign>",
  "delete[:dAt:<word>][:nc][:force][:priority:(low|medium|high)]:<key>",
  "scan[:showhidden:<flag>][:<atSign>][:page:<number>][ <regex>]",
  "scan:cl",
  "sync:from:<number>[:limit:<number>][:skipDeletesUntil:<number>][:<regex>]",
  "notify[:id:<id>][:update|:delete][:messageType:(key|text)][:priority:(low|high)][:strategy:(all|latest)][:latestN:<number>]" +
    "[:notifier:<word>][:ttln:<number>]<metadata>:(public|<atSign>):<name>[<atSign>][:<value>]",
  "notify:all:[update:|delete:][messageType:(key|text):][ttl:<number>:]<atSign>,<atSign>:<name>[<atSign>][:<value>]",
  "notify:(status|fetch|remove):<id>",
  "notify:list[:<date>][:<date>][:<regex>]",
  "monitor[:strict][:selfNotifications][:multiplexed][:<number>][ <regex>]",
  "stats[:<number>[,<number>]][:<regex>]",
  "config:block:(add|remove):@mallory[ @unknown]",
  "config:block:show",
  "config:(set:<word>=<word>|reset:<word>|print:<word>)",
  "info[:brief|:mtls|:mtlsbrief]",
  "noop:<pause>",
  "batch:<json>",
  "batch:<batch>",
  "enroll:(request|approve|deny|revoke|unrevoke|list|fetch|delete|listns)[:force][:][<json>]",
  "otp:get[:ttl:<number>]",
  "otp:put:<word>[:ttl:<number>]",
  "keys:(put|get|delete)[:(public|private|self)][:namespace:<word>][:appName:<word>][:deviceName:<word>][:keyType:<word>][:keyName:<key>[ <value>]]",
  "stream:(init<atSign> <id> <word> <number>|receive <id>|done <id>)",
];

const simple = forms.filter((form) => !form.includes("<batch>")).map((form) => template(form, holes));
const batch = fc
  .array(fc.record({ id: fc.oneof(fc.integer(), word), command: fc.oneof(...simple) }), { maxLength: 5 })
  .map((commands) => JSON.stringify(commands));

/** Commands as the documents have them, in any of the ways to write them or in the one of the protocol package. */
export const commands: fc.Arbitrary<string> = fc
  .tuple(fc.oneof(...forms.map((form) => template(form, { ...holes, batch }))), fc.boolean())
  .map(([line, canonical]) => (canonical ? rewritten(line) : line));

/** As the protocol package would write it; as it is when that does not read it. */
function rewritten(line: string): string {
  const syntax = syntaxes.find(({ verb }) => verb === verbOf(line));
  if (syntax === undefined) return line;
  try {
    return syntax.format(syntax.parse(line) as never);
  } catch {
    return line; // wrong on purpose
  }
}
