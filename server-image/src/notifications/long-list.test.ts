import { expect, test } from "@jest/globals";
import { testServer } from "../testing/atserver.ts";

test("a list that is longer than a small reply is answered at once, to several at a time", async () => {
  // As much memory for replies as the longest takes.
  const server = testServer({ heldBytes: 10_240_000 });
  await server.store.write((tx) => {
    for (let index = 0; index < 300; index++) {
      tx.notifications.add(
        {
          ...{ kind: "received", id: `n${index}`, from: "@bob", to: "@alice", key: `@alice:k${index}.demo@bob` },
          ...{ value: "v".repeat(1_000), operation: "update", messageType: "key", priority: "low", strategy: "all" },
          ...{ latestN: 1, notifier: "SYSTEM", lifeMs: 900_000, isEncrypted: true, metadata: {} },
        },
        server.clock.nowMs,
      );
    }
  });
  const clients = await Promise.all([server.owner(), server.owner(), server.owner()]);
  const began = performance.now();
  for (const client of clients) client.send("notify:list\n");
  for (const client of clients) {
    const list = (await client.readReply()).replace(/^data:/, "").replace(/\n@alice@$/, "");
    expect(JSON.parse(list)).toHaveLength(300);
  }
  expect(performance.now() - began).toBeLessThan(5_000);
});
