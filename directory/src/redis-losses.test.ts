import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { need } from "../../test/kit/need.ts";
import { redis, type TestRedis } from "../../test/kit/redis.ts";
import { askAdmin } from "./testing/admin-client.ts";
import { TestClient } from "./testing/client.ts";
import { type DirectoryProcess, directoryProcess } from "./testing/directory-process.ts";
import { eventually } from "./testing/registries.ts";
import { type TlsDirectory, tlsDirectory } from "./testing/tls-directory.ts";

const onRedis = need("redis-server") === undefined ? test : test.skip;

const names = Array.from({ length: 30 }, (_, i) => `name${i}`);
/** An operator: the truth about who is where, moved all the time, and written again when the registry has lost it. */
class Operator {
  /** the last generation that was tried */
  readonly #last = new Map<string, number>();
  /** the last one that every directory is known to have seen */
  readonly #settled = new Map<string, number>();
  readonly #admin: { port: number; ca: string; identity: { certificate: string; key: string } };
  readonly #stop = new AbortController();
  #working: Promise<void> | undefined;
  #moving = true;

  constructor(directory: DirectoryProcess, tls: TlsDirectory) {
    this.#admin = { port: directory.admin.port, ca: tls.ca, identity: tls.operator };
  }

  async begin(): Promise<void> {
    for (const name of names) await this.#move(name);
    this.#working = this.#work();
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  last(name: string): number {
    return this.#last.get(name) ?? 0;
  }

  /** No directory may find an older generation than this any more. */
  settled(name: string): number {
    return this.#settled.get(name) ?? 0;
  }

  /** Moves nothing until everybody is seen where it is now. */
  async settle(areSeen: () => Promise<boolean>): Promise<void> {
    this.#moving = false;
    await eventually(areSeen);
    for (const [name, number] of this.#last) this.#settled.set(name, number);
    this.#moving = true;
  }

  async isComplete(): Promise<boolean> {
    const { status, body } = await this.#ask("GET", "/v1/registry");
    return status === 200 && (body as { complete: boolean }).complete;
  }

  async #work(): Promise<void> {
    for (let i = 0; !this.#stop.signal.aborted; i += 1) {
      await this.#writeAgain();
      if (this.#moving) await this.#move(names[i % names.length] ?? "");
      await pause(5);
    }
  }

  async #writeAgain(): Promise<void> {
    const { status, body } = await this.#ask("GET", "/v1/registry");
    const { id, complete } = body as { id: string; complete: boolean };
    if (status !== 200 || complete) return;
    for (const name of names) if (!(await this.#put(name))) return;
    await this.#ask("PUT", "/v1/cells/local", { registry: id });
  }

  async #move(name: string): Promise<void> {
    this.#last.set(name, this.last(name) + 1);
    while (!(await this.#put(name)) && !this.#stop.signal.aborted) await pause(20);
  }

  async #put(name: string): Promise<boolean> {
    const generation = this.last(name);
    const record = { host: `${name}-g${generation}.example.org`, port: 443, claim: name, generation, held: true };
    const { status, body } = await this.#ask("PUT", `/v1/records/${name}`, record);
    if (status !== 200 && status !== 503) throw new Error(`refused: ${JSON.stringify(body)}`);
    return status === 200;
  }

  #ask(method: string, path: string, body?: unknown) {
    return askAdmin(this.#admin, method, path, body);
  }
}

interface Found {
  addresses: number;
  unknown: number;
  none: number;
  readonly wrong: string[];
}

/** Clients that ask for names, all of which exist, and note every answer that is not the truth. */
class Clients {
  readonly found: Found = { addresses: 0, unknown: 0, none: 0, wrong: [] };
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[];
  readonly #operator: Operator;
  readonly #tls: TlsDirectory;

  constructor(directories: readonly DirectoryProcess[], operator: Operator, tls: TlsDirectory) {
    this.#operator = operator;
    this.#tls = tls;
    this.#running = directories.flatMap(({ main }) => [this.#run(main.port, 1), this.#run(main.port, 7)]);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #run(port: number, step: number): Promise<void> {
    for (let at = 0; !this.#stop.signal.aborted; ) {
      using client = await TestClient.connect({ port, ca: this.#tls.ca });
      expect(await client.read()).toBe("@");
      for (let answered = true; answered && !this.#stop.signal.aborted; at += step) {
        answered = await this.#look(client, names[at % names.length] ?? "");
        await pause(1);
      }
    }
  }

  async #look(client: TestClient, name: string): Promise<boolean> {
    const settled = this.#operator.settled(name);
    const answer = await client.ask(name);
    if (answer === undefined) {
      this.found.none += 1;
      return false;
    }
    if (answer === "null\r\n@") {
      this.found.unknown += 1;
      return true;
    }
    this.found.addresses += 1;
    const [, of, number] = /^(name\d+)-g(\d+)\.example\.org:443\r\n@$/.exec(answer) ?? [];
    if (of !== name || Number(number) < settled || Number(number) > this.#operator.last(name)) {
      this.found.wrong.push(`${name}: ${answer.trim()} where ${settled} had been seen`);
    }
    return true;
  }
}

/** Does a directory know where everybody is now? */
async function knowsAll({ main }: DirectoryProcess, operator: Operator, tls: TlsDirectory): Promise<boolean> {
  using client = await TestClient.connect({ port: main.port, ca: tls.ca });
  await client.read();
  for (const name of names) {
    if ((await client.ask(name)) !== `${name}-g${operator.last(name)}.example.org:443\r\n@`) return false;
  }
  return true;
}

async function lose(server: TestRedis, dump: "kept" | "none", awayMs: number): Promise<void> {
  await server.kill();
  await pause(awayMs);
  server.replaceDump(dump);
  await server.start();
}

onRedis(
  "under load nobody gets a false null or a wrong address, whatever Redis loses",
  async () => {
    using tls = tlsDirectory();
    await using server = await redis();
    const environment = { DIRECTORY_REGISTRY: server.url, DIRECTORY_LOG_LEVEL: "warn" };
    await using one = await directoryProcess(tls, environment);
    await using other = await directoryProcess(tls, environment);
    const operator = new Operator(one, tls);
    await operator.begin();
    await eventually(() => operator.isComplete());
    const areSeen = async () => (await knowsAll(one, operator, tls)) && (await knowsAll(other, operator, tls));
    const clients = new Clients([one, other], operator, tls);
    await pause(500);
    expect(clients.found.addresses).toBeGreaterThan(100);

    const losses = [
      ["emptied", () => lose(server, "none", 200)],
      ["restored from an older dump", () => lose(server, "kept", 200)],
      ["restored from an older dump at once", () => lose(server, "kept", 0)],
      ["flushed while it runs", () => server.ask((client) => client.flushall())],
      ["hanging", () => hang(server, 1_500)],
    ] as const;
    for (const [_loss, happen] of losses) {
      await server.keepDump();
      await pause(300);
      await operator.settle(areSeen);
      const before = clients.found.addresses;
      await happen();
      await eventually(() => operator.isComplete());
      await eventually(() => clients.found.addresses > before + 50);
      expect(clients.found).toMatchObject({ unknown: 0, wrong: [] });
    }
    await operator.end();
    await clients.end();
    expect(clients.found).toMatchObject({ unknown: 0, wrong: [] });

    await eventually(areSeen, 1_000);
  },
  60_000,
);

async function hang(server: TestRedis, ms: number): Promise<void> {
  server.pause();
  await pause(ms);
  server.resume();
}
