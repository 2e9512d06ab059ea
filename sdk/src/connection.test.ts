import { duplexPair } from "node:stream";
import { cramDigest, verifyPkam } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import { type AtKeys, newAtKeys } from "./atkeys.ts";
import { Connection } from "./connection.ts";
import { logIn, proveSecret } from "./login.ts";

const keys: AtKeys = await newAtKeys();

/** A connection to an atServer that answers its n-th command with the n-th reply. */
async function over(...replies: string[]): Promise<{ connection: Connection; commands: string[] }> {
  const [mine, server] = duplexPair();
  const commands: string[] = [];
  server.write("@");
  server.on("data", (chunk: Buffer) => {
    commands.push(chunk.toString().trimEnd());
    server.write(replies.shift() ?? "");
  });
  return { connection: await Connection.over(mine, "the atServer", 1000), commands };
}

describe("an error", () => {
  test.each([
    ["error:AT0015-key not found : x@alice does not exist in keystore", "not_found", "AT0015"],
    ["error:AT0015-Exception: x@alice does not exist in keystore", "not_found", "AT0015"],
    ['error:{"errorCode":"AT0015","errorDescription":"key not found : x@alice"}', "not_found", "AT0015"],
    ["error:AT0026:enrollment_id: 1 is pending", "authentication", "AT0026"],
    ["error:AT0401-Exception: pkam authentication failed", "authentication", "AT0401"],
    ["error:AT0007-Exception: no entry", "not_found", "AT0007"],
    ["error:AT0021-Exception: away", "unreachable", "AT0021"],
    ["error:AT0016-Invalid key : no", "refused", "AT0016"],
    ["error:null:InvalidSyntaxException", "refused", "AT0011"],
  ])("in the form %s is a failure: %s", async (line, reason, code) => {
    const { connection } = await over(`${line}\n@`);
    await expect(connection.send("llookup:x@alice")).rejects.toMatchObject({ reason, code });
    expect(connection.usable).toBe(true);
  });

  test("instead of a greeting is one, too", async () => {
    const [mine, server] = duplexPair();
    server.end("error:AT0012-Inbound connection limit exceeded\n");
    await expect(Connection.over(mine, "the atServer", 1000)).rejects.toMatchObject({
      reason: "unreachable",
      code: "AT0012",
    });
  });

  test("is what else a server may say", async () => {
    const [mine, server] = duplexPair();
    server.write("HTTP/1.1 400 Bad Request\r\n");
    await expect(Connection.over(mine, "the atServer", 1000)).rejects.toMatchObject({ reason: "corrupt" });
    const { connection } = await over("success\n@");
    await expect(connection.send("noop:0")).rejects.toMatchObject({ reason: "corrupt" });
  });
});

describe("a login", () => {
  const challenge = "_11111111-2222-3333-4444-555555555555@alice:66666666-7777-8888-9999-000000000000";

  test("signs the challenge", async () => {
    const { connection, commands } = await over(`data:${challenge}\n@`, "data:success\n@alice@");
    await logIn(connection, "@alice", keys);
    expect(commands[0]).toBe("from:@alice");
    const signature = commands[1]?.replace(/^pkam:/, "") ?? "";
    expect(verifyPkam({ publicKey: keys.pkam.publicKey, signature, challenge })).toBe(true);
  });

  test("names the enrolment of an enrolled app", async () => {
    const { connection, commands } = await over(`data:${challenge}\n@`, "data:success\n@alice@");
    await logIn(connection, "@alice", { ...keys, enrollmentId: "5d1a" });
    expect(commands[1]).toMatch(/^pkam:enrollmentId:5d1a:[A-Za-z0-9+/=]{344}$/);
  });

  test("proves a secret", async () => {
    const { connection, commands } = await over(`data:${challenge}\n@`, "data:success\n@alice@");
    await proveSecret(connection, "@alice", "secret");
    expect(commands).toEqual(["from:@alice", `cram:${cramDigest("secret", challenge)}`]);
    expect(commands[1]).toContain("ab546f9e653b6ec47ee56818b6f57c9b");
  });

  test.each(["_1@bob:2", "proof:_1@alice:2", "pay 100 to @mallory", "1@alice:2", ""])(
    "signs no challenge like %j",
    async (text) => {
      const { connection, commands } = await over(`data:${text}\n@`);
      await expect(logIn(connection, "@alice", keys)).rejects.toMatchObject({ reason: "corrupt" });
      expect(commands).toEqual(["from:@alice"]);
    },
  );

  test("that is not confirmed is none", async () => {
    const { connection } = await over(`data:${challenge}\n@`, "data:maybe\n@");
    await expect(logIn(connection, "@alice", keys)).rejects.toMatchObject({ reason: "authentication" });
  });
});
