import { generateKeyPairSync, sign } from "node:crypto";
import type { TestClient, testServer } from "./atserver.ts";

type Server = ReturnType<typeof testServer>;

/** An app with a key of its own on secp256r1, which is made faster than one for RSA. */
export class Device {
  /** hex of the uncompressed point */
  readonly publicKey: string;
  readonly #privateKey;

  constructor() {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const { x = "", y = "" } = privateKey.export({ format: "jwk" });
    this.publicKey = `04${Buffer.from(x, "base64url").toString("hex")}${Buffer.from(y, "base64url").toString("hex")}`;
    this.#privateKey = privateKey;
  }

  /** @returns the command that answers a challenge */
  pkam(challenge: string, id?: string): string {
    const signature = sign("sha256", Buffer.from(challenge), { key: this.#privateKey, dsaEncoding: "ieee-p1363" });
    const proof = Buffer.from(signature.toString("hex")).toString("base64");
    return `pkam:signingAlgo:ecc_secp256r1:${id === undefined ? "" : `enrollmentId:${id}:`}${proof}`;
  }

  /** @returns what the server answers to a login */
  async login(client: TestClient, id?: string): Promise<string | undefined> {
    return await client.ask(this.pkam(await challenge(client), id));
  }

  /** @returns a connection that has logged in */
  async connect(server: Server, id: string): Promise<TestClient> {
    const client = await server.anonymous();
    const answer = await this.login(client, id);
    if (answer !== "data:success\n@alice@") throw new Error(`not logged in: ${answer}`);
    return client;
  }
}

export async function challenge(client: TestClient): Promise<string> {
  return /^data:(\S+)\n/.exec((await client.ask("from:@alice")) ?? "")?.[1] ?? "";
}

/** @returns the JSON of a reply */
export async function json<T = Record<string, string>>(client: TestClient, command: string): Promise<T> {
  const reply = (await client.ask(command)) ?? "";
  if (!reply.startsWith("data:")) throw new Error(`${command.slice(0, 40)}: ${reply}`);
  return JSON.parse(reply.slice("data:".length, reply.indexOf("\n")));
}
