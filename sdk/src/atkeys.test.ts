import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type AtKeys,
  formatAtKeys,
  keyFileExists,
  keyFileOf,
  newAtKeys,
  parseAtKeys,
  readKeyFile,
  writeKeyFile,
} from "./atkeys.ts";
import { encryptText, newIv, newSymmetricKey, passphraseKey } from "./crypto.ts";

let directory: string;
let keys: AtKeys;
let other: AtKeys;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atkeys-"));
  [keys, other] = await Promise.all([newAtKeys(), newAtKeys()]);
});

afterAll(() => rm(directory, { recursive: true }));

/** The members of a good file, some of them changed or (undefined) left out. */
function file(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({ ...JSON.parse(formatAtKeys("@alice", keys)), ...changes });
}

function protectedFile(passphrase: string, text = file()): string {
  const iv = newIv();
  const content = encryptText(text, passphraseKey(passphrase), iv);
  return JSON.stringify({ content, iv: iv.toString("base64"), hashingAlgoType: "argon2id" });
}

describe("the text of a key file", () => {
  test("gives the keys back", () => {
    expect(parseAtKeys("@alice", formatAtKeys("@alice", keys))).toEqual(keys);
  });

  test("carries an enrolment", () => {
    const enrolled = { ...keys, apkamSymmetricKey: newSymmetricKey(), enrollmentId: "5d1a" };
    expect(parseAtKeys("@alice", formatAtKeys("@alice", enrolled))).toEqual(enrolled);
  });

  test("has the members that other SDKs need, in a line that the smallest of them can read", () => {
    const text = file();
    expect(text.length).toBeLessThan(8192);
    expect(Object.keys(JSON.parse(text))).toEqual([
      "aesPkamPublicKey",
      "aesPkamPrivateKey",
      "aesEncryptPublicKey",
      "aesEncryptPrivateKey",
      "selfEncryptionKey",
      "@alice",
    ]);
    expect(JSON.parse(text)["@alice"]).toBe(keys.selfEncryptionKey);
  });

  test("may lack the atSign and have members of other software", () => {
    expect(parseAtKeys("@alice", file({ "@alice": undefined, made: "elsewhere", at: 7, version: "1" }))).toEqual(keys);
  });

  test("may be protected by a passphrase", () => {
    expect(parseAtKeys("@alice", protectedFile("Größe 4€"), "Größe 4€")).toEqual(keys);
  });

  test.each<[string, () => string, string | undefined, string]>([
    ["no JSON", () => "keys", undefined, "is damaged: not JSON"],
    ["an empty file", () => "", undefined, "is damaged: not JSON"],
    ["a list", () => "[]", undefined, "is damaged: not a JSON object"],
    [
      "the keys of somebody else",
      () => file({ "@alice": undefined, "@bob": "x" }),
      undefined,
      "holds the keys of @bob",
    ],
    ["a later version", () => file({ version: "2" }), undefined, "has the unknown version 2"],
    ["no self key", () => file({ selfEncryptionKey: undefined }), undefined, "selfEncryptionKey is missing"],
    ["a short self key", () => file({ selfEncryptionKey: "AAAA" }), undefined, "selfEncryptionKey is no AES-256 key"],
    ["another self key", () => file({ selfEncryptionKey: newSymmetricKey() }), undefined, "cannot be decrypted"],
    ["a number", () => file({ aesEncryptPublicKey: 7 }), undefined, "aesEncryptPublicKey is missing"],
    ["a secure element", () => file({ aesPkamPrivateKey: undefined }), undefined, "that is in a secure element"],
    [
      "halves of two pairs",
      () => file({ aesPkamPublicKey: JSON.parse(formatAtKeys("@alice", keys)).aesEncryptPublicKey }),
      undefined,
      "does not belong to",
    ],
    [
      "a text that is no key",
      () => file({ aesPkamPrivateKey: JSON.parse(formatAtKeys("@alice", keys)).aesPkamPublicKey }),
      undefined,
      "is no RSA private key",
    ],
    [
      "a locked file",
      () => protectedFile("correct-horse"),
      undefined,
      "is protected by a passphrase, and none was given",
    ],
    ["another passphrase", () => protectedFile("correct-horse"), "battery-staple", "is not opened by this passphrase"],
    ["a passphrase that is too short to be one", () => protectedFile("correct-horse"), "horse", "is not opened by"],
    [
      "a lock in a lock",
      () => protectedFile("correct-horse", protectedFile("correct-horse")),
      "correct-horse",
      "inside",
    ],
    ["another lock", () => JSON.stringify({ iv: "x", hashingAlgoType: "md5" }), "x", "unknown way"],
    [
      "a locked file without content",
      () => JSON.stringify({ iv: "AAAAAAAAAAAAAAAAAAAAAA==" }),
      "x",
      "content is missing",
    ],
    ["a locked file with a short IV", () => JSON.stringify({ iv: "AAAA", content: "" }), "x", "iv is not base64"],
  ])("refuses %s", (_what, text, passphrase, message) => {
    expect(() => parseAtKeys("@alice", text(), passphrase)).toThrow(message);
  });
});

describe("a key file", () => {
  test("is where the other SDKs look for it", () => {
    expect(keyFileOf("@alice", "/home/a")).toBe("/home/a/.atsign/keys/@alice_key.atKeys");
  });

  test("is written for its owner only, without anything left beside it", async () => {
    const path = join(directory, "new", "keys", "@alice_key.atKeys");
    await writeKeyFile("@alice", path, keys);
    expect(await readKeyFile("@alice", path)).toEqual(keys);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(path, ".."))).toEqual(["@alice_key.atKeys"]);
  });

  test("is never overwritten", async () => {
    const path = join(directory, "taken");
    await writeFile(path, "precious");
    await expect(writeKeyFile("@alice", path, keys)).rejects.toMatchObject({
      reason: "local",
      message: /exists already/,
    });
    expect(await readFile(path, "utf8")).toBe("precious");
    expect((await readdir(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("has one winner when several are written at once", async () => {
    const path = join(directory, "race");
    const results = await Promise.allSettled(
      [keys, other, keys, other].map((each) => writeKeyFile("@alice", path, each)),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const winner = results.findIndex(({ status }) => status === "fulfilled");
    expect(await readKeyFile("@alice", path)).toEqual(winner % 2 === 0 ? keys : other);
  });

  test("says what to do when it is not there", async () => {
    const path = join(directory, "nowhere");
    expect(await keyFileExists(path)).toBe(false);
    await expect(readKeyFile("@alice", path)).rejects.toMatchObject({
      reason: "authentication",
      message: `there is no key file ${path}`,
      advice: /Activate @alice first/,
    });
  });

  test("that is a directory, or under a file, is a fault of the machine", async () => {
    await expect(readKeyFile("@alice", directory)).rejects.toMatchObject({ reason: "local" });
    await writeFile(join(directory, "file"), "");
    await expect(keyFileExists(join(directory, "file", "x"))).rejects.toMatchObject({ reason: "local" });
    await expect(writeKeyFile("@alice", join(directory, "file", "x"), keys)).rejects.toMatchObject({ reason: "local" });
  });

  test("that is damaged names itself", async () => {
    const path = join(directory, "damaged");
    await writeFile(path, "{}");
    await expect(readKeyFile("@alice", path)).rejects.toMatchObject({
      reason: "authentication",
      message: `the key file ${path} is damaged: selfEncryptionKey is missing`,
    });
  });
});
