import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { cram, deleteRecord, LineSplitter, pkam, update, verifyCram, verifyPkam } from "@atrium/protocol";
import { type AtKeys, activate, Client, inspect, type Platform, readKeyFile } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { testCa } from "../kit/certificates.ts";

/*
 * What a real platform does not show when asked: an atServer that breaks off at any step, lies, or is slow. A real
 * one's behaviour is tested in at.test.ts.
 */

const secret = "s3cret";
const names = ["directory.localhost", "alice.zone.localhost"];

/** What an atServer does with one command; undefined: it says nothing and closes the connection. */
type Behaviour = (line: string, proper: () => string) => string | undefined | "silence";

/** An atServer of @alice that knows just enough to be activated. */
class ScriptedAtServer {
  readonly records = new Map<string, string>([["privatekey:at_secret", secret]]);
  readonly commands: string[] = [];
  behave: Behaviour = (_line, proper) => proper();

  serve(socket: TLSSocket): void {
    const lines = new LineSplitter();
    const session = { challenge: "" };
    // Clients break off, too.
    socket.on("error", () => undefined);
    socket.write("@");
    socket.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) this.#answer(socket, session, line.toString());
    });
  }

  #answer(socket: TLSSocket, session: { challenge: string }, line: string): void {
    if (line === "@exit") return void socket.end();
    this.commands.push(line);
    const reply = this.behave(line, () => this.#proper(session, line));
    if (reply === undefined) socket.end();
    else if (reply !== "silence") socket.write(`${reply}\n@`);
  }

  #proper(session: { challenge: string }, line: string): string {
    if (line.startsWith("from:")) {
      session.challenge = `_${randomUUID()}@alice:${randomUUID()}`;
      return `data:${session.challenge}`;
    }
    if (line.startsWith("cram:")) return this.#proof(this.#cramIsRight(session.challenge, line));
    if (line.startsWith("pkam:")) return this.#proof(this.#pkamIsRight(session.challenge, line));
    if (line.startsWith("update:")) {
      const { key, value } = update.parse(line);
      this.records.set(key, value);
      return "data:1";
    }
    if (line.startsWith("delete:")) {
      this.records.delete(deleteRecord.parse(line).key);
      return "data:-1";
    }
    if (line === "info") return 'data:{"version":"scripted"}';
    const published = this.records.get("public:publickey@alice");
    return published === undefined ? "error:AT0015-Exception: not there" : `data:${published}`;
  }

  #cramIsRight(challenge: string, line: string): boolean {
    const stored = this.records.get("privatekey:at_secret");
    return stored !== undefined && verifyCram({ secret: stored, challenge, ...cram.parse(line) });
  }

  #pkamIsRight(challenge: string, line: string): boolean {
    const publicKey = this.records.get("privatekey:at_pkam_publickey");
    return publicKey !== undefined && verifyPkam({ publicKey, challenge, ...pkam.parse(line) });
  }

  #proof(right: boolean): string {
    return right ? "data:success" : "error:AT0401-Exception: authentication failed";
  }
}

let home: string;
let platform: Platform;
let atServer: ScriptedAtServer;
const servers: Server[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "atrium-faults-"));
  const authority = testCa();
  const { certificate, key } = authority.issue({ dns: names });
  const listen = async (serve: (socket: TLSSocket) => void): Promise<number> => {
    const server = createServer({ cert: certificate, key }, serve).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const gateway = { host: "127.0.0.1", port: await listen((socket) => atServer.serve(socket)) };
  const port = await listen((socket) => {
    socket.on("error", () => undefined);
    socket.write("@");
    socket.once("data", () => socket.end("alice.zone.localhost:1\r\n@"));
  });
  platform = { directory: { host: "directory.localhost", port }, ca: authority.pem, zone: "zone.localhost", gateway };
});

afterAll(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(home, { recursive: true, force: true });
});

/** Activates @alice with keys in `file`. */
function activateInto(file: string, timeoutMs = 2000): Promise<AtKeys> {
  return activate({ atSign: "@alice", platform, secret, keyFile: file, timeoutMs });
}

/** What must hold at the end, whatever happened on the way. */
async function expectActivated(file: string): Promise<void> {
  const keys = await readKeyFile("@alice", file);
  expect(Object.fromEntries(atServer.records)).toEqual({
    "privatekey:at_pkam_publickey": keys.pkam.publicKey,
    "public:publickey@alice": keys.encryption.publicKey,
  });
}

// lookup, from, cram, update, from, pkam, update, delete
const steps = [0, 1, 2, 3, 4, 5, 6, 7];

describe.each([
  ["before", (_proper: () => string) => undefined],
  [
    "after",
    (proper: () => string) => {
      proper();
      return undefined;
    },
  ],
])("an activation that breaks off %s the atServer acts", (when, breakOff) => {
  test.each(steps)("at its command %i is taken up by the next", async (step) => {
    const file = join(home, `${when}-${step}`);
    atServer = new ScriptedAtServer();
    atServer.behave = (_line, proper) => (atServer.commands.length === step + 1 ? breakOff(proper) : proper());
    await expect(activateInto(file)).rejects.toMatchObject({ reason: "unreachable" });
    const keysBefore = step > 2 ? readFileSync(file, "utf8") : undefined;
    atServer.behave = (_line, proper) => proper();
    if (when === "after" && step === 7) {
      await expect(activateInto(file)).rejects.toMatchObject({ reason: "refused", advice: /nothing is left to do/ });
    } else {
      await activateInto(file);
    }
    await expectActivated(file);
    if (keysBefore !== undefined) expect(readFileSync(file, "utf8")).toBe(keysBefore);
  });
});

test("an activation that was done as far as its keys ends without the secret, too", async () => {
  const file = join(home, "secretless");
  atServer = new ScriptedAtServer();
  atServer.behave = (line, proper) => (line.startsWith("update:public:") ? undefined : proper());
  await expect(activateInto(file)).rejects.toMatchObject({ reason: "unreachable" });
  atServer.behave = (_line, proper) => proper();
  await activate({ atSign: "@alice", platform, secret: "another", keyFile: file });
  await expectActivated(file);
});

test("an activation with the keys of an earlier platform uses them again", async () => {
  const file = join(home, "again");
  atServer = new ScriptedAtServer();
  const keys = await activateInto(file);
  atServer = new ScriptedAtServer();
  expect(await activateInto(file)).toEqual(keys);
  await expectActivated(file);
});

test("an activation into a directory that cannot be written tells the atServer nothing", async () => {
  atServer = new ScriptedAtServer();
  await expect(activateInto(join(home, "again", "x"))).rejects.toMatchObject({ reason: "local" });
  symlinkSync("/nowhere", join(home, "dangling"));
  await expect(activateInto(join(home, "dangling", "x"))).rejects.toMatchObject({ reason: "local" });
  expect([...atServer.records.keys()]).toEqual(["privatekey:at_secret"]);
});

describe("an atServer", () => {
  let keys: AtKeys;

  beforeAll(async () => {
    atServer = new ScriptedAtServer();
    keys = await activateInto(join(home, "keys"));
  });

  async function open(timeoutMs = 2000): Promise<Client> {
    return await Client.open({ atSign: "@alice", platform, keys, timeoutMs });
  }

  test("that is slow runs into the deadline", async () => {
    await using alice = await open(200);
    atServer.behave = () => "silence";
    await expect(alice.get("a.b")).rejects.toMatchObject({ reason: "timeout", message: /did not answer within 0.2 s/ });
    atServer.behave = (_line, proper) => proper();
    await alice.put("a.b", "x");
  });

  test("that lost the connection is connected to again, once, by all who need it", async () => {
    await using alice = await open();
    atServer.behave = (line, proper) => (line === "scan" ? undefined : proper());
    await expect(alice.scan()).rejects.toMatchObject({ reason: "unreachable" });
    atServer.behave = (_line, proper) => proper();
    atServer.commands.length = 0;
    await Promise.all([alice.put("a.b", "x"), alice.put("c.d", "y"), alice.delete("e.f")]);
    expect(atServer.commands.filter((line) => line.startsWith("from:"))).toHaveLength(1);
  });

  test("is left for good by a client that is closed", async () => {
    const alice = await open();
    await alice[Symbol.asyncDispose]();
    await expect(alice.scan()).rejects.toMatchObject({ reason: "invalid", message: "the client of @alice is closed" });
    await alice[Symbol.asyncDispose]();
  });

  test.each([
    ["no JSON", "data:{"],
    ["no record", "data:[]"],
    ["a number", 'data:{"key":"a.b@alice","data":7,"metaData":{}}'],
    ["damaged metadata", 'data:{"key":"a.b@alice","data":"x","metaData":{"version":"first"}}'],
    ["metadata that is none", 'data:{"key":"a.b@alice","data":"x","metaData":7}'],
    ["cipher text that is none", 'data:{"key":"a.b@alice","data":"x","metaData":{"isEncrypted":true}}'],
    ["no protocol", "hello"],
  ])("that answers %s is not believed", async (_what, reply) => {
    await using alice = await open();
    atServer.behave = () => reply;
    await expect(alice.get("a.b")).rejects.toMatchObject({ reason: "corrupt" });
    atServer.behave = (_line, proper) => proper();
  });

  test.each([["data:null"], ["error:AT0015-key not found : a.b@alice"]])(
    "that says %s has no such record",
    async (reply) => {
      await using alice = await open();
      atServer.behave = () => reply;
      await expect(alice.get("a.b")).rejects.toMatchObject({
        reason: "not_found",
        message: "there is no record a.b@alice",
      });
      atServer.behave = (_line, proper) => proper();
    },
  );

  test("that exchanges a public value is found out", async () => {
    await using alice = await open();
    await alice.put("public:a.b", "true");
    const { value, metadata } = update.parse(atServer.commands.at(-1) ?? "");
    const answer = (data: string) => () =>
      `data:${JSON.stringify({ key: "public:a.b@alice", data, metaData: metadata })}`;
    atServer.behave = answer(value);
    expect(await alice.get("public:a.b")).toMatchObject({ value: "true", signed: true });
    atServer.behave = answer("false");
    await expect(alice.get("public:a.b")).rejects.toMatchObject({ reason: "corrupt", message: /signature/ });
    expect(await alice.get("public:a.b", { unverified: true })).toMatchObject({ value: "false", signed: false });
    atServer.behave = (_line, proper) => proper();
  });

  test("that does not confirm a write did not do it, as far as anybody knows", async () => {
    await using alice = await open();
    atServer.behave = () => "data:null";
    await expect(alice.put("a.b", "x")).rejects.toMatchObject({ reason: "corrupt" });
    atServer.behave = (_line, proper) => proper();
  });

  test("whose certificate is for another name is not talked to", async () => {
    const elsewhere = {
      ...platform,
      zone: undefined,
      gateway: undefined,
      directory: platform.gateway ?? platform.directory,
    };
    await expect(inspect({ atSign: "@alice", platform: elsewhere })).rejects.toMatchObject({ reason: "untrusted" });
  });
});
