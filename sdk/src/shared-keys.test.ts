import { beforeEach, describe, expect, test } from "@jest/globals";
import { decryptWithKey, encryptForKey, type KeyPair, newKeyPair, newSymmetricKey } from "./crypto.ts";
import { ClientError } from "./errors.ts";
import { SharedKeys } from "./shared-keys.ts";

const [alice, bob, other] = await Promise.all([newKeyPair(), newKeyPair(), newKeyPair()]);

/** What the atServer of `@alice` holds or fetches, by how it is asked; and what it was sent. */
let records: Map<string, string>;
let sent: string[];

beforeEach(() => {
  records = new Map([["plookup:publickey@bob", bob.publicKey]]);
  sent = [];
});

async function send(_step: string, command: string): Promise<string> {
  sent.push(command);
  const written = /^update(?::ttr:\d+)?:(\S+) (\S+)$/.exec(command);
  if (written !== null) return records.set(`llookup:${written[1]}`, written[2] ?? "") && "1";
  const deleted = /^delete:(\S+)$/.exec(command);
  if (deleted !== null) return String(records.delete(`llookup:${deleted[1]}`) && 1);
  const value = records.get(command);
  if (value === undefined) throw new ClientError("not_found", "no", { code: "AT0015" });
  return value;
}

function keysOf(encryption: KeyPair = alice): SharedKeys {
  return new SharedKeys({ atSign: "@alice", encryption, send });
}

describe("the key to share with", () => {
  test("is made once, our copy first, and found from then on", async () => {
    const keys = keysOf();
    const [key, same] = await Promise.all([keys.toShareWith("@bob"), keys.toShareWith("@bob")]);
    expect(same).toBe(key);
    expect(sent.filter((command) => command.startsWith("update")).map((command) => command.split(" ")[0])).toEqual([
      "update:shared_key.bob@alice",
      "update:ttr:3888000:@bob:shared_key@alice",
    ]);
    expect(decryptWithKey(records.get("llookup:@bob:shared_key@alice") ?? "", bob.privateKey)).toBe(key);
    expect(await keysOf().toShareWith("@bob")).toBe(key);
    expect(await keysOf().sharedWith("@bob")).toBe(key);
  });

  test("gets its second copy when the first attempt ended between the two", async () => {
    const key = newSymmetricKey();
    records.set("llookup:shared_key.bob@alice", encryptForKey(key, alice.publicKey));
    expect(await keysOf().toShareWith("@bob")).toBe(key);
    expect(decryptWithKey(records.get("llookup:@bob:shared_key@alice") ?? "", bob.privateKey)).toBe(key);
  });

  test("is made anew for a damaged copy, never for one that other keys open", async () => {
    records.set("llookup:shared_key.bob@alice", "ZGFtYWdlZA==");
    expect(await keysOf().toShareWith("@bob")).toHaveLength(44);
    records.set("llookup:shared_key.bob@alice", encryptForKey(newSymmetricKey(), other.publicKey));
    const before = new Map(records);
    await expect(keysOf().toShareWith("@bob")).rejects.toMatchObject({ reason: "corrupt" });
    expect(records).toEqual(before);
  });

  test("stores nothing for somebody without a public key, and works once there is one", async () => {
    const keys = keysOf();
    records.clear();
    await expect(keys.toShareWith("@bob")).rejects.toMatchObject({ reason: "not_found", message: /no public key/ });
    expect(records.size).toBe(0);
    records.set("plookup:publickey@bob", "bm8ga2V5");
    await expect(keys.toShareWith("@bob")).rejects.toMatchObject({ reason: "corrupt", message: /no valid public key/ });
    records.clear();
    records.set("plookup:publickey@bob", bob.publicKey);
    expect(await keys.toShareWith("@bob")).toHaveLength(44);
  });

  test("is not made in order to read", async () => {
    await expect(keysOf().sharedWith("@bob")).rejects.toMatchObject({ reason: "not_found" });
    expect(records.size).toBe(1);
  });
});

describe("the key that another shares with us", () => {
  const key = newSymmetricKey();
  const forAlice = encryptForKey(key, alice.publicKey);

  test("is fetched once, and again when a copy is not to be believed", async () => {
    records.set("lookup:shared_key@bob", forAlice).set("lookup:bypassCache:true:shared_key@bob", forAlice);
    const keys = keysOf();
    expect([await keys.sharedBy("@bob", {}), await keys.sharedBy("@bob", {})]).toEqual([key, key]);
    expect(await keys.sharedBy("@bob", {}, true)).toBe(key);
    expect(sent).toEqual(["lookup:shared_key@bob", "lookup:bypassCache:true:shared_key@bob"]);
  });

  test("may come with the record", async () => {
    expect(await keysOf().sharedBy("@bob", { sharedKeyEnc: forAlice })).toBe(key);
    expect(sent).toEqual([]);
  });

  test("is not tried when it was encrypted for a key that we no longer have", async () => {
    const metadata = { sharedKeyEnc: forAlice, pubKeyCS: "00000000000000000000000000000000" };
    await expect(keysOf().sharedBy("@bob", metadata)).rejects.toMatchObject({
      reason: "corrupt",
      message: /another key/,
    });
  });

  test("must be one", async () => {
    records.set("lookup:shared_key@bob", encryptForKey("no key", alice.publicKey));
    await expect(keysOf().sharedBy("@bob", {})).rejects.toMatchObject({ reason: "corrupt" });
    await expect(keysOf(other).sharedBy("@bob", { sharedKeyEnc: forAlice })).rejects.toMatchObject({
      reason: "corrupt",
    });
  });
});
