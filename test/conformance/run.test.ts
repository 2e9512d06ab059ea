import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { expect, test } from "@jest/globals";
import { testCa } from "../kit/certificates.ts";
import type { Row, Step } from "./row.ts";
import { type Result, runRows } from "./run.ts";

const ca = testCa();
const { certificate, key } = ca.issue({ dns: ["alice.test"] });

/** The outcome of a row on a server that answers each chunk so. */
async function outcomeOf(
  answer: (command: string, socket: TLSSocket) => void,
  steps: readonly Step[],
  more: Partial<Row> & { reference?: boolean } = {},
): Promise<Result> {
  const { reference = false, ...row } = more;
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: certificate, key }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("data", (chunk) => answer(`${chunk}`.trim(), socket));
    socket.write("@");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const endpoint = { host: "127.0.0.1", port, servername: "alice.test", ca: ca.pem };
    const given = { accounts: { alice: { atSign: "@alice", endpoint } } };
    const [result] = await runRows([{ id: "row", from: "a document", steps, ...row }], given, { reference });
    if (result === undefined) throw new Error("no result");
    return result;
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const noop: readonly Step[] = [["anyone", "noop:0", "data:ok"]];

test("what is expected is ok", async () => {
  const { outcome } = await outcomeOf((_command, socket) => socket.write("data:ok\n@"), noop);
  expect(outcome).toBe("ok");
});

test.each([
  ["another reply", "data:no\n@", /expected "data:ok\\n@", saw "data:no\\n@"/],
  ["another prompt", "data:ok\n@alice@", /saw "data:ok\\n@alice@"/],
  ["two replies", "data:ok\n@data:ok\n@", /saw "data:ok\\n@data:ok\\n@"/],
])("%s is a failure", async (_what, reply, why) => {
  const result = await outcomeOf((_command, socket) => socket.write(reply), noop);
  expect(result).toMatchObject({ outcome: "FAIL", why: expect.stringMatching(why) });
});

test("a reply and its prompt in two TLS records are a failure", async () => {
  const answer = (_command: string, socket: TLSSocket) => {
    socket.write("data:ok\n");
    socket.write("@");
  };
  expect(await outcomeOf(answer, noop)).toMatchObject({
    outcome: "FAIL",
    why: expect.stringContaining("2 TLS records"),
  });
});

test("bytes that nobody asked for are a failure", async () => {
  const answer = (_command: string, socket: TLSSocket) => {
    socket.write("data:ok\n@");
    setImmediate(() => socket.write("@"));
  };
  expect((await outcomeOf(answer, [...noop, ...noop])).outcome).toBe("FAIL");
});

test("a connection that stays open is a failure where it must be closed, and the other way round", async () => {
  const closing = (_command: string, socket: TLSSocket) => socket.end("data:ok\n@");
  expect((await outcomeOf(closing, [...noop, ...noop])).outcome).toBe("FAIL");
  expect((await outcomeOf(closing, [...noop, { on: "anyone", closes: true }])).outcome).toBe("ok");
});

test("a prompt on a monitor is a failure", async () => {
  const answer = (command: string, socket: TLSSocket) => {
    if (command === "noop:0") socket.write("data:ok\n@");
    else socket.write('notification: {"id":"-1"}\n');
  };
  const steps: readonly Step[] = [
    ["anyone!", "monitor", ""],
    ["anyone!", "noop:0", "data:ok"],
  ];
  expect(await outcomeOf(answer, steps)).toMatchObject({ outcome: "FAIL", why: expect.stringContaining("unasked") });
});

test("what is otherwise on purpose differs on a server that is not ours", async () => {
  const answer = (_command: string, socket: TLSSocket) => socket.write("data:null\n@");
  const differs = "because";
  expect((await outcomeOf(answer, noop, { differs })).outcome).toBe("FAIL");
  expect((await outcomeOf(answer, noop, { differs, reference: true })).outcome).toBe("differs");
  expect((await outcomeOf(answer, noop, { reference: true })).outcome).toBe("FAIL");
});

test("what the target has not got is needed, not passed", async () => {
  const answer = (_command: string, socket: TLSSocket) => socket.write("data:ok\n@");
  const result = await outcomeOf(answer, [["friend", "noop:0", "data:ok"]]);
  expect(result).toMatchObject({ outcome: "needs", why: "its address of @bob" });
});
