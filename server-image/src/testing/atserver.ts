import { randomUUID } from "node:crypto";
import { type Duplex, duplexPair } from "node:stream";
import { type AtSign, cramDigest, ProtocolError } from "@atrium/protocol";
import { type Log, silent } from "@atrium/runtime/log.ts";
import { one, two } from "@atrium/runtime/tls-files.vectors.ts";
import { AccessCounts } from "../access-counts.ts";
import { BlockList } from "../block-list.ts";
import { ByteBudget } from "../byte-budget.ts";
import type { ShownCertificate } from "../connection.ts";
import { Counts } from "../counts.ts";
import { Dispatcher } from "../dispatcher.ts";
import { Enrollments } from "../enrollment/enrollments.ts";
import { Passcodes } from "../enrollment/passcodes.ts";
import { Registrar } from "../enrollment/registrar.ts";
import { requested } from "../enrollment/request.ts";
import type { Certificates } from "../identity/identity.ts";
import { defaultLimits, type Limits } from "../limits.ts";
import { LineBudget } from "../line-budget.ts";
import { NewestCommits } from "../newest-commits.ts";
import { Notifications } from "../notifications/notifications.ts";
import { BriefRecords } from "../outbound/brief-records.ts";
import { PeerKeys } from "../outbound/peer-keys.ts";
import type { Namespaces } from "../rights/rights.ts";
import { Session, type SessionParts } from "../session.ts";
import { memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { verbs } from "../verbs/index.ts";
import type { Parts, Verb } from "../verbs/verb.ts";

export const secret = "6b1f";

/** A clock that stands still until it is told. Starts at 2026-01-01, or zero. */
export interface TestClock {
  nowMs: number;
  monotonicMs: number;
  advance(ms: number): void;
}

interface Options {
  readonly atSign?: AtSign;
  readonly limits?: Partial<Limits>;
  readonly store?: Store;
  readonly peers?: Partial<Parts["peers"]>;
  /** takes what is notified to other atSigns */
  readonly askAs?: (atSign: AtSign, command: string) => Promise<string>;
  readonly heldBytes?: number;
  readonly log?: Log;
  // biome-ignore lint/suspicious/noExplicitAny: verbs of a test have whatever parameters they have
  readonly extraVerbs?: readonly Verb<any>[];
  readonly certificates?: Certificates;
}

async function noPeers(): Promise<never> {
  throw new ProtocolError("handshake", "no peers here");
}

/** Where the atServer of another atSign is said to be; its certificate must be for that host. */
export const peerHost = "peer.example.org";

const atPeerHost = async () => ({ host: peerHost, port: 443 });

/** The parts of an atServer behind its listener, over a store in memory. */
export function testServer({
  atSign = "@alice",
  limits = {},
  store = memoryStore(),
  peers = {},
  askAs = noPeers,
  heldBytes = 20_480_000,
  log = silent,
  extraVerbs = [],
  certificates = { serving: one, client: one, trust: two.certificate, expiresAtMs: 0 },
}: Options = {}) {
  const clock: TestClock = {
    nowMs: Date.UTC(2026, 0),
    monotonicMs: 0,
    advance(ms) {
      this.nowMs += ms;
      this.monotonicMs += ms;
    },
  };
  const now = () => clock.nowMs;
  const monotonic = () => clock.monotonicMs;
  const activation = { secret: secret as string | undefined };
  const identity: Parts["identity"] = {
    activationSecret: () => activation.secret,
    async activated() {
      activation.secret = undefined;
    },
    current: certificates,
  };
  const proofs = new BriefRecords(monotonic);
  const sessions = new Set<Session>();
  const endConnections: Parts["endConnections"] = (test) => {
    for (const session of sessions) if (test(session.connection)) session.end();
  };
  const outputBudgets = { owner: new ByteBudget(heldBytes), others: new ByteBudget(heldBytes) };
  const notifications = new Notifications({
    atSign,
    store,
    peers: { askAs },
    budgets: { deliveries: new ByteBudget(heldBytes), owner: outputBudgets.owner },
    onLarge: () => undefined,
    endConnections,
    log,
    now,
  });
  const passcodes = new Passcodes({ atSign, store, now });
  const enrollments = new Enrollments({ atSign, store, endConnections, now });
  const registrar = new Registrar({
    atSign,
    store,
    passcodes,
    notifications,
    endConnections,
    log,
    now,
    monotonic,
  });
  const dispatcher = new Dispatcher([...verbs, ...extraVerbs], {
    atSign,
    store,
    notifications,
    enrollments,
    registrar,
    passcodes,
    identity,
    blockList: new BlockList({ store, atSign, now }),
    access: new AccessCounts({ owner: atSign, now }),
    peers: { ask: noPeers, find: atPeerHost, findAnew: atPeerHost, askAs, ...peers },
    peerKeys: new PeerKeys({ atSign, store, now }),
    proofs,
    ownerReplies: outputBudgets.owner,
    challenges: new BriefRecords(monotonic),
    newestCommits: new NewestCommits(store),
    inbound: () =>
      Array.from(sessions, ({ connection: { state, peer }, createdMs, lastActiveMs }) => ({
        state,
        peer,
        createdMs,
        lastActiveMs,
      })),
    connections: () => ({ inbound: 1, outbound: 0 }),
    endConnections,
    log,
    now,
    monotonic,
    startedMs: 0,
  });
  const parts: SessionParts = {
    atSign,
    dispatcher,
    limits: { ...defaultLimits, lingerMs: 200, ...limits },
    inputBudget: new LineBudget(heldBytes, limits.maxLineBytes ?? defaultLimits.maxLineBytes),
    outputBudgets,
    onLarge: () => undefined,
    onAnswered: () => undefined,
    onWorking: () => undefined,
    counts: new Counts(),
    log,
    monotonic,
  };
  const connect = (
    options: { loginDueMs?: number; onDue?: (dueMs: number) => void; shownCertificate?: () => ShownCertificate } = {},
  ) => {
    const [client, server] = duplexPair();
    const session = new Session(server, { ...parts, ...options });
    sessions.add(session);
    server.once("close", () => sessions.delete(session));
    return new TestClient({ socket: client, server, session, atSign });
  };
  return {
    store,
    notifications,
    clock,
    activation,
    proofs,
    parts,
    connect,
    /** An app that asked to be let in, and was approved. */
    async enroll(namespaces: Namespaces) {
      const said = { appName: randomUUID(), deviceName: "test", apkamPublicKey: "none", namespaces };
      const id = await registrar.request(requested({ operation: "request", ...said }, "_test"), undefined);
      await registrar.decide("approve", id, {});
      return enrollments.approved(id).granted;
    },
    /** A connection that has read the greeting. */
    async anonymous(options?: Parameters<typeof connect>[0]) {
      const client = connect(options);
      await client.read();
      return client;
    },
    /** A connection that has logged in by CRAM. */
    async owner(options?: Parameters<typeof connect>[0]) {
      const client = connect(options);
      await client.read();
      await client.login();
      return client;
    },
  };
}

/** The client's end of a connection. What the server writes at once is read at once. */
export class TestClient {
  readonly session: Session;
  readonly socket: Duplex;
  /** the other end */
  readonly server: Duplex;
  readonly #atSign: AtSign;
  readonly #chunks: string[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  constructor({
    socket,
    server,
    session,
    atSign,
  }: { socket: Duplex; server: Duplex; session: Session; atSign: AtSign }) {
    this.socket = socket;
    this.server = server;
    this.session = session;
    this.#atSign = atSign;
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk.toString());
      this.#wake?.();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake?.();
      });
    }
  }

  /** @returns what one write of the server brought; undefined when the connection has ended */
  async read(): Promise<string | undefined> {
    while (this.#chunks.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#chunks.shift();
  }

  /** All that comes until the connection ends. */
  async readAll(): Promise<string> {
    let all = "";
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) all += chunk;
    return all;
  }

  /** All that is left until a prompt. */
  async readReply(): Promise<string> {
    let all = "";
    while (!/\n[^\n]*@$/.test(all.slice(-100))) all += (await this.read()) ?? "@\n@";
    return all;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  async ask(line: string): Promise<string | undefined> {
    this.send(`${line}\n`);
    return await this.read();
  }

  async login(): Promise<void> {
    const challenge = /^data:(\S+)\n/.exec((await this.ask(`from:${this.#atSign}`)) ?? "")?.[1] ?? "";
    const answer = await this.ask(`cram:${cramDigest(secret, challenge)}`);
    if (answer !== `data:success\n${this.#atSign}@`) throw new Error(`not logged in: ${answer}`);
  }
}
