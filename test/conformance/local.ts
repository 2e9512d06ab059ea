import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startPlatform } from "../kit/platform.ts";
import { digest, rsaPair, signed } from "./proofs.ts";
import { type Account, asked, type Given } from "./target.ts";
import { type Endpoint, Wire } from "./wire.ts";

export interface LocalTarget extends Given, AsyncDisposable {}

const timeoutMs = 10_000;

/** A platform of our own with @alice and @bob, activated, and @carol, @dave and @erin, that are not. */
export async function startLocalTarget(): Promise<LocalTarget> {
  const platform = await startPlatform({ atSigns: ["@alice", "@bob", "@carol", "@dave", "@erin"] });
  try {
    const { atSigns, gateway, directory, ca } = platform.read();
    const accounts = atSigns.map(({ atSign, host, activationSecret: secret }): Account => {
      const endpoint = { host: gateway.host, port: gateway.port, servername: host, ca: readFileSync(ca, "utf8") };
      const identity = join(platform.data, "tenants", atSign.slice(1), "identity");
      const read = (name: string) => readFileSync(join(identity, name), "utf8");
      return { atSign, endpoint, secret, certificate: { cert: read("certificate.pem"), key: read("key.pem") } };
    });
    const [alice, bob, ...others] = accounts;
    if (alice === undefined || bob === undefined) throw new Error("the platform has not got the Atsigns");
    const [carol, dave, erin] = others;
    return {
      directory: {
        host: "127.0.0.1",
        port: directory.port,
        servername: directory.host,
        ca: readFileSync(ca, "utf8"),
      },
      accounts: {
        alice: await activated(alice),
        bob: await activated(bob),
        ...(carol !== undefined && { carol }),
        ...(dave !== undefined && { dave }),
        ...(erin !== undefined && { erin }),
      },
      [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
    };
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    throw error;
  }
}

/** The classic activation: the secret proves who it is, and is replaced by a key. */
export async function activated(account: Account): Promise<Account> {
  const { atSign, secret = "" } = account;
  const { publicKey, privateKey } = rsaPair();
  using wire = await Wire.open(account.endpoint, timeoutMs);
  const prompt = `${atSign}@`;
  const first = await asked(wire, `from:${atSign}`, "data:<x:challenge>\n@");
  await asked(wire, `cram:${digest(secret, first)}`, `data:success\n${prompt}`);
  await asked(wire, `update:privatekey:at_pkam_publickey ${publicKey}`, `data:<x:int>\n${prompt}`);
  const second = await asked(wire, `from:${atSign}`, `data:<x:challenge>\n${prompt}`);
  await asked(wire, `pkam:${signed(privateKey, second)}`, `data:success\n${prompt}`);
  await asked(wire, `update:public:publickey${atSign} ${rsaPair().publicKey}`, `data:<x:int>\n${prompt}`);
  await asked(wire, "delete:privatekey:at_secret", `data:<x:int>\n${prompt}`);
  return { ...account, pkamKey: privateKey, secret: undefined };
}

/** Asks a directory where an Atsign's atServer is. */
export async function addressOf(directory: Endpoint, atSign: string): Promise<{ host: string; port: number }> {
  using wire = await Wire.open(directory, timeoutMs);
  const answer = await asked(wire, atSign.slice(1), "<x:some>\r\n@");
  const [host = "", port = ""] = answer.split(":");
  if (!/^\d+$/.test(port)) throw new Error(`the directory does not know ${atSign}`);
  return { host, port: Number(port) };
}
