import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { certifies } from "../outbound/dial.ts";

interface Post {
  readonly url: URL;
  /** the name that the server's certificate must have, to the letter, whatever the address */
  readonly name: string;
  /** PEM of the roots that it must chain to; no others are trusted */
  readonly ca: readonly string[];
  readonly token: string;
  readonly body: string;
  /** for the connection, from when the address is known */
  readonly connectMs: number;
  /** for all of it */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  /** names in lower case */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

const maxReplyBytes = 262_144;

/**
 * One POST of JSON over a TLS connection of its own.
 *
 * As much HTTP/1.1 as that needs: Node's own client would take half as much memory again as all the rest of an idle
 * atServer, for one request in sixteen hours.
 *
 * @throws {Error} when there is no whole reply within the deadline, or the server is not who it should be
 * @see RFC 9112
 */
export async function post({ url, name, ca, token, body, connectMs, deadlineMs, signal }: Post): Promise<Reply> {
  const socket = connect({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 443),
    servername: name,
    ca: [...ca],
    minVersion: "TLSv1.2",
    checkServerIdentity: (_host, { raw }) =>
      certifies(new X509Certificate(raw), name) ? undefined : new Error(`the certificate is not for ${name}`),
  });
  const late = setTimeout(() => socket.destroy(new Error(`no reply in ${deadlineMs} ms`)), deadlineMs);
  using _noConnection = destroyUnconnected(socket, connectMs);
  const stop = () => socket.destroy(new Error("not waited for"));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const head = [
      `POST ${url.pathname} HTTP/1.1`,
      `host: ${url.host}`,
      `authorization: Bearer ${token}`,
      "content-type: application/json",
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
    ];
    // Nobody sees the token before it is known who that is.
    await once(socket, "secureConnect");
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    return parseReply(await readToEnd(socket));
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}

/** What is behind an address answers at once, however busy it is, or is gone: then another try has another address. */
function destroyUnconnected(socket: TLSSocket, connectMs: number): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer ??= setTimeout(() => socket.destroy(new Error(`no connection in ${connectMs} ms`)), connectMs);
  };
  const end = () => clearTimeout(timer);
  socket.once("connectionAttempt", begin).once("connect", end);
  return { [Symbol.dispose]: end };
}

function readToEnd(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxReplyBytes) socket.destroy(new Error("the reply is too long"));
    });
    socket.once("end", () => resolve(Buffer.concat(chunks)));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed before the end of the reply")));
  });
}

/** @throws {Error} when it is cut, or not in a form that the identity service answers in */
function parseReply(bytes: Buffer): Reply {
  const end = bytes.indexOf("\r\n\r\n");
  const [first = "", ...lines] = bytes.subarray(0, Math.max(0, end)).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]);
  if (end === -1 || Number.isNaN(status)) throw new Error("the reply is not one of HTTP/1.1");
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  if (headers.has("transfer-encoding")) throw new Error("the reply is in a transfer encoding");
  const body = bytes.subarray(end + 4);
  const length = Number(headers.get("content-length") ?? Number.NaN);
  if (body.length !== length) throw new Error(`the reply has ${body.length} of ${length} bytes`);
  return { status, headers, body: body.toString("utf8") };
}
