import { generateKeyPairSync } from "node:crypto";
import { signPkam } from "@atrium/protocol";
import { type AtServerClient, dataOf } from "./atserver-client.ts";
import { type AtServerProcess, atSign } from "./atserver-process.ts";

interface Wish {
  readonly appName?: string;
  readonly deviceName?: string;
  readonly namespaces: Readonly<Record<string, "r" | "rw">>;
}

/** The keys of an app, made before it asks to be enrolled. */
export class AppKeys {
  /** hex of the point */
  readonly publicKey: string;
  readonly #privateKey: string;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    // The last 65 bytes of the SPKI form are the point, uncompressed.
    this.publicKey = publicKey.export({ format: "der", type: "spki" }).subarray(-65).toString("hex");
    this.#privateKey = privateKey.export({ format: "der", type: "pkcs8" }).toString("base64");
  }

  /** @returns the reply to `pkam` */
  async tryLogin(client: AtServerClient, enrollmentId: string): Promise<string> {
    const signingAlgo = "ecc_secp256r1";
    const signature = signPkam(this.#privateKey, await client.challenge(atSign), { signingAlgo });
    return await client.ask(`pkam:signingAlgo:${signingAlgo}:enrollmentId:${enrollmentId}:${signature}`);
  }
}

/** An enrolled app of the owner's. */
export class App {
  readonly enrollmentId: string;
  readonly #keys: AppKeys;

  /** Enrols a new app, by a passcode and the owner's approval. */
  static async enroll(server: AtServerProcess, wish: Wish): Promise<App> {
    using owner = await server.login();
    using guest = await server.connect();
    const keys = new AppKeys();
    const enrollmentId = await request(guest, { ...wish, otp: dataOf(await owner.ask("otp:get")), keys });
    await approve(owner, enrollmentId);
    return new App(enrollmentId, keys);
  }

  private constructor(enrollmentId: string, keys: AppKeys) {
    this.enrollmentId = enrollmentId;
    this.#keys = keys;
  }

  /** A connection of this app. */
  async connect(server: AtServerProcess): Promise<AtServerClient> {
    const client = await server.connect();
    dataOf(await this.#keys.tryLogin(client, this.enrollmentId));
    return client;
  }
}

/** @returns the id of the enrolment, which is pending */
export async function request(
  guest: AtServerClient,
  { appName = "app", deviceName = "device", namespaces, otp, keys }: Wish & { otp: string; keys: AppKeys },
): Promise<string> {
  const body = {
    appName,
    deviceName,
    namespaces,
    otp,
    apkamPublicKey: keys.publicKey,
    encryptedAPKAMSymmetricKey: "c3ltbWV0cmlj",
  };
  const { enrollmentId } = JSON.parse(dataOf(await guest.ask(`enroll:request:${JSON.stringify(body)}`)));
  return enrollmentId;
}

/** @throws {Error} when it is refused */
export async function approve(owner: AtServerClient, enrollmentId: string): Promise<void> {
  const body = {
    enrollmentId,
    encryptedDefaultEncryptionPrivateKey: `private-${enrollmentId}`,
    encryptedDefaultSelfEncryptionKey: `self-${enrollmentId}`,
  };
  dataOf(await owner.ask(`enroll:approve:${JSON.stringify(body)}`));
}
