import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { describe, expect, test } from "@jest/globals";
import { openDiskStore } from "../store/disk.ts";
import { type TestClient, testServer } from "../testing/atserver.ts";

describe("batch", () => {
  const answers = async (client: TestClient, commands: readonly string[]) => {
    const entries = commands.map((command, index) => ({ id: index + 1, command }));
    client.send(`batch:${JSON.stringify(entries)}\n`);
    const list = JSON.parse((await client.readReply()).replace(/^data:/, "").replace(/\n@alice@$/, ""));
    return list.map(({ response }: { response: unknown }) => response);
  };

  test("runs in order, and answers each", async () => {
    const client = await testServer().owner();
    expect(
      await client.ask('batch:[{"id":7,"command":"update:a.demo@alice 1"},{"id":3,"command":"delete:a.demo@alice"}]'),
    ).toBe('data:[{"id":7,"response":{"data":"0"}},{"id":3,"response":{"data":"1"}}]\n@alice@');
    const commands = ["update:b.demo@alice 2", "llookup:b.demo@alice", "update:b.demo@alice 3", "llookup:b.demo@alice"];
    expect(await answers(client, commands)).toEqual([{ data: "2" }, { data: "2" }, { data: "3" }, { data: "3" }]);
    expect(await client.ask("batch:[]")).toBe("data:[]\n@alice@");
  });

  test("goes on behind a failure, and says of each what kind it was", async () => {
    const client = await testServer().owner();
    const commands = [
      "update:ttl:-1:a.demo@alice x",
      "fetch:a",
      "llookup:none.demo@alice",
      "monitor",
      "from:@alice",
      'batch:[{"id":1,"command":"scan"}]',
      "",
      "update:c.demo@alice v",
    ];
    const syntaxFault = { error_code: "AT0003", error_message: "Invalid syntax" };
    expect(await answers(client, commands)).toEqual([
      syntaxFault,
      syntaxFault,
      { error_code: "AT0015", error_message: "key not found" },
      ...[syntaxFault, syntaxFault, syntaxFault, syntaxFault],
      { data: "0" },
    ]);
    expect(client.session.connection.state).toBe("owner");
  });

  test("runs nothing twice when others hold the memory for replies, and says so of what is too much", async () => {
    const server = testServer({ heldBytes: 200_000 });
    const [client, other] = [await server.owner(), await server.owner()];
    await other.ask(`update:half.demo@alice ${"x".repeat(90_000)}`);
    await other.ask(`update:most.demo@alice ${"y".repeat(190_000)}`);
    const held = server.parts.outputBudgets.owner.tryTake(150_000);
    const commands = ["update:immutable:true:once.demo@alice v", "llookup:half.demo@alice", "llookup:once.demo@alice"];
    expect(await answers(client, commands)).toEqual([
      { data: "2" },
      { error_code: "AT0005", error_message: "Buffer limit exceeded" },
      { data: "v" },
    ]);
    held?.release();
    expect(await answers(client, ["llookup:half.demo@alice", "delete:half.demo@alice"])).toEqual([
      { data: "x".repeat(90_000) },
      { data: "3" },
    ]);
    expect(await client.ask("noop:0")).toBe("data:ok\n@alice@");
    expect(server.parts.outputBudgets.owner.takenBytes).toBe(0);
  });

  test("answers thousands of writes once although there is no memory for long replies", async () => {
    const server = testServer({ heldBytes: 200_000 });
    const client = await server.owner();
    const held = server.parts.outputBudgets.owner.tryTake(200_000);
    const commands = Array.from({ length: 3_000 }, (_none, index) => `update:n${index}.demo@alice v`);
    expect(await answers(client, commands)).toEqual(commands.map((_command, index) => ({ data: `${index}` })));
    expect(server.store.lastCommitId).toBe(2_999);
    held?.release();
  });

  test.each(["batch:{}", "batch:[1]", 'batch:[{"id":"1","command":"scan"}]', "batch:[", "batch:"])(
    "refuses %s",
    async (line) => {
      const client = await testServer().owner();
      expect(await client.ask(line)).toMatch(/^error:AT0003-Invalid syntax : /);
    },
  );

  test("takes as many writes as one likes, and keeps nobody else waiting for all of them", async () => {
    const directory = mkdtempSync(join(tmpdir(), "atrium-batch-"));
    await using store = await openDiskStore({ directory, epoch: 1, log: silent });
    const server = testServer({ store });
    const [client, other] = [await server.owner(), await server.owner()];
    const commands = Array.from({ length: 6_000 }, (_, index) => `update:k${index % 50}.demo@alice ${index}`);
    let answered = false;
    const running = answers(client, commands).finally(() => {
      answered = true;
    });
    expect(await other.ask("update:mine.demo@alice v")).toMatch(/^data:\d+\n@alice@$/);
    expect(answered).toBe(false);
    const all = await running;
    expect(all).toEqual(commands.map(() => ({ data: expect.stringMatching(/^\d+$/) })));
    expect(new Set(all.map(({ data }: { data: string }) => data)).size).toBe(6_000);
    expect(store.get("k49.demo@alice")?.value).toBe("5999");
    rmSync(directory, { recursive: true });
  });

  test("tells monitors once", async () => {
    const server = testServer();
    const [client, monitor] = [await server.owner(), await server.owner()];
    expect(await monitor.ask("monitor")).toMatch(/^notification: /);
    await answers(client, ["update:a.demo@alice 1", "update:b.demo@alice 2", "delete:c.demo@alice"]);
    expect(await monitor.read()).toMatch(/^notification: .*"value":"2","operation":"delete"/);
    expect(await monitor.ask("noop:0")).toBe("data:ok\n");
  });

  test("answers no more than a client takes", async () => {
    const client = await testServer().owner();
    await client.ask(`update:large.demo@alice ${"v".repeat(60_000)}`);
    const commands = Array.from({ length: 300 }, () => "llookup:large.demo@alice");
    const all = await answers(client, [...commands, "update:small.demo@alice v"]);
    const failed = all.filter((response: object) => "error_code" in response);
    expect(failed.length).toBeGreaterThan(150);
    expect(failed[0]).toEqual({ error_code: "AT0005", error_message: "Buffer limit exceeded" });
    expect(all.at(-1)).toEqual({ data: "1" });
    expect(JSON.stringify(all).length).toBeLessThan(10_240_000);
  });

  test.each([
    ["more commands than anybody sends", JSON.stringify(Array(10_001).fill({ id: 1, command: "" }))],
    ["millions of empty lists", `[${"[],".repeat(2_000_000)}[]]`],
    ["very deep lists", `${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}`],
    ["a command that does not end", `[{"id":1,"command":"${'\\"'.repeat(500_000)}]`],
  ])("refuses %s at once", async (_what, json) => {
    const client = await testServer({ limits: { maxLineBytes: 10_240_000 } }).owner();
    const before = process.memoryUsage().heapUsed;
    client.send(`batch:${json}\n`);
    expect(await client.readReply()).toMatch(/^error:AT0003-Invalid syntax : /);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  });
});
