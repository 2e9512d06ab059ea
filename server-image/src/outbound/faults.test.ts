import { type AtSign, ProtocolError } from "@atrium/protocol";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Pair } from "../../../test/kit/certificates.ts";
import { FaultProxy, type How } from "../../../test/kit/fault-proxy.ts";
import { serverMetadata } from "../records.ts";
import { TestNetwork } from "../testing/network.ts";

/** Short only where they are to pass. */
const deadlines = { dialMs: 1_000, stepMs: 10_000, answerMs: 10_000 };
const shortMs = 300;
/** What a connection, by which alice reads what bob shares with her, carries. */
const reading = [
  "@",
  "lookup:all:publickey@bob",
  'data:{"key":"public:publickey@bob"',
  "from:@alice",
  "data:proof:",
  "pol",
  "@alice@",
  "lookup:x.demo@bob",
  "data:shared",
];
/** What the one carries by which bob's atServer looks whether that is alice. */
const verifying = ["@", "lookup:_", "data:", "lookup:signing_publickey@alice", "data:"];

let network: TestNetwork;
let alice: Awaited<ReturnType<TestNetwork["join"]>>;
/** in front of bob's atServer, and of alice's */
let toBob: FaultProxy;
let toAlice: FaultProxy;

beforeAll(async () => {
  network = await TestNetwork.open();
  alice = await network.join("@alice", { deadlines });
  const bob = await network.join("@bob", { deadlines });
  toBob = await proxied("@bob", bob.address, alice.pair);
  toAlice = await proxied("@alice", alice.address, bob.pair);
  // Not by an update, of which alice would be told by connections like those under test.
  const metadata = serverMetadata("@bob", 0);
  await bob.store.write((tx) => {
    tx.put({ key: "public:publickey@bob", value: "K", metadata }, "*");
    tx.put({ key: "@alice:x.demo@bob", value: "shared", metadata }, "*");
  });
});
afterAll(async () => {
  await toBob[Symbol.asyncDispose]();
  await toAlice[Symbol.asyncDispose]();
  await network[Symbol.asyncDispose]();
});

async function proxied(atSign: AtSign, to: { host: string; port: number }, client: Pair) {
  const servername = network.hostOf(atSign);
  const proxy = await FaultProxy.listen({ serving: network.pairOf(atSign), client, to, servername });
  network.list(atSign, proxy.port);
  return proxy;
}

/** @returns the value, or the code of the error */
async function read(): Promise<string> {
  try {
    return await alice.peers.askAs("@bob", "lookup:x.demo@bob");
  } catch (error) {
    return error instanceof ProtocolError ? error.code : String(error);
  }
}

/** @returns what reading gave while the fault was there, and when it had gone */
async function readWith(proxy: FaultProxy, at: number | "connect", how: How): Promise<[string, string]> {
  // Everything from the first byte on, on both ways.
  toBob.fault = undefined;
  toAlice.fault = undefined;
  proxy.fault = { at, how };
  const { stepMs, answerMs } = deadlines;
  if (how === "stall") Object.assign(deadlines, { stepMs: shortMs, answerMs: shortMs });
  const during = await read();
  Object.assign(deadlines, { stepMs, answerMs });
  expect(proxy.befallen).toBeGreaterThan(0);
  proxy.fault = undefined;
  return [during, await read()];
}

const faults = [
  { name: "ended", hows: ["end", "reset", "half"] },
  { name: "stalled", hows: ["stall"] },
  { name: "falsified", hows: [{ instead: "x\n" }] },
] as const;

/** By step: what alice's client is told when the connection ends there, stalls there, and when garbage comes instead. */
const outcomes = [
  // The greeting: garbage is an answer to nothing.
  ["AT0004", "AT0023", "AT0004"],
  // The question for bob's key: an error does not matter, what is no reply does.
  ["AT0004", "AT0023", "shared"],
  ["AT0004", "AT0023", "AT0004"],
  // from and pol
  ["AT0008", "AT0008", "AT0008"],
  ["AT0008", "AT0008", "AT0008"],
  ["AT0008", "AT0008", "AT0008"],
  ["AT0008", "AT0008", "AT0008"],
  // lookup: bob's atServer finds the garbage wrong, alice's cannot read it
  ["AT0004", "AT0023", "AT0003"],
  ["AT0004", "AT0023", "AT0004"],
] as const;

const outcomesOfVerifying = [
  ["AT0008", "AT0008", "AT0008"],
  ["AT0008", "AT0008", "AT0008"],
  ["AT0008", "AT0008", "AT0008"],
  // A connection that served once is replaced when it fails.
  ["shared", "AT0008", "AT0008"],
  ["shared", "AT0008", "shared"],
] as const;

test("the steps are the ones that faults befall here", async () => {
  toBob.fault = undefined;
  toAlice.fault = undefined;
  expect(await read()).toBe("shared");
  const beginnings = (messages: readonly string[], known: string[]) =>
    messages.map((each, i) => each.slice(0, known[i]?.length));
  expect(beginnings(toBob.messages, reading)).toEqual(reading);
  expect(beginnings(toAlice.messages, verifying)).toEqual(verifying);
});

describe.each(reading.map((message, at) => ({ at, message })))("on the way to bob, at $message", ({ at }) => {
  test.each(faults.map((each, i) => ({ ...each, expected: outcomes[at]?.[i] })))(
    "what is $name ends in $expected, and recovers",
    async ({ hows, expected }) => {
      for (const how of hows) expect([how, ...(await readWith(toBob, at, how))]).toEqual([how, expected, "shared"]);
    },
  );

  test("what comes byte by byte is read all the same", async () => {
    expect(await readWith(toBob, at, "bytewise")).toEqual(["shared", "shared"]);
  });
});

describe.each(verifying.map((message, at) => ({ at, message })))("while bob verifies, at $message", ({ at }) => {
  test.each(faults.map((each, i) => ({ ...each, expected: outcomesOfVerifying[at]?.[i] })))(
    "what is $name ends in $expected, and recovers",
    async ({ hows, expected }) => {
      for (const how of hows) expect([how, ...(await readWith(toAlice, at, how))]).toEqual([how, expected, "shared"]);
    },
  );

  test("what comes byte by byte is read all the same", async () => {
    expect(await readWith(toAlice, at, "bytewise")).toEqual(["shared", "shared"]);
  });
});

describe("a connection that does not come about", () => {
  test.each([
    ["end", "AT0021"],
    ["reset", "AT0021"],
    ["stall", "AT0023"],
  ] as const)("(%s) ends in %s towards bob, and in AT0008 back to alice, and recovers", async (how, expected) => {
    expect(await readWith(toBob, "connect", how)).toEqual([expected, "shared"]);
    expect(await readWith(toAlice, "connect", how)).toEqual(["AT0008", "shared"]);
  });
});
