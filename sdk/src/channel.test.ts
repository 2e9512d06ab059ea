import { once } from "node:events";
import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Channel } from "./channel.ts";
import type { ClientError } from "./errors.ts";

const options = { what: "the peer", timeoutMs: 5000, maxReplyBytes: 1 << 20 };
const impatient = { ...options, timeoutMs: 50 };

/** A channel and the other side of its connection. */
async function open(using: Partial<typeof options> = {}): Promise<{ channel: Channel; peer: Duplex }> {
  const [mine, peer] = duplexPair();
  peer.write("@");
  const channel = await Channel.open(mine, { ...options, ...using });
  if (typeof channel === "string") throw new Error(channel);
  return { channel, peer };
}

/** Answers every line that arrives at `peer` with the next of the replies, all of them in pieces. */
function answer(peer: Duplex, replies: string[], pieces: (bytes: Buffer) => Iterable<Buffer>): string[] {
  const lines: string[] = [];
  let rest = "";
  peer.on("data", (chunk: Buffer) => {
    rest += chunk.toString("utf8");
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n")) {
      lines.push(rest.slice(0, end));
      rest = rest.slice(end + 1);
      for (const piece of pieces(Buffer.from(replies.shift() ?? ""))) peer.write(piece);
    }
  });
  return lines;
}

function* everyByte(bytes: Buffer): Iterable<Buffer> {
  for (let i = 0; i < bytes.length; i++) yield bytes.subarray(i, i + 1);
}

describe("a dialogue", () => {
  test.each([
    ["in one piece", (bytes: Buffer) => [bytes]],
    ["byte by byte", everyByte],
  ])("is understood %s", async (_how, pieces) => {
    const { channel, peer } = await open();
    const lines = answer(
      peer,
      [
        "data:_1@alice:2\n@",
        "data:success\n@alice@",
        'data:["grüße@alice","a:b"]\r\n@alice@',
        "error:AT0015-x : y@z\n@",
        "data:\n@",
      ],
      pieces,
    );
    expect(await channel.exchange("from:@alice")).toBe("data:_1@alice:2");
    expect(await channel.exchange("pkam:x")).toBe("data:success");
    expect(await channel.exchange("scan")).toBe('data:["grüße@alice","a:b"]');
    expect(await channel.exchange("llookup:y@z")).toBe("error:AT0015-x : y@z");
    expect(await channel.exchange("config")).toBe("data:");
    expect(lines).toEqual(["from:@alice", "pkam:x", "scan", "llookup:y@z", "config"]);
  });

  test("does not depend on where replies are cut, nor on prompts", async () => {
    const payload = fc
      .string({ unit: "grapheme", maxLength: 40 })
      .map((text) => `data:${text.replaceAll(/[\r\n]/g, " ")}`);
    const reply = fc.tuple(payload, fc.constantFrom("@", "@alice@", "@💚@", ""));
    await fc.assert(
      fc.asyncProperty(fc.array(reply, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(7)), async (replies, cuts) => {
        const { channel, peer } = await open();
        const pieces = function* (bytes: Buffer) {
          let from = 0;
          for (const cut of cuts) {
            if (cut > 0 && from < bytes.length) yield bytes.subarray(from, from + cut);
            from += cut;
          }
          if (from < bytes.length) yield bytes.subarray(from);
        };
        answer(
          peer,
          replies.map(([line, prompt]) => `${line}\n${prompt}`),
          pieces,
        );
        for (const [line] of replies) expect(await channel.exchange("noop:0")).toBe(line);
        await channel[Symbol.asyncDispose]();
      }),
      { numRuns: 50 },
    );
  });

  test("keeps questions that are asked at once apart", async () => {
    const { channel, peer } = await open();
    const lines = answer(peer, ["data:1\n@", "data:2\n@", "data:3\n@"], everyByte);
    expect(await Promise.all(["a", "b", "c"].map((line) => channel.exchange(line)))).toEqual([
      "data:1",
      "data:2",
      "data:3",
    ]);
    expect(lines).toEqual(["a", "b", "c"]);
  });

  test("sends the next line only when the one before is sent, even where the answer came early", async () => {
    const { channel, peer } = await open();
    const long = "x".repeat(2 << 20);
    const first = channel.exchange(long);
    const second = channel.exchange("next");
    await once(peer, "readable");
    peer.write("error:AT0005-too long\n@");
    expect(await first).toBe("error:AT0005-too long");
    let received = "";
    peer.on("data", (chunk: Buffer) => {
      received += chunk.toString();
      if (received.endsWith("next\n")) peer.write("data:ok\n@");
    });
    expect(await second).toBe("data:ok");
    expect(received).toBe(`${long}\nnext\n`);
  });

  test("ends politely, and fails from then on", async () => {
    const { channel, peer } = await open();
    let received = "";
    peer.on("data", (chunk: Buffer) => {
      received += chunk.toString();
    });
    await channel[Symbol.asyncDispose]();
    expect(received).toBe("@exit\n");
    expect(channel.usable).toBe(false);
    await expect(channel.exchange("scan")).rejects.toMatchObject({ reason: "unreachable", message: /is closed/ });
    await channel[Symbol.asyncDispose]();
  });
});

describe("a refusal", () => {
  test("is handed to the caller", async () => {
    const [mine, peer] = duplexPair();
    peer.end("error:AT0012-Inbound connection limit exceeded\n");
    expect(await Channel.open(mine, options)).toBe("error:AT0012-Inbound connection limit exceeded");
    expect(mine.destroyed).toBe(true);
  });
});

describe("a fault of the other side", () => {
  test.each<[string, (peer: Duplex) => unknown, Partial<ClientError>]>([
    [
      "a close before the greeting",
      (peer) => peer.end(),
      { reason: "unreachable", message: "the peer closed the connection at once" },
    ],
    ["a break", (peer) => peer.destroy(new Error("reset")), { reason: "unreachable" }],
    ["silence", () => undefined, { reason: "timeout", message: "the peer did not greet within 0.05 s" }],
    ["half a refusal", (peer) => peer.write("error:AT00"), { reason: "timeout" }],
  ])("at the beginning: %s", async (_what, act, expected) => {
    const [mine, peer] = duplexPair();
    peer.on("error", () => undefined);
    act(peer);
    await expect(Channel.open(mine, impatient)).rejects.toMatchObject(expected);
    expect(mine.destroyed).toBe(true);
  });

  test.each<[string, (peer: Duplex) => unknown, Partial<ClientError>]>([
    [
      "a close instead of an answer",
      (peer) => peer.end(),
      { reason: "unreachable", message: "the peer closed the connection without an answer" },
    ],
    ["a close within an answer", (peer) => peer.end("data:o"), { reason: "unreachable" }],
    ["no answer", () => undefined, { reason: "timeout", message: "the peer did not answer within 0.05 s" }],
    ["an answer that does not end", (peer) => peer.write("data:o"), { reason: "timeout" }],
    ["an answer that is too long", (peer) => peer.write(`data:${"x".repeat(200)}`), { reason: "corrupt" }],
    ["an answer that is not UTF-8", (peer) => peer.write(Buffer.from([0xff, 0x0a])), { reason: "corrupt" }],
  ])("later: %s", async (_what, act, expected) => {
    const { channel, peer } = await open({ timeoutMs: 50, maxReplyBytes: 100 });
    const waiting = [channel.exchange("one"), channel.exchange("two")];
    act(peer);
    for (const result of await Promise.allSettled(waiting))
      expect(result).toMatchObject({ status: "rejected", reason: expected });
    expect(channel.usable).toBe(false);
  });

  test.each([
    ["a second line", "data:1\ndata:2\n@"],
    ["a long text where a prompt should be", `data:1\n${"@".repeat(2000)}`],
  ])("%s loses the connection", async (_what, bytes) => {
    const { channel, peer } = await open();
    const reply = channel.exchange("one");
    await once(peer, "readable");
    peer.write(bytes);
    expect(await reply).toBe("data:1");
    await expect(channel.exchange("two")).rejects.toMatchObject({ reason: "corrupt" });
  });

  test("trickling does not hold a deadline off for long", async () => {
    const { channel, peer } = await open(impatient);
    const started = performance.now();
    const drip = setInterval(() => peer.write("x"), 5);
    await expect(channel.exchange("one")).rejects.toMatchObject({ reason: "timeout" });
    clearInterval(drip);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("not reading what is sent runs into the deadline", async () => {
    const { channel } = await open(impatient);
    await expect(channel.exchange("x".repeat(1 << 20))).rejects.toMatchObject({ reason: "timeout" });
  });
});
