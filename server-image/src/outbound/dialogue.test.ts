import { type Duplex, duplexPair } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { LineBudget } from "../line-budget.ts";
import { Dialogue } from "./dialogue.ts";

const maxBytes = 1_000_000;

function pair(large?: ConstructorParameters<typeof Dialogue>[2]): { dialogue: Dialogue; peer: Duplex } {
  const [client, peer] = duplexPair();
  peer.on("error", () => undefined);
  peer.resume();
  return { dialogue: new Dialogue(client, "peer", large), peer };
}

/** What was written arrives in the next turns of the event loop. */
async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate();
}

describe("large replies", () => {
  function shared() {
    const freed: number[] = [];
    const budget = new LineBudget(1.25 * maxBytes, maxBytes);
    const large = { budget, onLarge: (bytes: number) => freed.push(bytes) };
    return { budget, freed, connect: () => pair({ maxReplyBytes: maxBytes, large }) };
  }

  test("take a share while they arrive, and give it back when they have been read", async () => {
    const { budget, freed, connect } = shared();
    const { dialogue, peer } = connect();
    const reply = dialogue.ask("q", 1_000);
    peer.write(`data:${"v".repeat(500_000)}`);
    await turn();
    expect(budget.takenBytes).toBeGreaterThanOrEqual(500_000);
    peer.write("\n@");
    expect(await reply).toHaveLength(500_005);
    await turn();
    expect(budget.takenBytes).toBe(0);
    expect(freed).toEqual([500_005]);
  });

  test("wait for each other, and those that hang give way when their time is over", async () => {
    const { budget, connect } = shared();
    const hanging = connect();
    const patient = connect();
    const never = hanging.dialogue.ask("q", 100);
    hanging.peer.write(`data:${"v".repeat(800_000)}`);
    await turn();
    const reply = patient.dialogue.ask("q", 5_000);
    patient.peer.write(`data:${"v".repeat(800_000)}\n@`);
    await expect(never).rejects.toMatchObject({ error: "timeout" });
    expect(await reply).toHaveLength(800_005);
    await turn();
    expect(budget.takenBytes).toBe(0);
  });

  test("that never end, and small ones, leave nothing behind", async () => {
    const { budget, connect } = shared();
    const { dialogue, peer } = connect();
    const reply = dialogue.ask("q", 1_000);
    peer.write("v".repeat(maxBytes + 1));
    await expect(reply).rejects.toMatchObject({ error: "buffer_limit", closes: false });
    const small = connect();
    const answer = small.dialogue.ask("q", 1_000);
    small.peer.write("data:v\n@");
    expect(await answer).toBe("data:v");
    await turn();
    expect(budget.takenBytes).toBe(0);
  });
});

describe("a question that is answered by a prompt", () => {
  test.each([
    ["after the prompt of the reply before", ["data:v\n@"], "@alice@"],
    ["in pieces", ["data:v\n", "@"], "@al"],
  ])("is answered when it comes %s", async (_how, before, first) => {
    const { dialogue, peer } = pair();
    const reply = dialogue.ask("q", 1_000);
    for (const piece of before) peer.write(piece);
    await reply;
    const proof = dialogue.askForPrompt("pol", "@alice@", 1_000);
    peer.write(first);
    await turn();
    if (first !== "@alice@") peer.write("ice@");
    expect(await proof).toBeUndefined();
    const next = dialogue.ask("q", 1_000);
    peer.write("data:w\n@alice@");
    expect(await next).toBe("data:w");
  });

  test("may be answered by a line, and not by another prompt", async () => {
    const { dialogue, peer } = pair();
    const refusal = dialogue.askForPrompt("pol", "@alice@", 1_000);
    peer.write("@error:AT0401-Exception: no\n@");
    expect(await refusal).toBe("error:AT0401-Exception: no");
    const wrong = dialogue.askForPrompt("pol", "@alice@", 20);
    peer.write("@bob@");
    await expect(wrong).rejects.toMatchObject({ error: "timeout" });
  });
});
