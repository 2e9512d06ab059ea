import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Address } from "@atrium/runtime/config.ts";

/** True when all is well; to throw means the same as false. */
type Check = () => boolean;

interface Options {
  readonly listen: Address;
  /** shall the process be restarted? By name, as it is told in the answer */
  readonly live: Readonly<Record<string, Check>>;
  /** shall it get work? */
  readonly ready: Readonly<Record<string, Check>>;
  /** the text of `/metrics` */
  readonly metrics: () => Promise<string>;
  /** for a request to arrive and its answer to leave */
  readonly deadlineMs?: number;
}

export interface HealthServer extends AsyncDisposable {
  readonly address: Address;
}

interface Answer {
  readonly status: string;
  readonly body: string;
}

const maxHeadBytes = 8_192;
const maxConnections = 64;

/**
 * `/livez`, `/readyz` and `/metrics` on a port of their own: 200 `ok`, or 503 with the names of the checks that failed.
 *
 * As much HTTP/1.1 as a probe and a scraper need, one request per connection: Node's own server would take half as much
 * memory again as all the rest of an idle atServer, since importing it loads a web client.
 *
 * @throws {Error} when it cannot listen
 */
export async function serveHealth({ listen, deadlineMs = 5_000, ...answers }: Options): Promise<HealthServer> {
  const sockets = new Set<Socket>();
  // A client may close its side behind the request.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    const timer = setTimeout(() => socket.destroy(), deadlineMs).unref();
    socket.once("close", () => {
      clearTimeout(timer);
      sockets.delete(socket);
    });
    socket.on("error", () => socket.destroy());
    readRequestLine(socket, (line) => {
      void answerTo(line, answers).then((answer) => socket.end(format(answer, line.startsWith("HEAD "))));
    });
  });
  server.maxConnections = maxConnections;
  return {
    address: await listening(server, listen),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Waits for a whole head; what comes behind it is read and thrown away. */
function readRequestLine(socket: Socket, use: (line: string) => void): void {
  let head: string | undefined = "";
  socket.on("data", (chunk) => {
    if (head === undefined) return;
    head += chunk.toString("latin1");
    if (head.length > maxHeadBytes) {
      socket.destroy();
      return;
    }
    if (!/\r?\n\r?\n/.test(head)) return;
    const [line = ""] = head.split(/\r?\n/, 1);
    head = undefined;
    use(line);
  });
  socket.once("end", () => {
    if (head !== undefined) socket.destroy();
  });
}

/** Never rejects. */
async function answerTo(line: string, { live, ready, metrics }: Omit<Options, "listen">): Promise<Answer> {
  const [, method, path] = /^([A-Z]+) (\/[^\s?]*)\S* HTTP\/1\.[01]$/.exec(line) ?? [];
  if (method === undefined) return { status: "400 Bad Request", body: "not a request\n" };
  if (method !== "GET" && method !== "HEAD") return { status: "405 Method Not Allowed", body: "only GET\n" };
  switch (path) {
    case "/livez":
      return checked(live);
    case "/readyz":
      return checked(ready);
    case "/metrics":
      return await metrics().then(
        (body) => ({ status: "200 OK", body }),
        () => ({ status: "500 Internal Server Error", body: "failed\n" }),
      );
    default:
      return { status: "404 Not Found", body: "not found\n" };
  }
}

function checked(checks: Readonly<Record<string, Check>>): Answer {
  const failing = Object.entries(checks).filter(([, check]) => !passes(check));
  if (failing.length === 0) return { status: "200 OK", body: "ok\n" };
  return { status: "503 Service Unavailable", body: failing.map(([name]) => `${name}\n`).join("") };
}

/** The fault itself belongs to the log of the part that is checked; here it is only a name. */
function passes(check: Check): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

function format({ status, body }: Answer, headOnly: boolean): string {
  const head = [
    `HTTP/1.1 ${status}`,
    "content-type: text/plain; version=0.0.4; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${headOnly ? "" : body}`;
}

function listening(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve({ host, port: (server.address() as AddressInfo).port });
    });
  });
}
