import { createSign, generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Pair, type TestCa, testCa } from "../kit/certificates.ts";
import { TlsService } from "../kit/tls-service.ts";
import { type AtServerClient, dataOf } from "./atserver-client.ts";
import { AtServerHome, type AtServerProcess, zone } from "./atserver-process.ts";

type AtSign = `@${string}`;

/** AtServers that find one another by a directory and trust one CA. */
export class Network implements Disposable {
  readonly #ca: TestCa;
  readonly #root: string;
  readonly #directory: TlsService;
  /** ports by name; the host follows from the name */
  readonly #ports: Map<string, number>;

  /** @param root where their identities and data are */
  static async open(root: string): Promise<Network> {
    const ca = testCa({ permitted: [zone, "atrium.internal"] });
    const ports = new Map<string, number>();
    const answer = (name: string) => (ports.has(name) ? `${name}.${zone}:${ports.get(name)}` : "null");
    const certificate = ca.issue({ dns: ["directory.atrium.internal"] });
    const directory = await TlsService.listen(certificate, answer, { end: "\r\n" });
    return new Network(root, ca, ports, directory);
  }

  private constructor(root: string, ca: TestCa, ports: Map<string, number>, directory: TlsService) {
    this.#root = root;
    this.#ca = ca;
    this.#ports = ports;
    this.#directory = directory;
    writeFileSync(this.#caFile, ca.pem);
  }

  /** Where an atServer of this network lives. It is not in the directory before {@link list}. */
  home(atSign: AtSign, directory = join(this.#root, atSign.slice(1))): AtServerHome {
    return new AtServerHome({
      directory,
      atSign,
      ca: this.#ca,
      environment: {
        ATSERVER_DIRECTORY: `127.0.0.1:${this.#directory.port}`,
        ATSERVER_PRIVATE_ADDRESSES: "127.0.0.0/8",
        ATSERVER_PLATFORM_CA: this.#caFile,
      },
    });
  }

  /** @param port at which others find the atServer of an atSign from now on */
  list(atSign: AtSign, port: number): void {
    this.#ports.set(atSign.slice(1), port);
  }

  /** A certificate by which something can pose as the atServer of an atSign. */
  certificate(atSign: AtSign): Pair {
    return this.#ca.issue({ dns: [`${atSign.slice(1)}.${zone}`], client: true });
  }

  /** An atSign whose atServer is an imitation in this process. */
  async imitation(atSign: AtSign): Promise<Imitation> {
    const imitation = await Imitation.open(atSign, this.certificate(atSign));
    this.list(atSign, imitation.port);
    return imitation;
  }

  get #caFile(): string {
    return join(this.#root, "ca.pem");
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** As much of another atServer as it takes to prove who it is: it has no data but its proofs. */
export class Imitation implements Disposable {
  readonly #atSign: AtSign;
  readonly #certificate: Pair;
  readonly #keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  readonly #records: Map<string, string>;
  readonly #service: TlsService;

  static async open(atSign: AtSign, certificate: Pair): Promise<Imitation> {
    const records = new Map<string, string>();
    const answer = (line: string): string => {
      const key = /^lookup:(?:all:)?(.*)$/.exec(line)?.[1] ?? "";
      const value = records.get(key);
      if (value !== undefined) return `data:${value}`;
      return line.startsWith("scan") ? "data:[]" : `error:AT0015-Exception: public:${key} does not exist in keystore`;
    };
    return new Imitation(atSign, certificate, records, await TlsService.listen(certificate, answer));
  }

  private constructor(atSign: AtSign, certificate: Pair, records: Map<string, string>, service: TlsService) {
    this.#atSign = atSign;
    this.#certificate = certificate;
    this.#records = records;
    this.#service = service;
    const publicKey = this.#keys.publicKey.export({ format: "der", type: "spki" }).toString("base64");
    records.set(`signing_publickey${atSign}`, publicKey);
  }

  get port(): number {
    return this.#service.port;
  }

  /**
   * A connection that has proven, by pol, that it is this atSign's.
   *
   * @throws {Error} when it was refused
   */
  async connect(server: AtServerProcess): Promise<AtServerClient> {
    const client = await server.connect(this.#certificate);
    const [, session = "", challenge = ""] = dataOf(await client.ask(`from:${this.#atSign}`)).split(":");
    this.#records.set(session, createSign("sha256").update(challenge).sign(this.#keys.privateKey, "base64"));
    // The reply to pol is a prompt without a newline: it comes with the line of the next reply.
    client.socket.write(`pol\nlookup:nothing${server.atSign}\n`);
    const reply = await client.line();
    if (!reply.includes(`${this.#atSign}:nothing`))
      throw new Error(`${this.#atSign} could not prove who it is: ${reply}`);
    this.#records.delete(session);
    return client;
  }

  [Symbol.dispose](): void {
    this.#service[Symbol.dispose]();
  }
}
