import { silent } from "@atrium/runtime/log.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { testCa } from "../../../test/kit/certificates.ts";
import { TlsService } from "../../../test/kit/tls-service.ts";
import type { Certificates } from "../identity/identity.ts";
import { type Dial, dialer } from "./dial.ts";
import { noNetworks, parseNetworks } from "./dialable.ts";
import { DirectoryClient } from "./directory.ts";

const host = "alice.at.test";
const ca = testCa();
let service: TlsService;
let answer = "";

beforeAll(async () => {
  const pair = ca.issue({ dns: [host, "localhost", "directory.atrium.internal"] });
  service = await TlsService.listen(pair, () => answer, { end: "\r\n" });
});

afterAll(() => service[Symbol.dispose]());

function dialling(privateAddresses = noNetworks) {
  const pair = ca.issue({ dns: ["bob.at.test"], client: true });
  const current: Certificates = { serving: pair, client: pair, trust: ca.pem, expiresAtMs: 0 };
  const zones = [{ zone: "at.test", at: { host: "127.0.0.1", port: service.port } }];
  return dialer({ identity: { current }, platformCa: undefined, zones, privateAddresses });
}

async function outcome(dial: Dial, to: string, names?: string[]): Promise<string> {
  try {
    (await dial({ host: to, port: service.port }, names)).destroy();
    return "connected";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("what a directory names", () => {
  test("is dialled at the gateway when it is under a zone", async () => {
    expect(await outcome(dialling().dial, host)).toBe("connected");
  });

  test.each(["127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "alice.localhost", "127.1", "2130706433", "0x7f.1"])(
    "is not dialled at %s, however that is written",
    async (to) => {
      const refusal = await outcome(dialling().dial, to, ["localhost"]);
      // A resolver may not know the old notations; one that does gives the address.
      expect(refusal).toMatch(/: (?:its address is not a public one|ENOTFOUND|EAI_AGAIN)$/);
    },
  );

  test("is dialled there when that is allowed", async () => {
    const { dial } = dialling(parseNetworks("127.0.0.0/8"));
    expect(await outcome(dial, "localhost")).toBe("connected");
    expect(await outcome(dial, "127.0.0.1", ["localhost"])).toBe("connected");
  });

  test("may not be the neighbour of a zone", async () => {
    const refusal = await outcome(dialling().dial, "127.0.0.1", [host]);
    expect(refusal).toContain("its address is not a public one");
  });

  test("is not what the settings name: the directory is dialled where it is", async () => {
    const { dial, dialKnown } = dialling();
    const directory = { host: "127.0.0.1", port: service.port };
    const found = async (by: Dial) =>
      await new DirectoryClient({ directory, dial: by, log: silent, monotonic: () => 0, random: () => 0 }).find("@eve");
    answer = `metadata.internal:80`;
    expect(await found(dialKnown)).toEqual({ host: "metadata.internal", port: 80 });
    await expect(found(dial)).rejects.toMatchObject({ error: "unable_to_connect" });
  });
});
