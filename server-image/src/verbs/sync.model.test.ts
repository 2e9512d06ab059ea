import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Namespaces } from "../rights/rights.ts";
import { openDiskStore } from "../store/disk.ts";
import { memoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";
import { type TestClient, testServer } from "../testing/atserver.ts";

interface Entry {
  readonly atKey: string;
  readonly value: string | null;
  readonly commitId: number;
  readonly operation: string;
}

const key = fc.constantFrom(
  ...["a.wavi", "b.wavi", "c.buzz", "d", "@bob:e.wavi", "@bob:shared_key", "public:nick", "public:f.buzz", "g.x.wavi"],
);
const write = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("update"), key, value: fc.integer({ min: 0, max: 99 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete"), key, value: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("update:nc"), key, value: fc.integer({ min: 100, max: 199 }) }) },
);
interface Question {
  readonly limit: number;
  readonly regex: string | undefined;
  readonly skip: number | undefined;
  readonly namespaces: Namespaces | undefined;
}

const question: fc.Arbitrary<Question> = fc.record({
  limit: fc.constantFrom(1, 2, 3, 25, 1_000),
  regex: fc.constantFrom(undefined, ".*", "wavi", "^public:", "\\.buzz@", "none"),
  skip: fc.constantFrom(undefined, -1, 2, 8),
  namespaces: fc.constantFrom<Namespaces | undefined>(undefined, { wavi: "r" }, { "*": "rw" }, { other: "rw" }),
});

/** Which changes a client is to see, as the documents say it. */
function isWanted({ atKey, operation, commitId }: Entry, asked: Question): boolean {
  if (operation === "-" && commitId <= (asked.skip ?? -1)) return false;
  const always = atKey.startsWith("@bob:shared_key") || (atKey.startsWith("public:") && !atKey.includes("."));
  if (!always && !new RegExp(asked.regex ?? "").test(atKey)) return false;
  const namespace = /\.([^.@]+)@alice$/.exec(atKey)?.[1];
  const granted = asked.namespaces;
  return granted === undefined || "*" in granted || namespace === undefined || namespace in granted;
}

async function pageOf(client: TestClient, command: string): Promise<Entry[]> {
  client.send(`${command}\n`);
  return JSON.parse((await client.readReply()).replace(/^data:/, "").replace(/\n@alice@$/, ""));
}

describe.each(["memory", "disk"])("sync from the store in %s", (kind) => {
  const directory = mkdtempSync(join(tmpdir(), "atrium-sync-"));
  let disk: Store;
  beforeAll(async () => {
    disk = await openDiskStore({ directory, epoch: 1, log: silent });
  });
  afterAll(async () => {
    await disk[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test("brings what is wanted, all of it, once and in order, in pages that are not empty before the end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 30 }), question, async (writes, asked) => {
        const server = testServer({ store: kind === "memory" ? memoryStore() : disk });
        const owner = await server.owner();
        const from = server.store.lastCommitId;
        for (const each of writes) {
          await owner.ask(`${each.do}:${each.key}@alice${each.do === "delete" ? "" : ` ${each.value}`}`);
        }
        const reader = await server.owner();
        if (asked.namespaces !== undefined)
          reader.session.connection.becomeOwner(await server.enroll(asked.namespaces));
        const all = await pageOf(owner, `sync:from:${from}:limit:1000`);
        const expected = all.filter((entry) => isWanted(entry, asked));

        const options = `limit:${asked.limit}${asked.skip === undefined ? "" : `:skipDeletesUntil:${asked.skip}`}`;
        const seen: Entry[] = [];
        for (let last = from; ; ) {
          const page = await pageOf(
            reader,
            `sync:from:${last}:${options}${asked.regex === undefined ? "" : `:${asked.regex}`}`,
          );
          expect(page.length).toBeLessThanOrEqual(asked.limit);
          if (page.length === 0) break;
          seen.push(...page);
          last = page.at(-1)?.commitId ?? last;
        }
        expect(seen).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test("lets several clients end with the same records while they write and push in batches", async () => {
    const server = testServer({ store: kind === "memory" ? memoryStore() : disk });
    const from = server.store.lastCommitId;
    const clients = await Promise.all(
      ["a", "b", "c"].map(async (name) => new Imitation(await server.owner(), name, from)),
    );
    await Promise.all(clients.map((client) => client.work(12)));
    for (const client of clients) await client.pull();
    const stored = new Map(
      (await pageOf(await server.owner(), `sync:from:${from}:limit:1000`))
        .filter(({ operation }) => operation !== "-")
        .map(({ atKey, value }) => [atKey, value]),
    );
    expect(stored.size).toBeGreaterThan(0);
    for (const { records } of clients) expect(new Map([...records].sort())).toEqual(new Map([...stored].sort()));
  });
});

/** Does what clients do: pulls until it has what the statistics say, and pushes its own changes five at a time. */
class Imitation {
  readonly records = new Map<string, string | null>();
  readonly #client: TestClient;
  readonly #name: string;
  #last: number;

  constructor(client: TestClient, name: string, from: number) {
    this.#client = client;
    this.#name = name;
    this.#last = from;
  }

  async work(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      await this.#push(round);
      await this.pull();
    }
  }

  async pull(): Promise<void> {
    while (this.#last < (await this.#newest())) {
      const page = await pageOf(this.#client, `sync:from:${this.#last}:limit:10`);
      if (page.length === 0) return;
      for (const { atKey, value, commitId, operation } of page) {
        expect(commitId).toBeGreaterThan(this.#last);
        this.#last = commitId;
        if (operation === "-") this.records.delete(atKey);
        else this.records.set(atKey, value);
      }
    }
  }

  async #push(round: number): Promise<void> {
    const entries = Array.from({ length: 5 }, (_, index) => {
      const name = `k${(round * 3 + index * 7) % 11}.demo@alice`;
      const command = index === 4 ? `delete:${name}` : `update:${name} ${this.#name}${round}${index}`;
      return { id: index, command };
    });
    const answers = await pageOf(this.#client, `batch:${JSON.stringify(entries)}`);
    expect(answers).toEqual(entries.map(({ id }) => ({ id, response: { data: expect.stringMatching(/^\d+$/) } })));
  }

  async #newest(): Promise<number> {
    const [{ value }] = JSON.parse((await this.#client.ask("stats:3"))?.replace(/^data: |\n@alice@$/g, "") ?? "");
    return Number(value);
  }
}
