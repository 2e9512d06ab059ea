import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { cramDigest } from "@atrium/protocol";
import { atServer } from "./servers/atserver.ts";

interface OwnerOptions {
  readonly port: number;
  readonly atSign: string;
  readonly host: string;
  readonly caFile: string;
}

const replyMs = 60_000;

/** The owner of an atSign, logged in, one command at a time. */
export class Owner implements Disposable {
  readonly socket: TLSSocket;
  readonly #prompt: string;

  private constructor(socket: TLSSocket, atSign: string) {
    this.socket = socket;
    this.#prompt = `\n${atSign}@`;
  }

  static async logIn({ port, atSign, host, caFile }: OwnerOptions): Promise<Owner> {
    const socket = connect({ port, host: "127.0.0.1", servername: host, ca: readFileSync(caFile) });
    socket.setNoDelay(true);
    await once(socket, "data");
    const ask = async (command: string) => {
      socket.write(`${command}\n`);
      const [reply] = (await once(socket, "data")) as [Buffer];
      return reply.toString();
    };
    const challenge = (await ask(`from:${atSign}`)).replace(/^data:/, "").split("\n")[0] ?? "";
    const answer = await ask(`cram:${cramDigest(atServer.secret, challenge)}`);
    if (!answer.startsWith("data:success")) throw new Error(`the login failed: ${answer}`);
    return new Owner(socket, atSign);
  }

  /** @returns how many bytes the whole reply had */
  async ask(command: string): Promise<number> {
    this.socket.write(`${command}\n`);
    const signal = AbortSignal.timeout(replyMs);
    let bytes = 0;
    for (let end = ""; !end.endsWith(this.#prompt); ) {
      const [chunk] = (await once(this.socket, "data", { signal })) as [Buffer];
      if (bytes === 0 && chunk[0] !== "d".charCodeAt(0)) throw new Error(`unexpected reply: ${chunk.subarray(0, 200)}`);
      bytes += chunk.length;
      end = (end + chunk.subarray(-100).toString("latin1")).slice(-100);
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const batchSize = 500;
const value = "v".repeat(100);

/** Stores records `key0.bench` and so on, each committed once. */
export async function fill(options: OwnerOptions, count: number): Promise<void> {
  using owner = await Owner.logIn(options);
  for (let from = 0; from < count; from += batchSize) {
    const commands = Array.from({ length: Math.min(batchSize, count - from) }, (_, index) => {
      return { id: index, command: `update:key${from + index}.bench${options.atSign} ${value}` };
    });
    await owner.ask(`batch:${JSON.stringify(commands)}`);
  }
}
