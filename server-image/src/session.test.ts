import type { Syntax } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import { testServer } from "./testing/atserver.ts";
import { recordingLog } from "./testing/recording-log.ts";
import { verb } from "./verbs/verb.ts";

const unknown = "error:AT0003-Exception: invalid command\n@";
const noAuth = "error:AT0401-Exception: Command cannot be executed without auth\n@";

function command(name: string): Syntax<string> {
  return { verb: name, parse: (line) => line, format: (line) => line };
}

describe("a connection", () => {
  test("is greeted by one byte", async () => {
    expect(await testServer().connect().read()).toBe("@");
  });

  test("gets each reply, its newline and the prompt in one write", async () => {
    const client = await testServer().anonymous();
    expect(await client.ask("noop:0")).toBe("data:ok\n@");
    expect(await client.ask("NOOP:1")).toBe("data:ok\n@");
    await client.login();
    expect(await client.ask("noop:0")).toBe("data:ok\n@alice@");
    expect(await client.ask("update:a.b@alice  two words ")).toBe("data:0\n@alice@");
  });

  test("accepts both line ends and any cut of the bytes", async () => {
    const client = await testServer().anonymous();
    expect(await client.ask("noop:0\r")).toBe("data:ok\n@");
    for (const byte of "noop:0\r\n") {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.read()).toBe("data:ok\n@");
  });

  test("has pipelined commands answered in order, also behind one that waits", async () => {
    const client = await testServer().anonymous();
    client.send("noop:20\ninfo:brief\nnonsense\n");
    client.send("noop:0\n");
    expect([await client.read(), await client.read(), await client.read(), await client.read()]).toEqual([
      "data:ok\n@",
      expect.stringContaining("uptimeAsMillis"),
      unknown,
      "data:ok\n@",
    ]);
  });

  test("has a blank line answered before its first command, and swallowed after", async () => {
    const client = await testServer().anonymous();
    expect(await client.ask("\r")).toBe(unknown);
    expect(await client.ask("")).toBe(unknown);
    client.send("noop:0\n\n");
    client.send("\r\n");
    client.send("noop:0\n");
    expect([await client.read(), await client.read()]).toEqual(["data:ok\n@", "data:ok\n@"]);
    client.send("@exit\n");
    expect(await client.read()).toBeUndefined();
  });

  test("is answered what it asked before it closed its side", async () => {
    const client = await testServer().anonymous();
    client.socket.end("noop:10\nnoop:0\nnoop:");
    expect(await client.readAll()).toBe("data:ok\n@data:ok\n@");
  });

  test("is closed without a word by @exit, in any state", async () => {
    const server = testServer();
    const client = await server.owner();
    client.send("@exit\nnoop:0\n");
    expect(await client.readAll()).toBe("");
  });

  test("reads JSON errors when its client says so", async () => {
    const client = await testServer().anonymous();
    await client.ask('from:@alice:clientConfig:{"clientId":"x","version":"3.0.38"}');
    expect(await client.ask("llookup:a@alice")).toBe(
      'error:{"errorCode":"AT0401","errorDescription":"Exception: Command cannot be executed without auth"}\n@',
    );
  });
});

describe("bad input", () => {
  test.each([
    ["an unknown verb", "fetch:a@alice", unknown],
    ["an unknown verb of one word", "scam", unknown],
    ["a verb that is not built", "stream:init@bob 1 file 10", unknown],
    ["a verb in the wrong state", "update:a@alice b", noAuth],
    ["a verb with wrong parameters", "noop:now", expect.stringMatching(/^error:AT0003-Exception: Invalid syntax\. /)],
    ["a command that only looks like a prompt", "@alice@", unknown],
    ["NUL bytes", "\0\0noop:0", unknown],
    ["a lone verb of two words", "update:meta", noAuth],
  ])("%s is refused and the connection stays", async (_name, line, reply) => {
    const client = await testServer().anonymous();
    expect(await client.ask(line)).toEqual(reply);
    expect(await client.ask("noop:0")).toBe("data:ok\n@");
  });

  test("invalid UTF-8 is refused and the connection stays", async () => {
    const client = await testServer().owner();
    client.send(Buffer.from([...Buffer.from("update:a@alice "), 0xc3, 0x28, 0x0a]));
    expect(await client.read()).toMatch(/^error:AT0003-Invalid syntax : .*UTF-8\n@alice@$/);
    expect(await client.ask("llookup:a@alice")).toMatch("error:AT0015");
  });

  test.each([
    ["an unknown verb", "x".repeat(16), unknown],
    ["a verb of the owner", "update:a.b@alice ", noAuth],
    ["a verb of the owner, oddly written", "  UP DATE : a.b@alice ", noAuth],
  ])("%s is refused before its line ends", async (_name, beginning, reply) => {
    const client = await testServer().anonymous();
    client.send(beginning);
    expect(await client.readAll()).toBe(reply);
  });

  test("what may become a good command is waited for", async () => {
    const client = await testServer().anonymous();
    for (const part of ["        ", "        ", "looku", "p:all:publickey", "@alice", "\n"]) {
      client.send(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.read()).toBe("error:AT0015-Exception: public:publickey@alice does not exist in keystore\n@");
  });

  test("half a command then close is forgotten", async () => {
    const server = testServer();
    const client = await server.owner();
    client.socket.end(`update:a.b@alice ${"x".repeat(100_000)}`);
    await client.readAll();
    expect(server.store.get("a.b@alice")).toBeUndefined();
    expect(server.parts.inputBudget.takenBytes).toBe(0);
  });

  test("a line that nobody but the owner may send is refused with its size, and the rest is read away", async () => {
    const client = await testServer({ limits: { maxSmallLineBytes: 1_000 } }).anonymous();
    client.send(`lookup:${"x".repeat(992)}`);
    client.send("x".repeat(1_000));
    expect(await client.readAll()).toBe(
      "error:AT0005-Exception: InboundBuffer overflow: server received request which exceeded the buffer size limit." +
        " Terminating the connection. (limit 1000, got 1999)\n@",
    );
  });

  test("a fault of ours is told without detail, logged once, and closes", async () => {
    const { log, lines } = recordingLog();
    const broken = verb({
      syntax: command("broken"),
      allow: ["anonymous"],
      handle: () => {
        throw new TypeError("secret detail");
      },
    });
    const late = verb({ ...broken, syntax: command("late"), handle: async () => Promise.reject(new Error("secret")) });
    const server = testServer({ extraVerbs: [broken, late], log });
    const client = await server.anonymous();
    client.send("broken\nnoop:0\n");
    expect(await client.readAll()).toBe("error:AT0011-Exception: Internal server exception\n@");
    const other = await server.anonymous();
    other.send("late\n");
    expect(await other.readAll()).toBe("error:AT0011-Exception: Internal server exception\n@");
    expect(lines).toHaveLength(2);
    expect(lines[0]?.fields.err?.message).toBe("secret detail");
  });
});

describe("large commands", () => {
  const value = "x".repeat(10_230_000);
  const padding = `${"x".repeat(10_240_000 - 10_230_000 - "update:dataSignature::a.b@alice \n".length)}`;

  test("are accepted up to 10,240,000 bytes and come back whole", async () => {
    const server = testServer();
    const client = await server.owner();
    const line = `update:dataSignature:${padding}:a.b@alice ${value}\n`;
    expect(Buffer.byteLength(line)).toBe(10_240_000);
    client.send(line);
    expect(await client.read()).toBe("data:0\n@alice@");
    expect(server.parts.inputBudget.takenBytes).toBe(0);
    client.send("llookup:a.b@alice\n");
    expect((await client.readReply()) === `data:${value}\n@alice@`).toBe(true);
    await until(() => server.parts.outputBudgets.owner.takenBytes === 0);
  });

  test("are refused from one byte more on, and nothing is stored", async () => {
    const server = testServer();
    const client = await server.owner();
    client.send(`update:dataSignature:${padding}x:a.b@alice ${value}\n`);
    expect(await client.readAll()).toMatch(/^error:AT0005-Buffer limit exceeded : .* got 10240001\)\n@alice@$/);
    expect(server.store.get("a.b@alice")).toBeUndefined();
    expect(server.parts.inputBudget.takenBytes).toBe(0);
  });

  test("share a budget, in turns", async () => {
    const limits = { maxLineBytes: 100_000, maxSmallLineBytes: 1_000 };
    const server = testServer({ limits, heldBytes: 150_000 });
    const first = await server.owner();
    const second = await server.owner();
    first.send(`update:a.b@alice ${"x".repeat(50_000)}`);
    await until(() => server.parts.inputBudget.takenBytes === 100_000);
    second.send(`update:b.b@alice ${"x".repeat(50_000)}`);
    await until(() => second.server.isPaused());
    second.send("\n");
    expect(second.session.lineDueMs).toBeUndefined();
    first.send("\n");
    expect(await first.read()).toBe("data:0\n@alice@");
    expect(await second.read()).toBe("data:1\n@alice@");
    expect(server.parts.inputBudget.takenBytes).toBe(0);
  });

  test("that end with their connection give their share back", async () => {
    const limits = { maxLineBytes: 100_000, maxSmallLineBytes: 1_000 };
    const server = testServer({ limits, heldBytes: 100_000 });
    const first = await server.owner();
    const second = await server.owner();
    first.send(`update:a.b@alice ${"x".repeat(50_000)}`);
    await until(() => server.parts.inputBudget.takenBytes === 100_000);
    second.send(`update:b.b@alice ${"x".repeat(50_000)}`);
    await until(() => second.server.isPaused());
    second.send("\n");
    first.server.destroy();
    expect(await second.read()).toBe("data:0\n@alice@");
    expect(server.parts.inputBudget.takenBytes).toBe(0);
  });
});

describe("slow clients", () => {
  test("must end a command in time", async () => {
    const server = testServer();
    const due: number[] = [];
    const client = await server.anonymous({ onDue: (dueMs) => due.push(dueMs) });
    client.send("loo");
    await until(() => client.session.lineDueMs !== undefined);
    server.clock.advance(10_000);
    client.send("kup:");
    await until(() => due.length === 1);
    expect(client.session.lineDueMs).toBe(30_000);
    client.session.expire();
    expect(await client.readAll()).toBe("error:AT0023-Exception: the command did not end in time\n@");
  });

  test("that do not read are cut off, and cost no more than one reply", async () => {
    const server = testServer({ limits: { unreadMs: 50, pieceBytes: 1_000 } });
    const client = await server.owner();
    await client.ask(`update:a.b@alice ${"x".repeat(60_000)}`);
    client.socket.pause();
    client.send("llookup:a.b@alice\n".repeat(100));
    await until(() => client.session.ending);
    expect(server.parts.outputBudgets.owner.takenBytes).toBe(0);
  });

  test("take memory by bytes, not by characters", async () => {
    const server = testServer({ limits: { unreadMs: 60_000 }, heldBytes: 300_000 });
    const client = await server.owner();
    await client.ask(`update:a.b@alice ${"x".repeat(60_000)}`);
    await client.ask(`update:c.d@alice ${"漢".repeat(60_000)}`);
    client.socket.pause();
    client.send("llookup:a.b@alice\nllookup:c.d@alice\n");
    await until(() => server.parts.outputBudgets.owner.takenBytes === 180_000);
    client.server.destroy();
  });

  test("hold memory for large replies only as long as they may", async () => {
    const server = testServer({
      limits: { unreadMs: 60_000, largeReplyMs: 100, pieceBytes: 1_000, turnMs: 5_000 },
      heldBytes: 300_000,
    });
    const writer = await server.owner();
    await writer.ask(`update:public:a.b@alice ${"x".repeat(200_000)}`);
    const slow = await server.anonymous();
    slow.socket.pause();
    slow.send("lookup:a.b@alice\n");
    const next = await server.anonymous();
    next.send("lookup:a.b@alice\n");
    expect(await next.readReply()).toHaveLength(200_007);
    expect(slow.session.ending).toBe(true);
  });

  test("are told when there is no memory for a reply", async () => {
    const server = testServer({ limits: { pieceBytes: 1_000, turnMs: 20 }, heldBytes: 10_000 });
    const client = await server.owner();
    await client.ask(`update:a.b@alice ${"x".repeat(9_000)}`);
    const lease = server.parts.outputBudgets.owner.tryTake(5_000);
    expect(await client.ask("llookup:a.b@alice")).toBe(
      "error:AT0024-Server is paused : too many large replies are being read\n@alice@",
    );
    lease?.release();
    client.send("llookup:a.b@alice\n");
    expect(await client.readReply()).toHaveLength(9_013);
  });
});

describe("a flood of commands", () => {
  test("of one chunk takes time in proportion, however small they are", async () => {
    const client = await testServer().anonymous();
    await client.ask("noop:0");
    const began = performance.now();
    client.send(`${"\n".repeat(4_000_000)}noop:0\n`);
    expect(await client.read()).toBe("data:ok\n@");
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test("is answered whole and in order", async () => {
    const client = await testServer().anonymous();
    client.send("noop:0\ninfo:brief\nnoop:1\n".repeat(500));
    for (let i = 0; i < 500; i++) {
      expect(await client.read()).toBe("data:ok\n@");
      expect(await client.read()).toContain("uptimeAsMillis");
      expect(await client.read()).toBe("data:ok\n@");
    }
  });
});

describe("the end of a session", () => {
  test("is silent when it is idle", async () => {
    const client = await testServer().owner();
    client.session.end();
    expect(await client.readAll()).toBe("");
  });

  test("comes after the running command when it is drained, and no other command runs", async () => {
    const client = await testServer().anonymous();
    client.send("noop:30\nnoop:0\n");
    await until(() => client.session.busy);
    client.session.drain();
    expect(await client.readAll()).toBe("data:ok\n@");
  });

  test("comes by force when the client does not close", async () => {
    const client = await testServer({ limits: { lingerMs: 20 } }).anonymous();
    client.session.end();
    expect(await client.read()).toBeUndefined();
    await until(() => client.server.destroyed);
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
