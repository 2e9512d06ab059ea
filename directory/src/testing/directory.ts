import { silent } from "@atrium/runtime/log.ts";
import { watchTlsFiles } from "@atrium/runtime/tls-files.ts";
import { Lookups } from "../lookups.ts";
import { memoryRegistry } from "../registry/memory.ts";
import type { Registry } from "../registry.ts";
import { type DirectoryServer, type ServerSettings, serve } from "../server.ts";
import { newTally, type Tally } from "../tally.ts";
import { UnknownNames, type UnknownNamesSettings } from "../unknown-names.ts";
import type { Upstream } from "../upstream.ts";
import { TestClient } from "./client.ts";
import { complete } from "./registries.ts";
import { type TlsDirectory, tlsDirectory } from "./tls-directory.ts";

interface Options extends Partial<Omit<ServerSettings, "listen">> {
  readonly registry?: Registry;
  readonly upstream?: Upstream;
  readonly unknownNames?: Partial<UnknownNamesSettings>;
}

export interface TestDirectory extends AsyncDisposable {
  readonly tls: TlsDirectory;
  readonly server: DirectoryServer;
  readonly port: number;
  readonly tally: Tally;
  /** takes up new TLS files now */
  checkTlsFiles(): void;
  /** after the greeting */
  connect(): Promise<TestClient>;
}

/** The wire in this process. Without a registry it knows `alice`, parked `parked`, and is complete. */
export async function testDirectory({
  registry,
  upstream,
  unknownNames,
  ...settings
}: Options = {}): Promise<TestDirectory> {
  const tls = tlsDirectory();
  const tlsFiles = watchTlsFiles({ directory: tls.path, log: silent });
  const tally = newTally();
  const lookups = new Lookups({ registry: registry ?? (await aliceRegistry()), upstream, tally });
  const server = await serve({
    settings: {
      listen: { host: "127.0.0.1", port: 0 },
      connections: { total: 100, perAddress: 50 },
      handshakeTimeoutMs: 5_000,
      idleTimeoutMs: 60_000,
      drainMs: 5_000,
      ...settings,
    },
    tlsFiles,
    lookups,
    unknownNames: new UnknownNames({ burst: 50, perSecond: 5, maxDelayMs: 500, maxAddresses: 10, ...unknownNames }),
    tally,
    log: silent,
  });
  const { port } = server.address;
  return {
    tls,
    server,
    port,
    tally,
    checkTlsFiles: () => tlsFiles.check(),
    async connect() {
      const client = await TestClient.connect({ port, ca: tls.ca });
      const greeting = await client.read();
      if (greeting !== "@") throw new Error(`greeted with ${JSON.stringify(greeting)}`);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await tlsFiles[Symbol.asyncDispose]();
      tls[Symbol.dispose]();
    },
  };
}

async function aliceRegistry(): Promise<Registry> {
  const registry = memoryRegistry({ cells: ["local"] });
  const address = { host: "alice.at.example.org", port: 6464 };
  await registry.put({ name: "alice", claim: "c1", generation: 1, address }, true);
  await registry.put({ name: "parked", claim: "c2", generation: 1, address: undefined }, true);
  await complete(registry);
  return registry;
}
