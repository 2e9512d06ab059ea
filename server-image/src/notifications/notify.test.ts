import type { AtSign } from "@atrium/protocol";
import { describe, expect, test } from "@jest/globals";
import { type TestClient, testServer } from "../testing/atserver.ts";

/** 2026-01-01, when the clock of these tests stands still. */
const start = Date.UTC(2026, 0);

type Server = ReturnType<typeof testServer>;

/** A server of @alice's; what it tells other atSigns is noted, and taken. */
function alice(take: (line: string) => Promise<string> = async () => "success") {
  const told: [AtSign, string][] = [];
  const server = testServer({
    askAs(to, line) {
      told.push([to, line]);
      return take(line);
    },
  });
  return { server, told };
}

/** The atServer of `atSign`, after pol. */
async function peer(server: Server, atSign: AtSign): Promise<TestClient> {
  const client = await server.anonymous();
  client.session.connection.becomePeer(atSign);
  return client;
}

/** Until it is done what was begun. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
}

function json(reply: string | undefined): unknown {
  return JSON.parse(/^data:\s?(.*)\n/.exec(reply ?? "")?.[1] ?? "");
}

const noMetadata = {
  sharedKeyEnc: null,
  pubKeyCS: null,
  dataSignature: null,
  encKeyName: null,
  encAlgo: null,
  ivNonce: null,
  skeEncKeyName: null,
  skeEncAlgo: null,
  availableAt: null,
  expiresAt: null,
  pubKeyHash: null,
  appMetadata: null,
  ttl: null,
  ttb: null,
  ttr: null,
  ccd: null,
  isBinary: null,
  encoding: null,
};

describe("notify of the owner", () => {
  test("is answered by its id, and told to the recipient with all that belongs to it", async () => {
    const { server, told } = alice();
    const client = await server.owner();
    const line =
      "notify:id:a-1:update:priority:high:strategy:all:latestN:2:isEncrypted:true:ivNonce:n==:ttln:5000:ttl:9:ttr:-1:ccd:true" +
      ":dataSignature:s=:sharedKeyEnc:k=:pubKeyCS:c:@Bob:Phone.wavi@alice:V: x";
    expect(await client.ask(line)).toBe("data:a-1\n@alice@");
    await settled();
    expect(told).toEqual([
      [
        "@bob",
        "notify:id:a-1:update:messageType:key:notifier:SYSTEM:ttln:5000:ttl:9:ttr:-1:ccd:true:dataSignature:s=" +
          ":isEncrypted:true:sharedKeyEnc:k=:pubKeyCS:c:ivNonce:n==:@bob:Phone.wavi@alice:V: x",
      ],
    ]);
    expect(await client.ask("notify:status:a-1")).toBe("data:delivered\n@alice@");
  });

  test("has defaults, and gets an id that fits into 64 bytes with all around it", async () => {
    const { server, told } = alice();
    const client = await server.owner();
    const reply = (await client.ask("notify:@bob:phone.wavi:v")) ?? "";
    expect(reply).toMatch(/^data:[0-9a-f-]{36}\n@alice@$/);
    await settled();
    const id = reply.slice("data:".length, -"\n@alice@".length);
    expect(told).toEqual([
      [
        "@bob",
        `notify:id:${id}:update:messageType:key:notifier:SYSTEM:ttln:900000:isEncrypted:true:@bob:phone.wavi@alice:v`,
      ],
    ]);
  });

  test.each([
    [
      "messageType:text:@bob:Hello: you",
      "messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:false:@bob:Hello: you",
    ],
    [
      "messageType:text:@bob:Hello you@alice",
      "messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:false:@bob:Hello you",
    ],
    [
      "messageType:text:isEncrypted:true:@bob:ab==",
      "messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:true:@bob:ab==",
    ],
    [
      "messageType:text:@bob:a@alice:v",
      "messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:false:@bob:a@alice:v",
    ],
    [
      "isEncrypted:false:@bob:a.b@alice",
      "messageType:key:notifier:SYSTEM:ttln:900000:isEncrypted:false:@bob:a.b@alice",
    ],
    // There is nothing to keep without a value.
    ["ttr:9:ccd:true:@bob:a.b@alice", "messageType:key:notifier:SYSTEM:ttln:900000:isEncrypted:true:@bob:a.b@alice"],
    [
      "ttln:0:ttr:9:ccd:true:@bob:a.b@alice:v",
      "messageType:key:notifier:SYSTEM:ttln:900000:ttr:9:ccd:true:isEncrypted:true:@bob:a.b@alice:v",
    ],
    [
      "ttln:999999999999999:@bob:a@alice",
      `messageType:key:notifier:SYSTEM:ttln:${30 * 86_400_000}:isEncrypted:true:@bob:a@alice`,
    ],
  ])("%s is told as %s", async (said, line) => {
    const { server, told } = alice();
    await (await server.owner()).ask(`notify:id:1:${said}`);
    await settled();
    expect(told).toEqual([["@bob", `notify:id:1:update:${line}`]]);
  });

  test("with an id that it used before is not told again", async () => {
    const { server, told } = alice();
    const client = await server.owner();
    for (let times = 0; times < 3; times++)
      expect(await client.ask("notify:id:1:@bob:a@alice")).toBe("data:1\n@alice@");
    await settled();
    expect(told).toHaveLength(1);
  });

  test("in another's name is refused", async () => {
    const { server, told } = alice();
    const client = await server.owner();
    const refused =
      "error:AT0009-UnAuthorized client in request : @bob is not authorized to send notification as @alice\n@alice@";
    expect(await client.ask("notify:@carol:a@bob")).toBe(refused);
    expect(await client.ask("notify:messageType:text:@carol:a@bob")).toBe(refused);
    expect(await client.ask("notify:all:@carol:a@bob")).toBe(refused);
    await settled();
    expect(told).toEqual([]);
  });

  test("that cannot be read is refused", async () => {
    const client = await alice().server.owner();
    expect(await client.ask("notify:strategy:latest:@bob:a@alice")).toBe(
      "error:AT0003-Invalid syntax : For Strategy latest, notifier cannot be null\n@alice@",
    );
    expect(await client.ask("notify:message_type:key:@bob:a@alice")).toMatch(
      /^error:AT0003-Invalid syntax : Invalid syntax. /,
    );
  });

  test("needs a login", async () => {
    const client = await alice().server.anonymous();
    expect(await client.ask("notify:@bob:a@alice")).toBe(
      "error:AT0401-Exception: Notify command cannot be executed without authentication\n@",
    );
    for (const line of [
      "notify:all:@bob:a@alice",
      "notify:list",
      "notify:status:1",
      "notify:fetch:1",
      "notify:remove:1",
      "monitor",
    ]) {
      expect(await client.ask(line)).toBe("error:AT0401-Exception: Command cannot be executed without auth\n@");
    }
  });

  test("to all tells each, and keeps one for the owner's own apps", async () => {
    const { server, told } = alice();
    const client = await server.owner();
    const reply = await client.ask("notify:all:update:ttl:5:@bob,@carol,@alice:a.b@alice:v");
    expect(reply).toMatch(
      /^data: \{"@bob":"[0-9a-f-]{36}","@carol":"[0-9a-f-]{36}","@alice":"[0-9a-f-]{36}"\}\n@alice@$/,
    );
    await settled();
    expect(told.map(([to]) => to)).toEqual(["@bob", "@carol"]);
    const { "@alice": own } = json(reply) as Record<string, string>;
    expect(json(await client.ask(`notify:fetch:${own}`))).toMatchObject({
      type: "NotificationType.self",
      notification: "@alice:a.b@alice",
    });
  });

  test("to all has a limit", async () => {
    const client = await alice().server.owner();
    const many = Array.from({ length: 1_001 }, (_, index) => `@p${index}`).join(",");
    expect(await client.ask(`notify:all:${many}:a.b@alice:v`)).toBe(
      "error:AT0022-Illegal arguments : more than 1000 recipients\n@alice@",
    );
  });

  test("is not told when it was removed before", async () => {
    let release: (reply: string) => void = () => undefined;
    const { server, told } = alice(() => new Promise((resolve) => (release = resolve)));
    const client = await server.owner();
    await client.ask("notify:id:1:@bob:a@alice:1");
    await client.ask("notify:id:2:@bob:a@alice:2");
    await client.ask("notify:id:3:@bob:a@alice:3");
    expect(await client.ask("notify:remove:2")).toBe("data:success\n@alice@");
    release("success");
    await settled();
    expect(told.map(([, line]) => line.at(-1))).toEqual(["1", "3"]);
    expect(await client.ask("notify:status:2")).toBe("data:null\n@alice@");
  });
});

describe("notify of another atServer", () => {
  test("is kept and answered, and listed as it was sent", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    const line =
      "notify:id:1-2:update:messageType:key:notifier:SYSTEM:ttln:900000:ttl:60000:isEncrypted:true:sharedKeyEnc:k=:ivNonce:n==:@alice:Phone.wavi@bob:v";
    expect(await bob.ask(line)).toBe("data:success\n@bob@");
    const client = await server.owner();
    expect(await client.ask("notify:list")).toBe(
      `data:${JSON.stringify([
        {
          id: "1-2",
          from: "@bob",
          to: "@alice",
          key: "@alice:Phone.wavi@bob",
          value: "v",
          operation: "update",
          epochMillis: start,
          messageType: "MessageType.key",
          isEncrypted: true,
          metadata: {
            ...noMetadata,
            sharedKeyEnc: "k=",
            ivNonce: "n==",
            expiresAt: "2026-01-01 00:01:00.000Z",
            ttl: 60000,
          },
        },
      ])}\n@alice@`,
    );
  });

  test("that is a text, a deletion, or of a public record has what belongs to it", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    await bob.ask("notify:id:1:update:messageType:text:isEncrypted:false:@alice:hello: all@bob");
    await bob.ask("notify:id:2:delete:@alice:a.b@bob");
    await bob.ask("notify:id:3:update:public:c.d@bob:v");
    expect(json(await (await server.owner()).ask("notify:list"))).toMatchObject([
      { key: "@alice:hello: all", messageType: "MessageType.text", isEncrypted: false, value: null },
      { key: "@alice:a.b@bob", operation: "delete", value: null, isEncrypted: true },
      { key: "public:c.d@bob", value: "v", isEncrypted: false },
    ]);
  });

  test.each([
    ["notify:id:1:@alice:a.b@carol:v", "@bob cannot notify of keys of @carol"],
    ["notify:id:1:messageType:text:@alice:hi@carol", "@bob cannot notify of keys of @carol"],
    ["notify:id:1:@carol:a.b@bob:v", "notifications to @carol are not for @alice"],
  ])("%s is refused: it speaks for another, or not to us", async (line, reason) => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    expect(await bob.ask(line)).toBe(`error:AT0009-Exception: ${reason}\n@`);
    expect(await (await server.owner()).ask("notify:list")).toBe("data:null\n@alice@");
  });

  test("is kept once, however often it comes, until it has expired", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    const owner = await server.owner();
    const line = "notify:id:1:update:ttln:1000:ttr:-1:@alice:a.b@bob:";
    expect(await bob.ask(`${line}first`)).toBe("data:success\n@bob@");
    expect(await bob.ask(`${line}second`)).toBe("data:success\n@bob@");
    expect(await owner.ask("llookup:cached:@alice:a.b@bob")).toBe("data:first\n@alice@");
    await owner.ask("notify:remove:1");
    expect(await bob.ask(`${line}third`)).toBe("data:success\n@bob@");
    expect(await owner.ask("notify:list")).toBe("data:null\n@alice@");
    server.clock.advance(1_000);
    expect(await bob.ask(`${line}fourth`)).toBe("data:success\n@bob@");
    expect(json(await owner.ask("notify:list"))).toMatchObject([{ value: "fourth" }]);
  });

  test("that has expired on its way is answered and not kept", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    expect(await bob.ask("notify:id:1:eAt:2025-12-31T23:59:59Z:@alice:a.b@bob:v")).toBe("data:success\n@bob@");
    expect(await (await server.owner()).ask("notify:list")).toBe("data:null\n@alice@");
  });

  test("that floods gets an error, which costs nobody else anything", async () => {
    const { server } = alice();
    await server.store.write((tx) => {
      for (let id = 0; id < 33; id++) {
        tx.notifications.add(
          {
            kind: "received",
            id: String(id),
            from: "@bob",
            to: "@alice",
            key: "@alice:a@bob",
            value: "v".repeat(1024 * 1024),
            operation: "update",
            messageType: "key",
            priority: "low",
            strategy: "all",
            latestN: 1,
            notifier: "SYSTEM",
            lifeMs: 1_000,
            isEncrypted: true,
            metadata: {},
          },
          id,
        );
      }
    });
    const bob = await peer(server, "@bob");
    expect(await bob.ask("notify:id:x:@alice:a@bob")).toBe(
      "error:AT0024-Exception: too many notifications of @bob are here\n@",
    );
    const carol = await peer(server, "@carol");
    expect(await carol.ask("notify:id:x:@alice:a@carol")).toBe("data:success\n@carol@");
  });

  test("may not do what only the owner may", async () => {
    const bob = await peer(alice().server, "@bob");
    for (const line of [
      "notify:all:@alice:a@bob",
      "notify:list",
      "notify:status:1",
      "notify:fetch:1",
      "notify:remove:1",
      "monitor",
    ]) {
      expect(await bob.ask(line)).toBe("error:AT0401-Exception: Command cannot be executed without auth\n@");
    }
  });
});

describe("copies of what another atSign shares", () => {
  const key = "cached:@alice:a.b@bob";

  async function parties() {
    const { server } = alice();
    const [bob, owner] = [await peer(server, "@bob"), await server.owner()];
    let id = 0;
    return {
      server,
      owner,
      notify: async (rest: string) => expect(await bob.ask(`notify:id:${++id}:${rest}`)).toBe("data:success\n@bob@"),
      copy: async () => await owner.ask(`llookup:all:${key}`),
    };
  }

  test("are made and replaced by updates with a ttr, their history goes on, and nothing else of the copy before", async () => {
    const { server, notify, copy } = await parties();
    await notify("update:ttl:60000:ttr:10:ccd:true:isEncrypted:true:ivNonce:n==:@alice:A.b@bob:v");
    expect(json(await copy())).toEqual({
      key,
      data: "v",
      metaData: {
        createdBy: "@bob",
        updatedBy: "@bob",
        createdAt: "2026-01-01 00:00:00.000Z",
        updatedAt: "2026-01-01 00:00:00.000Z",
        expiresAt: "2026-01-01 00:01:00.000Z",
        refreshAt: "2026-01-01 00:00:10.000Z",
        status: "active",
        version: 0,
        ttl: 60000,
        ttr: 10,
        ccd: true,
        isBinary: false,
        isEncrypted: true,
        ivNonce: "n==",
      },
    });
    server.clock.advance(5);
    await notify("update:ttr:-1:isEncrypted:false:@alice:a.b@bob:w");
    expect(json(await copy())).toEqual({
      key,
      data: "w",
      metaData: {
        createdBy: "@bob",
        updatedBy: "@bob",
        createdAt: "2026-01-01 00:00:00.000Z",
        updatedAt: "2026-01-01 00:00:00.005Z",
        status: "active",
        version: 1,
        ttr: -1,
        ccd: false,
        isBinary: false,
        isEncrypted: false,
      },
    });
    expect(server.store.changes({ after: -1, limit: 9 })).toEqual([{ commitId: 1, key, operation: "*" }]);
  });

  test("are not made without a ttr, nor of texts and public records, and stay as they are", async () => {
    const { server, notify, copy } = await parties();
    await notify("update:@alice:a.b@bob:v");
    await notify("update:ttr:0:@alice:a.b@bob:v");
    await notify("update:ttr:5:messageType:text:@alice:a.b");
    await notify("update:ttr:5:public:a.b@bob:v");
    await notify("update:ttr:5:@alice:a.b@bob");
    expect(server.store.lastCommitId).toBe(-1);
    await notify("update:ttr:-1:@alice:a.b@bob:v");
    await notify("update:@alice:a.b@bob:w");
    expect(json(await copy())).toMatchObject({ data: "v" });
    expect(server.store.lastCommitId).toBe(0);
  });

  test("get other metadata by an update without a value", async () => {
    const { server, notify, copy } = await parties();
    await notify("update:ttr:-1:ivNonce:n==:@alice:a.b@bob:v");
    await notify("update:ttr:60:isEncrypted:false:@alice:a.b@bob");
    expect(json(await copy())).toMatchObject({ data: "v", metaData: { ttr: 60, version: 1 } });
    expect(await copy()).not.toContain("ivNonce");
    expect(server.store.changes({ after: -1, limit: 9 })).toEqual([{ commitId: 1, key, operation: "#" }]);
  });

  test("go with the original only if that was asked for", async () => {
    const { server, notify, copy } = await parties();
    await notify("delete:@alice:a.b@bob");
    expect(server.store.lastCommitId).toBe(-1);
    await notify("update:ttr:-1:@alice:a.b@bob:v");
    await notify("delete:@alice:a.b@bob");
    expect(json(await copy())).toMatchObject({ data: "v" });
    await notify("update:ttr:-1:ccd:true:@alice:a.b@bob:v");
    await notify("delete:@alice:a.b@bob");
    expect(await copy()).toMatch(/^error:AT0015/);
    expect(server.store.changes({ after: -1, limit: 9 })).toEqual([{ commitId: 2, key, operation: "-" }]);
  });

  test("cannot have a longer name than any copy", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    const name = "n".repeat(255 - "cached:@alice:@bob".length);
    expect(await bob.ask(`notify:id:1:ttr:5:@alice:${name}@bob:v`)).toBe("data:success\n@bob@");
    expect(await bob.ask(`notify:id:2:ttr:5:@alice:${name}n@bob:v`)).toBe(
      "error:AT0016-Exception: notification key length 256 is greater than 255 chars\n@",
    );
  });
});

describe("what is known of a notification", () => {
  test("is told by status", async () => {
    let outcome = "success";
    const { server } = alice(async () => outcome);
    const client = await server.owner();
    const status = async (id: string) => {
      await settled();
      return await client.ask(`notify:status:${id}`);
    };
    await client.ask("notify:id:1:@bob:a@alice");
    expect(await status("1")).toBe("data:delivered\n@alice@");
    outcome = "null";
    await client.ask("notify:id:2:ttln:1000:@carol:a@alice");
    expect(await status("2")).toBe("data:errored\n@alice@");
    await client.ask("notify:id:3:ttln:1000:@carol:a@alice");
    expect(await status("3")).toBe("data:queued\n@alice@");
    server.clock.advance(1_000);
    expect(await status("3")).toBe("data:expired\n@alice@");
    expect(await status("nothing")).toBe("data:null\n@alice@");
  });

  test("is fetched as text", async () => {
    const { server } = alice();
    const client = await server.owner();
    await client.ask("notify:id:1:priority:medium:notifier:My.App:ttl:5:ttln:60000:ivNonce:n==:@bob:A.b@alice:v");
    await settled();
    expect(await client.ask("notify:fetch:1")).toBe(
      `data:${JSON.stringify({
        id: "1",
        fromAtSign: "@alice",
        notificationDateTime: "2026-01-01 00:00:00.000Z",
        toAtSign: "@bob",
        notification: "@bob:A.b@alice",
        type: "NotificationType.sent",
        opType: "OperationType.update",
        messageType: "MessageType.key",
        priority: "NotificationPriority.medium",
        notificationStatus: "NotificationStatus.delivered",
        retryCount: "1",
        strategy: "all",
        depth: "1",
        notifier: "My.App",
        expiresAt: "2026-01-01 00:01:00.000Z",
        atValue: "v",
        atMetadata: "{createdBy: @alice, ttl: 5, isEncrypted: true, ivNonce: n==}",
        ttl: "60000",
      })}\n@alice@`,
    );
    expect(await client.ask("notify:fetch:nothing")).toBe(
      'data:{"id":"nothing","notificationStatus":"NotificationStatus.expired"}\n@alice@',
    );
  });

  test("is forgotten by remove, which minds nothing that is not there", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    await bob.ask("notify:id:1:@alice:a@bob");
    const client = await server.owner();
    expect(await client.ask("notify:remove:1")).toBe("data:success\n@alice@");
    expect(await client.ask("notify:remove:1")).toBe("data:success\n@alice@");
    expect(await client.ask("notify:fetch:1")).toMatch("NotificationStatus.expired");
    expect(await client.ask("notify:list")).toBe("data:null\n@alice@");
  });

  test("is counted", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    await bob.ask("notify:id:1:@alice:a@bob");
    await bob.ask("notify:id:2:delete:@alice:a@bob");
    await bob.ask("notify:id:3:messageType:text:@alice:gone");
    const client = await server.owner();
    await client.ask("notify:remove:3");
    await client.ask("notify:messageType:text:@bob:hi");
    await settled();
    const [{ value }] = json(await client.ask("stats:11")) as [{ value: string }];
    expect(JSON.parse(value)).toEqual({
      total: 3,
      type: { sent: 1, received: 2 },
      status: { delivered: 3, failed: 0, queued: 0 },
      operations: { update: 2, delete: 1 },
      messageType: { key: 2, text: 1 },
      createdOn: start,
    });
    expect(await client.ask("stats:14")).toBe(
      'data: [{"id":"14","name":"NotificationCompactionStats","value":"{}"}]\n@alice@',
    );
  });

  test("is listed by day and by expression, without what was sent, what is the owner's own and what has expired", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    const carol = await peer(server, "@carol");
    const client = await server.owner();
    const life = "ttln:400000000";
    await client.ask(`notify:${life}:@bob:a@alice`);
    await client.ask(`notify:${life}:@alice:a@alice`);
    await bob.ask("notify:id:gone:ttln:1000:@alice:a.wavi@bob");
    await bob.ask(`notify:id:1:${life}:@alice:a.wavi@bob`);
    server.clock.advance(86_399_990);
    await carol.ask(`notify:id:2:${life}:@alice:b.buzz@carol`);
    server.clock.advance(10);
    await bob.ask(`notify:id:3:${life}:@alice:c.wavi@bob`);
    const listed = async (rest: string) => {
      const reply = await client.ask(`notify:list${rest}`);
      return reply === "data:null\n@alice@" ? [] : (json(reply) as { id: string }[]).map(({ id }) => id);
    };
    expect(await listed("")).toEqual(["1", "2", "3"]);
    expect(await listed(":wavi@bob$")).toEqual(["1", "3"]);
    expect(await listed(":^carol$")).toEqual(["2"]);
    expect(await listed(":2026-01-01:2026-01-01")).toEqual(["1", "2"]);
    expect(await listed(":2026-01-02")).toEqual(["3"]);
    expect(await listed(":2026-01-01:2026-01-02:wavi")).toEqual(["1", "3"]);
    expect(await listed(":2026-01-03")).toEqual([]);
    expect(await listed(":nothing")).toEqual([]);
    expect(await client.ask("notify:list:2026-01-02:2026-01-01")).toBe(
      "error:AT0022-Illegal arguments : ToDate cannot be less than FromDate\n@alice@",
    );
    expect(await client.ask("notify:list:2026-99-01")).toBe(
      "error:AT0022-Illegal arguments : Invalid date format\n@alice@",
    );
  });
});

describe("an enrolled app", () => {
  async function app(server: Server, namespaces: Record<string, "r" | "rw">): Promise<TestClient> {
    const client = await server.anonymous();
    client.session.connection.becomeOwner(await server.enroll(namespaces));
    return client;
  }
  const refused =
    /^error:AT0009-UnAuthorized client in request : Connection with enrollment ID [\w-]+ is not authorized to /;

  test("notifies of what it may write, and of nothing else", async () => {
    const { server, told } = alice();
    const writer = await app(server, { wavi: "rw" });
    expect(await writer.ask("notify:id:1:@bob:a.wavi@alice:v")).toBe("data:1\n@alice@");
    expect(await writer.ask("notify:id:2:@bob:A.Wavi:v")).toBe("data:2\n@alice@");
    expect(await writer.ask("notify:id:3:@alice:a.wavi@alice:v")).toBe("data:3\n@alice@");
    expect(await writer.ask("notify:all:@bob,@carol:a.wavi@alice:v")).toMatch(/^data: \{/);
    for (const line of [
      "notify:@bob:a.buzz@alice:v",
      "notify:@bob:a@alice:v",
      "notify:messageType:text:@bob:hello",
      "notify:@alice:x.new.enrollments.__manage@alice:v",
      "notify:all:@bob,@carol:a.buzz@alice:v",
    ]) {
      expect(await writer.ask(line)).toMatch(refused);
    }
    const reader = await app(server, { wavi: "r" });
    expect(await reader.ask("notify:@bob:a.wavi@alice:v")).toMatch(refused);
    const all = await app(server, { "*": "rw" });
    expect(await all.ask("notify:id:4:messageType:text:@bob:hello")).toBe("data:4\n@alice@");
    await settled();
    expect(told).toHaveLength(5);
  });

  test("knows of what it may read, and forgets what it may write", async () => {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    await bob.ask("notify:id:1:@alice:a.wavi@bob:v");
    await bob.ask("notify:id:2:@alice:a.buzz@bob:v");
    const reader = await app(server, { wavi: "r" });
    expect(json(await reader.ask("notify:list"))).toMatchObject([{ id: "1" }]);
    expect(await reader.ask("notify:status:1")).toBe("data:delivered\n@alice@");
    expect(json(await reader.ask("notify:fetch:1"))).toMatchObject({ id: "1" });
    expect(await reader.ask("notify:status:2")).toMatch(refused);
    expect(await reader.ask("notify:fetch:2")).toMatch(refused);
    expect(await reader.ask("notify:remove:1")).toMatch(refused);
    expect(await reader.ask("notify:status:nothing")).toBe("data:null\n@alice@");
    const writer = await app(server, { wavi: "rw" });
    expect(await writer.ask("notify:remove:2")).toMatch(refused);
    expect(await writer.ask("notify:remove:1")).toBe("data:success\n@alice@");
  });
});

describe("a long list", () => {
  async function holding(count: number, value: string) {
    const { server } = alice();
    const bob = await peer(server, "@bob");
    for (let id = 0; id < count; id++) await bob.ask(`notify:id:${id}:@alice:a@bob:${value}`);
    return server;
  }

  test("comes whole", async () => {
    const server = await holding(100, "v".repeat(5_000));
    const clients = await Promise.all(Array.from({ length: 5 }, () => server.owner()));
    for (const client of clients) client.send("notify:list\n");
    for (const client of clients) expect(json(await client.readReply())).toHaveLength(100);
  });

  test("that no client can read is refused", async () => {
    const server = await holding(170, "v".repeat(60_000));
    const client = await server.owner();
    expect(await client.ask("notify:list")).toBe(
      "error:AT0022-Illegal arguments : too many notifications: ask for some days, or by an expression\n@alice@",
    );
  });
});

describe("a change of a shared record", () => {
  async function changed(...lines: string[]): Promise<[AtSign, string][]> {
    const { server, told } = alice();
    const client = await server.owner();
    for (const line of lines) expect(await client.ask(line)).toMatch(/^data:-?\d+\n/);
    await settled();
    return told.map(([to, line]) => [to, line.replace(/id:[0-9a-f-]{36}:/, "")]);
  }
  const head = "messageType:key:notifier:system:ttln:900000";

  test("is told to its recipient, with what it then is", async () => {
    expect(
      await changed(
        "update:ttr:5:ccd:true:isEncrypted:true:ivNonce:n==:@Bob:a.B@alice v w",
        "update:meta:@bob:a.b@alice:ttl:9:isEncrypted:true",
        "update:@bob:a.b@alice x",
        "delete:@bob:a.b@alice",
      ),
    ).toEqual([
      ["@bob", `notify:update:${head}:ttr:5:ccd:true:isBinary:false:isEncrypted:true:ivNonce:n==:@bob:a.b@alice:v w`],
      ["@bob", `notify:update:${head}:ttl:9:ttr:5:ccd:true:isBinary:false:isEncrypted:true:ivNonce:n==:@bob:a.b@alice`],
      [
        "@bob",
        `notify:update:${head}:ttl:9:ttr:5:ccd:true:isBinary:false:isEncrypted:false:ivNonce:n==:@bob:a.b@alice:x`,
      ],
      ["@bob", `notify:delete:${head}:isEncrypted:false:@bob:a.b@alice`],
    ]);
  });

  test("is nobody's business when it is shared with nobody", async () => {
    expect(
      await changed(
        "update:a.b@alice v",
        "update:public:a.b@alice v",
        "update:@alice:a.b@alice v",
        "update:meta:a.b@alice:ttl:5",
        "delete:@alice:a.b@alice",
        "delete:public:a.b@alice",
        "delete:cached:@alice:a.b@bob",
      ),
    ).toEqual([]);
  });

  test("that is refused is not told", async () => {
    const { server, told } = alice();
    const client = await server.owner();
    await client.ask("update:immutable:true:@bob:a@alice v");
    expect(await client.ask("update:@bob:a@alice w")).toMatch("error:AT0032");
    expect(await client.ask("delete:@bob:a@alice")).toMatch("error:AT0032");
    await settled();
    expect(told).toHaveLength(1);
  });
});
