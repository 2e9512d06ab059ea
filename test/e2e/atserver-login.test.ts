import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signPkam } from "@atrium/protocol";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { AtServerHome, type AtServerProcess, atSign, secret } from "../soak/atserver-process.ts";

const owner = rsaKeys();
const stranger = rsaKeys();
let scratch = "";
let home: AtServerHome;
let server: AtServerProcess;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-login-"));
  home = new AtServerHome({ directory: scratch });
  server = home.start();
  using client = await server.login();
  await client.ask(`update:privatekey:at_pkam_publickey ${owner.publicKey}`);
  await client.loginByPkam(atSign, owner.privateKey);
  await client.ask("delete:privatekey:at_secret");
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

/** base64 of the DER forms that the protocol uses */
function rsaKeys(): { publicKey: string; privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  return { publicKey: publicKey.toString("base64"), privateKey: privateKey.toString("base64") };
}

const refused = /^error:AT0401-/;
const noSecret = /^error:AT0015-.*privatekey:at_secret does not exist in keystore$/;

test("a signature by another key is refused, and uses up the challenge", async () => {
  using client = await server.connect();
  const challenge = await client.challenge(atSign);
  expect(await client.ask(`pkam:${signPkam(stranger.privateKey, challenge)}`)).toMatch(refused);
  expect(await client.ask(`pkam:${signPkam(owner.privateKey, challenge)}`)).toMatch(refused);
  expect(await client.ask("update:a.test@alice 1")).toMatch(refused);
  await client.loginByPkam(atSign, owner.privateKey);
  expect(await client.ask("update:a.test@alice 1")).toMatch(/^data:\d+$/);
});

test("a login that somebody recorded is of no use to them, on that connection or on another", async () => {
  using client = await server.connect();
  using thief = await server.connect();
  const challenge = await client.challenge(atSign);
  const answer = `pkam:${signPkam(owner.privateKey, challenge)}`;
  await thief.challenge(atSign);
  expect(await thief.ask(answer)).toMatch(refused);
  expect(await client.ask(answer)).toBe("data:success");
  expect(await client.ask(answer)).toMatch(refused);
  expect(await thief.ask(answer)).toMatch(refused);
  expect(await thief.ask("llookup:privatekey:at_pkam_publickey")).toMatch(refused);
});

test("the secret is of no use after activation, for ever, even where a copy of it comes back", async () => {
  const file = join(home.identity, "activation");
  expect(existsSync(file)).toBe(false);
  await expect(server.login()).rejects.toThrow(/AT0015/);
  writeFileSync(file, secret);
  await expect(server.login()).rejects.toThrow(/AT0015/);

  await server.kill();
  server = home.start();
  using client = await server.connect();
  await client.challenge(atSign);
  expect(await client.ask(`cram:${"0".repeat(128)}`)).toMatch(noSecret);
  await expect(server.login()).rejects.toThrow(/AT0015/);
  expect(existsSync(file)).toBe(false);
  await client.loginByPkam(atSign, owner.privateKey);
});
