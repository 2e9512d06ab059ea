import { type AtSign, hostOf } from "@atrium/protocol";
import { type Log, silent } from "@atrium/runtime/log.ts";
import { type Pair, type TestCa, testCa } from "../../../test/kit/certificates.ts";
import { TlsService } from "../../../test/kit/tls-service.ts";
import type { Certificates } from "../identity/identity.ts";
import { dialer } from "../outbound/dial.ts";
import { parseNetworks } from "../outbound/dialable.ts";
import { DirectoryClient } from "../outbound/directory.ts";
import { PeerKeys } from "../outbound/peer-keys.ts";
import { type Deadlines, Peers } from "../outbound/peers.ts";
import { Pool } from "../outbound/pool.ts";
import { serve } from "../server.ts";
import { ensureSigningKeys } from "../signing-keys.ts";
import { testServer } from "./atserver.ts";

const zone = "atrium.localhost";

interface JoinOptions {
  readonly deadlines?: Deadlines & { readonly dialMs: number };
  readonly log?: Log;
}

/** AtServers in this process, over stores in memory, that find each other by a directory and speak over real TLS. */
export class TestNetwork implements AsyncDisposable {
  readonly ca: TestCa = testCa();
  readonly #ports = new Map<string, number>();
  readonly #labels = new Map<AtSign, string>();
  readonly #parts = new AsyncDisposableStack();
  #directoryPort = 0;

  static async open(): Promise<TestNetwork> {
    const network = new TestNetwork();
    const certificate = network.ca.issue({ dns: ["directory.atrium.internal"] });
    const answer = (name: string) => network.#answer(name);
    network.#directoryPort = network.#parts.use(await TlsService.listen(certificate, answer, { end: "\r\n" })).port;
    return network;
  }

  /** @param port at which `atSign` is found from now on, by those who have not looked for it before */
  list(atSign: AtSign, port: number): void {
    this.#ports.set(atSign.slice(1), port);
  }

  /** What identifies `atSign` to others. */
  pairOf(atSign: AtSign): Pair {
    return this.ca.issue({ dns: [this.hostOf(atSign)], client: true });
  }

  hostOf(atSign: AtSign): string {
    const label = this.#labels.get(atSign);
    return label === undefined ? hostOf(atSign, zone) : `${label}.${zone}`;
  }

  /** Gives `atSign` another host from now on; an atServer of it that runs does not know. */
  rename(atSign: AtSign, label: string): void {
    this.#labels.set(atSign, label);
  }

  /** Starts an atServer, and lists it. */
  async join(atSign: AtSign, { deadlines, log = silent }: JoinOptions = {}) {
    const pair = this.pairOf(atSign);
    const certificates: Certificates = { serving: pair, client: pair, trust: this.ca.pem, expiresAtMs: 0 };
    const identity = { current: certificates, onChange: () => () => undefined };
    const { dial, dialKnown } = dialer({
      identity,
      platformCa: undefined,
      zones: [],
      privateAddresses: parseNetworks("127.0.0.0/8"),
      ...(deadlines !== undefined && { deadlineMs: deadlines.dialMs }),
    });
    const pool = this.#parts.use(new Pool({ dial }));
    const directory = { host: "127.0.0.1", port: this.#directoryPort };
    const server = testServer({
      atSign,
      certificates,
      log,
      askAs: (peer, command) => peers.askAs(peer, command),
      peers: {
        ask: (peer, command) => peers.ask(peer, command),
        find: (peer) => peers.find(peer),
        findAnew: (peer) => peers.findAnew(peer),
      },
    });
    const { store, proofs, notifications, clock, parts } = server;
    const now = () => clock.nowMs;
    await ensureSigningKeys(store, atSign, now);
    const signingKey = () => store.get(`${atSign}:signing_privatekey${atSign}`)?.value ?? "";
    const peerKeys = new PeerKeys({ atSign, store, now });
    const peers = new Peers({
      directory: new DirectoryClient({ directory, dial: dialKnown, log, monotonic: () => clock.monotonicMs }),
      pool,
      prover: { atSign, signingKey, proofs },
      onPublicKey: async (peer, payload) => notifications.recordChanged(await peerKeys.told(peer, payload), "update"),
      log,
      ...(deadlines !== undefined && { deadlines }),
    });
    const listen = { host: "127.0.0.1", port: 0 };
    const listener = this.#parts.use(
      await serve({ ...parts, store, now, listen, identity, maxConnections: 200, drainMs: 200 }),
    );
    this.list(atSign, listener.address.port);
    return { ...server, pair, peers, pool, address: listener.address, host: this.hostOf(atSign) };
  }

  #answer(name: string): string {
    const port = this.#ports.get(name);
    return port === undefined ? "null" : `${this.hostOf(`@${name}`)}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}
