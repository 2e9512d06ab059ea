import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { cramDigest, signPkam } from "@atrium/protocol";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type LocalPlatform, startPlatform } from "../../kit/platform.ts";
import { CClient } from "./c-client.ts";
import { Records } from "./records.ts";
import { RustClient } from "./rust-client.ts";

let platform: LocalPlatform;
let ca: string;
const keys = new Map<string, string>();

beforeAll(async () => {
  platform = await startPlatform({ atSigns: ["@alice", "@bob"] });
  ca = readFileSync(platform.read().ca, "utf8");
  for (const name of ["alice", "bob"]) keys.set(name, await activate(name));
}, 60_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
});

function endpointOf(name: string) {
  const { atSigns } = platform.read();
  const { host = "", port = 0 } = atSigns.find(({ atSign }) => atSign === `@${name}`) ?? {};
  return { host, port, ca };
}

/** The classic activation, byte for byte as Python and older Java clients send it. @returns the PKAM private key */
async function activate(name: string): Promise<string> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  using records = await Records.open(endpointOf(name));
  await records.next();
  const ask = async (command: string) => {
    records.write(`${command}\n`);
    return (await records.next()).replace(/^data:/, "").split("\n")[0] ?? "";
  };
  const secret = platform.secrets[`@${name}`] ?? "";
  const replies = [
    await ask(`cram:${cramDigest(secret, await ask(`from:@${name}`))}`),
    await ask(`update:privatekey:at_pkam_publickey ${publicKey.toString("base64")}`),
    await ask(`pkam:${signPkam(privateKey.toString("base64"), await ask(`from:@${name}`))}`),
    await ask(`update:public:publickey@${name} ${publicKey.toString("base64")}`),
    await ask("delete:privatekey:at_secret"),
  ];
  expect(replies).toEqual(["success", "-1", "success", "2", "-1"]);
  return privateKey.toString("base64");
}

function openC(name: string): Promise<CClient> {
  const { directory } = platform.read();
  return CClient.open({ directory, ca, name, pkamPrivateKey: keys.get(name) ?? "" });
}

describe("a client like the C SDK", () => {
  test("logs in, stores, reads, lists and deletes", async () => {
    using alice = await openC("alice");
    expect(await alice.update("cself.ns", "aGFsbG8=")).toMatch(/^data:\d+$/);
    expect(await alice.ask("update:public:cpub.ns@alice open", 256)).toMatch(/^data:\d+$/);
    expect(await alice.ask("llookup:all:cself.ns@alice")).toMatch(
      /^data:\{"key":"cself.ns@alice","data":"aGFsbG8=","metaData":\{.*"ivNonce":"MTIzNDU2Nzg5MDEyMzQ1Ng=="/,
    );
    expect(await alice.ask("llookup:none.ns@alice", 2048)).toMatch(/^error:AT0015-key not found/);
    expect(JSON.parse((await alice.ask("scan:showHidden:true .*")).slice("data:".length))).toContain("cself.ns@alice");
    expect(await alice.isConnected()).toBe(true);
    expect(await alice.ask("delete:cself.ns@alice", 256)).toMatch(/^data:\d+$/);
    expect(alice.unread).toBe("");
  });

  test("shares, and the other one's atServer fetches it", async () => {
    using alice = await openC("alice");
    using bob = await openC("bob");
    expect(await alice.update("@bob:cshared.ns", "c2VjcmV0")).toMatch(/^data:\d+$/);
    expect(await bob.ask("lookup:all:cshared.ns@alice")).toMatch(
      /^data:\{"key":"@bob:cshared.ns@alice","data":"c2VjcmV0"/,
    );
    expect(await bob.ask("plookup:publickey@alice")).toMatch(/^data:MII/);
  });

  test("monitors: each record a whole line, also behind a heartbeat, no prompt in it", async () => {
    using alice = await openC("alice");
    using bob = await openC("bob");
    bob.monitor();
    const statistics = JSON.parse((await bob.nextOfMonitor()).slice("notification: ".length));
    expect(statistics).toMatchObject({ id: "-1", metadata: null });
    for (const round of [1, 2]) {
      const sent = await alice.notify("bob", `cnote${round}.ns`, "bm90ZQ==");
      expect(sent).toMatch(/^data:[\w-]{1,36}$/);
      const line = await bob.nextOfMonitor();
      expect(line).toMatch(/^notification: \{/);
      expect(JSON.parse(line.slice("notification: ".length))).toMatchObject({
        key: `@bob:cnote${round}.ns@alice`,
        value: "bm90ZQ==",
        isEncrypted: true,
        metadata: { ivNonce: "MTIzNDU2Nzg5MDEyMzQ1Ng==" },
      });
      expect(await bob.isConnected()).toBe(true);
    }
  });
});

describe("a client like the Rust SDK", () => {
  test("is not confused by the answers to its second newlines: there are none", async () => {
    using client = await RustClient.open(endpointOf("alice"), {
      name: "alice",
      pkamPrivateKey: keys.get("alice") ?? "",
    });
    expect(await client.ask("update:rself.ns@alice value")).toMatch(/^\d+$/);
    expect(await client.ask("llookup:rself.ns@alice")).toBe("value");
    expect(await client.ask("scan rself")).toBe('["rself.ns@alice"]');
    expect(await client.ask("delete:rself.ns@alice")).toMatch(/^\d+$/);
  });
});
