import fc from "fast-check";
import { type Client, type Command, clients, type Items, type Key } from "./command.ts";

/** A `%` in a name becomes the tag of the run. */
const names = ["a%", "b%.ns", "c%.wavi", "d%.other", "_h%.ns", "__i%.ns", "e.f%.ns"];
const regexes = ["%", "b%", "^public:", "ns@alice$", "[ac]%", "x%"];
/** Of notifications that are sent by the owner and the app, and by @bob: each has ids of its own. */
const ids = { own: ["n%-1", "n%-2", "n%-3"], peer: ["p%-1", "p%-2", "p%-3"] };

const name = fc.constantFrom(...names);
const regex = fc.constantFrom(...regexes);
const id = fc.constantFrom(...ids.own, ...ids.peer);
const part = fc.constantFrom("" as const, "meta:" as const, "all:" as const);
const owner = fc.oneof({ weight: 20, arbitrary: fc.constant("@alice") }, fc.constant("@bob"));
const value = fc.oneof(
  fc.constantFrom("v", "null", "data:x", "atsign:/x@alice", "ünï \u{1f600} blank"),
  fc.stringMatching(/^[ -~]{0,20}[!-~]$/),
);

const ownKey: fc.Arbitrary<Key> = fc.record({
  scope: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom("", "public:", "@alice:", "@bob:") },
    fc.constantFrom("private:", "local:", "cached:public:"),
  ),
  name,
  owner,
});
const readKey: fc.Arbitrary<Key> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      scope: fc.constantFrom("", "public:", "@alice:", "@bob:"),
      name,
      owner: fc.constant("@alice"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ scope: fc.constant("cached:@alice:"), name, owner: fc.constant("@bob") }) },
);
const protectedKey: fc.Arbitrary<Key> = fc.constant({ scope: "public:", name: "publickey", owner: "@alice" });

function items(spans: readonly string[]): fc.Arbitrary<Items> {
  const flag = fc.constantFrom("true", "false", "TRUE", "False");
  const text = fc.constantFrom("YWJj+/==", "text", "null");
  const all: readonly (readonly [string, fc.Arbitrary<string>])[] = [
    ["ttl", fc.constantFrom(...spans, "0", "-1")],
    ["ttb", fc.constantFrom(...spans, "0", "-1")],
    ["ttr", fc.constantFrom("3600", "-1", "0", "-2")],
    ["ccd", flag],
    ["isBinary", flag],
    ["isEncrypted", flag],
    ["immutable", flag],
    ["dataSignature", text],
    ["sharedKeyEnc", text],
    ["pubKeyCS", text],
    ["encoding", text],
    ["ivNonce", text],
    ["skeEncAlgo", text],
  ];
  return fc
    .shuffledSubarray([...all], { maxLength: 4 })
    .chain((chosen) => fc.tuple(...chosen.map(([name, values]) => values.map((each) => [name, each] as const))));
}

/** @param spans values of ttl and ttb, in milliseconds */
function recordCommands(spans: readonly string[]): fc.Arbitrary<Command> {
  return fc.oneof(
    often(6, fc.record({ verb: fc.constant("update"), uncommitted: rarely, key: ownKey, items: items(spans), value })),
    often(2, fc.record({ verb: fc.constant("update:meta"), key: ownKey, items: items(spans) })),
    often(
      2,
      fc.record({
        verb: fc.constant("delete"),
        uncommitted: rarely,
        key: fc.oneof({ weight: 12, arbitrary: readKey }, protectedKey),
        force: fc.boolean(),
      }),
    ),
    often(4, fc.record({ verb: fc.constant("llookup"), part, key: readKey })),
  );
}

const rarely = fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true));
const optional = { requiredKeys: [] };
const often = (weight: number, arbitrary: fc.Arbitrary<Command>) => ({ weight, arbitrary });

/** @param spans see {@link recordCommands} */
export function turns(
  spans: readonly string[],
  who: readonly Client[] = clients,
): fc.Arbitrary<{ client: Client; command: Command }> {
  const records = recordCommands(spans);
  const command = fc.oneof(
    often(14, records),
    often(4, fc.record({ verb: fc.constant("lookup"), part, name, owner: fc.constant("@alice") })),
    often(
      3,
      fc
        .tuple(fc.boolean(), fc.record({ regex }, optional))
        .map(([hidden, rest]) => ({ verb: "scan", hidden, ...rest })),
    ),
    often(
      2,
      fc.record({ regex }, optional).map((rest) => ({ verb: "stats:3", ...rest })),
    ),
    often(
      3,
      fc
        .tuple(
          fc.nat(12),
          fc.record({ limit: fc.integer({ min: 1, max: 6 }), skipDeletes: fc.nat(12), regex }, optional),
        )
        .map(([after, rest]) => ({ verb: "sync:from", after, ...rest })),
    ),
    often(
      1,
      fc.array(records, { minLength: 1, maxLength: 5 }).map((commands) => ({ verb: "batch", commands })),
    ),
    often(
      4,
      fc
        .tuple(id, fc.constantFrom("update", "delete"), items(spans), name, fc.record({ value }, optional))
        .map(([id, operation, items, name, rest]) => ({ verb: "notify", id, operation, items, name, ...rest })),
    ),
    often(1, fc.constant({ verb: "notify:list" })),
    often(2, fc.record({ verb: fc.constantFrom("notify:status", "notify:fetch", "notify:remove"), id })),
    often(
      1,
      fc.record({
        verb: fc.constantFrom("config:block:add", "config:block:remove"),
        atSign: fc.constantFrom("@mallory", "@trent"),
      }),
    ),
    often(1, fc.constantFrom<Command>({ verb: "config:block:show" }, { verb: "noop:0" })),
  );
  return fc.record({ client: fc.constantFrom(...who), command }).filter(isSaid);
}

/** Whether the model knows enough: not of what was before the run, and not what the documents leave open. */
function isSaid({ client, command }: { client: Client; command: Command }): boolean {
  if (command.verb === "notify") return (client === "peer" ? ids.peer : ids.own).includes(command.id);
  if (command.verb === "stats:3") return command.regex?.includes("%") ?? client !== "app";
  // Which apps may block others.
  return client !== "app" || !command.verb.startsWith("config");
}
