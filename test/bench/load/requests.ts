/** Load of requests and replies over TLS: one connection, one outstanding request. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { Conversation } from "./conversation.ts";
import { type Dialect, dialects } from "./dialects.ts";
import { type Generator, serve } from "./generator.ts";

export interface RequestOptions {
  readonly dialect: keyof typeof dialects;
  readonly port: number;
  readonly servername: string;
  readonly caFile: string;
  readonly connections: number;
  /** what the dialect needs: an operation, names, a secret */
  readonly parameters: Readonly<Record<string, string>>;
}

// The fastest cipher that all sides have, for both sides.
const tls = { minVersion: "TLSv1.3", ciphers: "TLS_AES_128_GCM_SHA256" } as const;

async function open({ port, servername, caFile, connections, ...options }: RequestOptions): Promise<Generator> {
  const ca = readFileSync(caFile);
  const dialect: Dialect = dialects[options.dialect](options.parameters);
  const dial = async () => {
    const socket = connect({ port, host: "127.0.0.1", servername, ca, ...tls });
    await once(socket, "secureConnect");
    socket.setNoDelay(true);
    const conversation = new Conversation(socket, dialect.end);
    await dialect.begin(conversation);
    return { socket, conversation };
  };
  const first = await dial();
  await dialect.prepare(first.conversation);
  const others: Conversation[] = [];
  // One after the other: a server may take logins slowly, and may limit those that are under way.
  for (let index = 1; index < connections; index += 1) others.push((await dial()).conversation);
  const all = [first.conversation, ...others];
  return {
    description: cipherOf(first.socket),
    async run(milliseconds) {
      const end = performance.now() + milliseconds;
      const counts = await Promise.all(all.map((each) => each.repeat(() => dialect.request(), dialect.start, end)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}

function cipherOf(socket: TLSSocket): string {
  return `${socket.getProtocol()} ${socket.getCipher().standardName}`;
}

serve(open);
