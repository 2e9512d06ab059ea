import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import type { Namespaces } from "../rights/rights.ts";
import { openDiskStore } from "../store/disk.ts";
import { type TestClient, testServer } from "../testing/atserver.ts";
import { challenge, Device, json } from "../testing/device.ts";
import { Passcodes } from "./passcodes.ts";

const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const hour = 3_600_000;

afterEach(() => {
  jest.useRealTimers();
});

/** What a new app says of itself. */
function said(device: Device, more: object = {}): string {
  const apkamPublicKey = device.publicKey;
  const wanted = { appName: "wavi", deviceName: "pixel", namespaces: { wavi: "rw" }, apkamPublicKey };
  return JSON.stringify({ ...wanted, encryptedAPKAMSymmetricKey: "S==", ...more });
}

const keys = { encryptedDefaultEncryptionPrivateKey: "E==", encryptedDefaultSelfEncryptionKey: "D==" };

const approve = (enrollmentId: string) => `enroll:approve:${JSON.stringify({ enrollmentId, ...keys })}`;
const command = (operation: string, enrollmentId: string) => {
  return operation === "approve" ? approve(enrollmentId) : `enroll:${operation}:${JSON.stringify({ enrollmentId })}`;
};

interface App {
  readonly device: Device;
  readonly id: string;
}

/** Asks for an app over a connection of the owner's. */
async function pending(owner: TestClient, namespaces: Namespaces = { wavi: "rw" }, more: object = {}): Promise<App> {
  const device = new Device();
  const asked = said(device, { namespaces, appName: device.publicKey.slice(0, 20), ...more });
  const { enrollmentId: id = "" } = await json(owner, `enroll:request:${asked}`);
  return { device, id };
}

async function approved(owner: TestClient, namespaces?: Namespaces, more?: object): Promise<App> {
  const app = await pending(owner, namespaces, more);
  await json(owner, approve(app.id));
  return app;
}

/** The owner, by the key that was stored at activation: requests are not approved at once then. */
async function activated(server: ReturnType<typeof testServer>): Promise<TestClient> {
  const owner = await server.owner();
  const device = new Device();
  await owner.ask(`update:privatekey:at_pkam_publickey ${device.publicKey}`);
  await device.login(owner);
  return owner;
}

async function inState(owner: TestClient, state: string): Promise<App> {
  const app = await pending(owner);
  const steps = { pending: [], approved: ["approve"], denied: ["deny"], revoked: ["approve", "revoke"] }[state] ?? [];
  for (const step of steps) await json(owner, command(step, app.id));
  return app;
}

const refused = (detail: string) => `error:AT0011-Internal server exception : ${detail}\n@alice@`;

describe("a session as clients have it", () => {
  test("activation by an enrolment, as the Dart client does", async () => {
    const server = testServer();
    const client = await server.owner();
    const device = new Device();
    const asked = {
      appName: "firstApp",
      deviceName: "firstDevice",
      ...keys,
      apkamPublicKey: device.publicKey,
    };
    const answer = (await client.ask(`enroll:request:${JSON.stringify(asked)}`)) ?? "";
    expect(answer).toMatch(new RegExp(`^data:{"enrollmentId":"${uuid}","status":"approved"}\\n@alice@$`));
    const id = new RegExp(uuid).exec(answer)?.[0] ?? "";
    expect(client.session.connection.enrollment).toEqual({ id, namespaces: { __manage: "rw", "*": "rw" } });

    const app = await server.anonymous();
    expect(await app.ask(device.pkam(await challenge(app), id))).toBe("data:success\n@alice@");
    expect(await app.ask("update:public:publickey@alice K")).toBe("data:0\n@alice@");
    expect(await app.ask("delete:privatekey:at_secret")).toBe("data:-1\n@alice@");
    expect(await app.ask(`keys:get:keyName:${id}.default_enc_private_key.__manage@alice`)).toBe(
      'data:{"value":"E=="}\n@alice@',
    );

    // The same key lets older clients in.
    const old = await server.anonymous();
    expect(await old.ask(device.pkam(await challenge(old)))).toBe("data:success\n@alice@");
    expect(old.session.connection.enrollment).toBeUndefined();
    expect(await old.ask(`llookup:${id}.new.enrollments.__manage@alice`)).toBe(
      `data:{"sessionId":"${client.session.connection.sessionId}","appName":"firstApp","deviceName":"firstDevice",` +
        `"namespaces":{"__manage":"rw","*":"rw"},"apkamPublicKey":"${device.publicKey}","requestType":"newEnrollment",` +
        `"approval":{"state":"approved"},"encryptedAPKAMSymmetricKey":null,"apkamKeysExpiryInMillis":0}\n@alice@`,
    );
  });

  test("activation with three members and without a colon, as the Java client does", async () => {
    const client = await testServer().owner();
    const device = new Device();
    const answer = await client.ask(
      `enroll:request{"apkamPublicKey":"${device.publicKey}","appName":"firstApp","deviceName":"firstDevice"}`,
    );
    expect(answer).toMatch(new RegExp(`^data:{"enrollmentId":"${uuid}","status":"approved"}\\n@alice@$`));
    const id = new RegExp(uuid).exec(answer ?? "")?.[0] ?? "";
    expect(await device.login(client, id)).toBe("data:success\n@alice@");
    const missing = `${id}.default_enc_private_key.__manage@alice`;
    expect(await client.ask(`keys:get:keyName:${missing}`)).toBe(
      `error:AT0015-key not found : key ${missing} not found in keystore\n@alice@`,
    );
  });

  test("enrolment of a second device by a passcode", async () => {
    const server = testServer();
    const owner = await activated(server);
    await owner.ask("update:public:publickey@alice K");
    const watching = await server.owner();
    await watching.ask("monitor:selfNotifications");

    const passcode = /^data:([A-Z0-9]{6})\n@alice@$/.exec((await owner.ask("otp:get")) ?? "")?.[1] ?? "";
    const device = new Device();
    const client = await server.anonymous();
    expect(await client.ask("lookup:publickey@alice")).toBe("data:K\n@");
    const answer = (await client.ask(`enroll:request:${said(device, { otp: passcode })}`)) ?? "";
    expect(answer).toMatch(new RegExp(`^data:{"enrollmentId":"${uuid}","status":"pending"}\\n@$`));
    const id = new RegExp(uuid).exec(answer)?.[0] ?? "";
    const key = `${id}.new.enrollments.__manage@alice`;

    const notice = JSON.parse(((await watching.read()) ?? "").slice("notification: ".length));
    expect(notice).toMatchObject({ from: "@alice", to: "@alice", key, operation: "update", isEncrypted: false });
    expect(notice.value).toBe(
      '{"encryptedApkamSymmetricKey":"S==","encryptedAPKAMSymmetricKey":"S==","appName":"wavi","deviceName":"pixel","namespace":{"wavi":"rw"}}',
    );

    const text = await challenge(client);
    const waits = `error:AT0026:enrollment_id: ${id} is pending\n@`;
    expect(await client.ask(device.pkam(text, id))).toBe(waits);
    expect(await client.ask(device.pkam(text, id))).toBe(waits);

    expect(await owner.ask(`enroll:fetch{"enrollmentId":"${id}"}`)).toBe(
      'data:{"appName":"wavi","deviceName":"pixel","namespace":{"wavi":"rw"},"encryptedAPKAMSymmetricKey":"S==","status":"pending"}\n@alice@',
    );
    expect(await owner.ask('enroll:list:{"enrollmentStatusFilter":["pending"]}')).toBe(
      `data:{"${key}":{"appName":"wavi","deviceName":"pixel","namespace":{"wavi":"rw"},"encryptedAPKAMSymmetricKey":"S==","status":"pending"}}\n@alice@`,
    );
    const ivs = { encPrivateKeyIV: "I1==", selfEncKeyIV: "I2==" };
    expect(await owner.ask(`enroll:approve:${JSON.stringify({ enrollmentId: id, ...keys, ...ivs })}`)).toBe(
      `data:{"status":"approved","enrollmentId":"${id}"}\n@alice@`,
    );
    expect(await owner.ask("llookup:public:wavi.pixel.pkam.__pkams.__public_keys@alice")).toBe(
      `data:{"apkamPublicKey":"${device.publicKey}"}\n@alice@`,
    );

    expect(await client.ask(device.pkam(text, id))).toBe("data:success\n@alice@");
    expect(await client.ask(`keys:get:keyName:${id}.default_enc_private_key.__manage@alice`)).toBe(
      'data:{"value":"E==","iv":"I1=="}\n@alice@',
    );
    expect(await client.ask(`keys:get:keyName:${id}.default_self_enc_key.__manage@alice`)).toBe(
      'data:{"value":"D==","iv":"I2=="}\n@alice@',
    );
    expect(await client.ask("update:phone.wavi@alice 1")).toBe("data:1\n@alice@");
    expect(await client.ask("llookup:phone.wavi@alice")).toBe("data:1\n@alice@");
    expect(await client.ask("update:phone.other@alice 1")).toBe(
      `error:AT0009-UnAuthorized client in request : Connection with enrollment ID ${id} is not authorized to update key: phone.other@alice\n@alice@`,
    );
    const info = await json<{ apkam_metadata: object }>(client, "info");
    expect(info.apkam_metadata).toMatchObject({ appName: "wavi", approval: { state: "approved" } });
    // Nothing of all this is synced.
    expect(server.store.changes({ after: -1, limit: 10 }).map((entry) => entry.key)).toEqual([
      "public:publickey@alice",
      "phone.wavi@alice",
    ]);
  });

  test("a request after `from`, and one of the owner's without a passcode", async () => {
    const server = testServer();
    const owner = await activated(server);
    expect((await pending(owner)).id).toMatch(new RegExp(uuid));
    const client = await server.anonymous();
    await challenge(client);
    const { data: otp } = { data: (await owner.ask("otp:get"))?.slice(5, 11) };
    expect(await client.ask(`enroll:request:${said(new Device(), { otp: otp?.toLowerCase() })}`)).toMatch('"pending"');
  });
});

describe("a decision", () => {
  const reached = { approve: "approved", deny: "denied", revoke: "revoked", unrevoke: "approved", delete: "deleted" };
  const words = {
    approve: (state: string) => `Cannot approve a ${state} enrollment. Only pending enrollments can be approved`,
    deny: (state: string) => `Cannot deny a ${state} enrollment. Only pending enrollments can be denied`,
    revoke: (state: string) => `Cannot revoke a ${state} enrollment. Only approved enrollments can be revoked`,
    unrevoke: (state: string) => `Cannot unrevoke a ${state} enrollment. Only revoked enrollments can be unrevoked`,
    delete: (state: string) =>
      `Cannot delete a ${state} enrollment. Only denied and revoked enrollments can be deleted`,
  };
  const possible = [
    "pending approve",
    "pending deny",
    "approved revoke",
    "revoked unrevoke",
    "denied delete",
    "revoked delete",
  ];
  const decisions = ["approve", "deny", "revoke", "unrevoke", "delete"] as const;
  const cases = ["pending", "approved", "denied", "revoked"].flatMap((state) => {
    return decisions.map((decision) => ({ state, decision, allowed: possible.includes(`${state} ${decision}`) }));
  });

  test.each(cases)("$decision of a $state enrolment: $allowed", async ({ state, decision, allowed }) => {
    const owner = await activated(testServer());
    const { id } = await inState(owner, state);
    const answer = await owner.ask(command(decision, id));
    if (!allowed) {
      expect(answer).toBe(refused(`Failed to ${decision} enrollment id: ${id}. ${words[decision](state)}`));
      expect(await json(owner, command("fetch", id))).toMatchObject({ status: state });
      return;
    }
    const members = { status: reached[decision], enrollmentId: id };
    const { status, enrollmentId } = members;
    expect(answer).toBe(`data:${JSON.stringify(decision === "delete" ? { enrollmentId, status } : members)}\n@alice@`);
    if (decision !== "delete") expect(await json(owner, command("fetch", id))).toMatchObject({ status });
    else expect(await owner.ask(command("fetch", id))).toMatch("error:AT0015");
  });

  test.each(decisions)("%s of what is not known", async (decision) => {
    const owner = await activated(testServer());
    for (const id of ["7c", "../x", "public:x"]) {
      expect(await owner.ask(command(decision, id))).toBe(
        `error:AT0028:enrollment_id: ${id} is expired or invalid\n@alice@`,
      );
    }
    expect(await owner.ask(`enroll:${decision}:{}`)).toBe(
      `error:AT0022-Illegal arguments : enrollmentId is mandatory for enroll:${decision}\n@alice@`,
    );
  });

  test("deletion takes everything of it away", async () => {
    const server = testServer();
    const owner = await activated(server);
    const { id } = await inState(owner, "revoked");
    const before = server.store.keys({ limit: 100, liveAt: server.clock.nowMs }).keys;
    expect(before.filter((key) => key.includes(id))).toHaveLength(3);
    expect(before.filter((key) => key.includes("__pkams"))).toHaveLength(1);
    await json(owner, command("delete", id));
    const after = server.store.keys({ limit: 100, liveAt: server.clock.nowMs }).keys;
    expect(after.filter((key) => key.includes(id) || key.includes("__pkams"))).toEqual([]);
    expect(await json(owner, "enroll:list")).toEqual({});
  });

  test("deletion leaves the public key of another app of that name", async () => {
    const owner = await activated(testServer());
    const first = await approved(owner, undefined, { appName: "same" });
    await json(owner, command("revoke", first.id));
    const second = await approved(owner, undefined, { appName: "same" });
    await json(owner, command("delete", first.id));
    expect(await owner.ask("llookup:public:same.pixel.pkam.__pkams.__public_keys@alice")).toMatch(
      second.device.publicKey,
    );
  });

  test("an id in another letter case is the same", async () => {
    const server = testServer();
    const owner = await activated(server);
    const { id, device } = await approved(owner);
    const client = await device.connect(server, id.toUpperCase());
    await json(owner, command("revoke", id.toUpperCase()));
    expect(await client.readAll()).toBe("");
  });
});

describe("who decides", () => {
  const noManage = 'The approving enrollment does not have access to "__manage" namespace';
  const noNamespace = "Client is not authorized for namespaces in the enrollment request";

  test.each([
    [{ __manage: "rw", wavi: "rw" }, { wavi: "rw" }, undefined],
    [{ __manage: "r", wavi: "rw" }, { "buzz.wavi": "r" }, undefined],
    [{ __manage: "rw", "*": "rw" }, { __manage: "rw", "*": "rw" }, undefined],
    [{ __manage: "rw", WAVI: "rw" }, { wavi: "rw" }, undefined],
    [{ __manage: "rw", wavi: "r" }, { wavi: "rw" }, noNamespace],
    [{ __manage: "rw", wavi: "rw" }, { wavi: "rw", other: "r" }, noNamespace],
    [{ __manage: "rw" }, { "*": "r" }, noNamespace],
    [{ wavi: "rw" }, { wavi: "rw" }, noManage],
    [{ "*": "rw" }, { wavi: "rw" }, noManage],
    [{ "*": "rw" }, {}, noManage],
  ] as [Namespaces, Namespaces, string | undefined][])(
    "an app with %j on a request for %j: %s",
    async (own, wanted, refusal) => {
      const server = testServer();
      const owner = await activated(server);
      const decider = await approved(owner, own);
      const asked = await pending(owner, wanted);
      const client = await decider.device.connect(server, decider.id);
      for (const operation of ["approve", "revoke", "unrevoke", "revoke", "delete"]) {
        const answer = await client.ask(command(operation, asked.id));
        if (refusal === undefined) expect(answer).toMatch(/^data:/);
        else if (operation === "approve") {
          const detail = refusal === noManage ? refusal : `Failed to approve enrollment id: ${asked.id}. ${refusal}`;
          expect(answer).toBe(refused(detail));
        } else expect(answer).toMatch("error:AT0011");
      }
      const { status } = await json(owner, command("fetch", asked.id)).catch(() => ({ status: "deleted" }));
      expect(status).toBe(refusal === undefined ? "deleted" : "pending");
    },
  );

  test("an app that manages sees all, another itself alone", async () => {
    const server = testServer();
    const owner = await activated(server);
    const manager = await approved(owner, { __manage: "rw" });
    const app = await approved(owner);
    const [managing, other] = [
      await manager.device.connect(server, manager.id),
      await app.device.connect(server, app.id),
    ];
    const name = (id: string) => `${id}.new.enrollments.__manage@alice`;
    expect(Object.keys(await json(managing, "enroll:list"))).toEqual([name(manager.id), name(app.id)]);
    expect(Object.keys(await json(other, "enroll:list"))).toEqual([name(app.id)]);
    expect(await json(other, 'enroll:list{"enrollmentStatusFilter":["pending"]}')).toEqual({});
    expect(await json(other, command("fetch", app.id))).toMatchObject({ status: "approved" });
    expect(await json(managing, command("fetch", app.id))).toMatchObject({ status: "approved" });
    expect(await other.ask(command("fetch", manager.id))).toBe(
      `error:AT0009-UnAuthorized client in request : ${noManage}\n@alice@`,
    );
    expect(await owner.ask(command("fetch", "7c"))).toBe(
      "error:AT0015-key not found : An Enrollment with Id: 7c does not exist or has expired.\n@alice@",
    );
  });

  test.each(["approve", "deny", "revoke", "unrevoke", "list", "fetch", "delete"])(
    "nobody without a login: %s",
    async (operation) => {
      const client = await testServer().anonymous();
      expect(await client.ask(`enroll:${operation}:{"enrollmentId":"7c"}`)).toBe(
        `error:AT0401-Exception: Cannot ${operation} enrollment without authentication\n@`,
      );
    },
  );

  test("nobody who was revoked while the decision waited", async () => {
    const server = testServer();
    const owner = await activated(server);
    const manager = await approved(owner, { __manage: "rw", "*": "rw" });
    const asked = await pending(owner);
    const client = await manager.device.connect(server, manager.id);
    // Both are in the queue of the store before either is done.
    owner.send(`${command("revoke", manager.id)}\n`);
    client.send(`${approve(asked.id)}\n`);
    expect(await client.readAll()).not.toMatch("approved");
    expect(await json(await activated(server), command("fetch", asked.id))).toMatchObject({ status: "pending" });
  });

  test("the block list is for apps that may do everything", async () => {
    const server = testServer();
    const owner = await activated(server);
    const root = await approved(owner, { __manage: "rw", "*": "rw" });
    const all = await approved(owner, { "*": "rw" });
    const client = await all.device.connect(server, all.id);
    for (const line of ["config:block:add:@bob", "config:block:remove:@bob", "config:block:show"]) {
      expect(await client.ask(line)).toBe(
        `error:AT0009-UnAuthorized client in request : Connection with enrollment ID ${all.id} is not authorized to configure the block list\n@alice@`,
      );
    }
    expect(await (await root.device.connect(server, root.id)).ask("config:block:add:@bob")).toBe(
      "data:success\n@alice@",
    );
  });
});

describe("a login", () => {
  test.each([
    ["pending", "AT0026", "is pending"],
    ["denied", "AT0025", "is denied"],
    ["revoked", "AT0027", "is revoked"],
  ])("of a %s app is refused in the form that clients read", async (state, code, text) => {
    const server = testServer();
    const { device, id } = await inState(await activated(server), state);
    const client = await server.anonymous();
    await client.ask('from:@alice:clientConfig:{"version":"3.8.0"}');
    expect(await client.ask(device.pkam("x", id))).toBe(`error:${code}:enrollment_id: ${id} ${text}\n@`);
    // Who was logged in is not any more.
    const again = await server.owner();
    expect(await device.login(again, id)).toMatch(new RegExp(`^error:${code}:.*\n@$`));
  });

  test("needs the app's own key", async () => {
    const server = testServer();
    const owner = await activated(server);
    const [one, other] = [await approved(owner), await approved(owner)];
    const failed = "error:AT0401-Exception: pkam authentication failed\n@";
    expect(await one.device.login(await server.anonymous(), other.id)).toBe(failed);
    expect(await one.device.login(await server.anonymous())).toBe(failed);
    expect(await one.device.login(owner, other.id)).toBe(failed);
    expect(await owner.ask("llookup:x@alice")).toMatch("error:AT0401");
  });

  test("need not name the algorithm of a key whose app did", async () => {
    const server = testServer();
    const { device, id } = await approved(await activated(server), undefined, { signingAlgo: "ecc_secp256r1" });
    const client = await server.anonymous();
    const line = device.pkam(await challenge(client), id).replace("signingAlgo:ecc_secp256r1:", "");
    expect(await client.ask(line)).toBe("data:success\n@alice@");
  });

  test("by RSA, as most apps do", async () => {
    const server = testServer();
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const apkamPublicKey = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    const { id } = await approved(await activated(server), undefined, { apkamPublicKey });
    for (const hashingAlgo of ["sha256", "sha512"]) {
      const client = await server.anonymous();
      const signature = sign(hashingAlgo, Buffer.from(await challenge(client)), privateKey).toString("base64");
      const spelling = `pkam:signingAlgo:rsa2048:hashingAlgo:${hashingAlgo}:enrollmentId:${id}:${signature}`;
      expect(await client.ask(spelling)).toBe("data:success\n@alice@");
    }
  });

  test("by the key of a revoked app without its id is refused, unless the owner would be locked out", async () => {
    const server = testServer();
    const first = await server.owner();
    const device = new Device();
    const { enrollmentId: id = "" } = await json(first, `enroll:request:${said(device)}`);
    const legacy = await server.anonymous();
    expect(await device.login(legacy)).toMatch("success");
    await json(legacy, command("revoke", id));
    expect(await device.login(await server.anonymous())).toMatch("success");
    const root = await approved(legacy, { __manage: "rw", "*": "rw" });
    expect(await device.login(await server.anonymous())).toBe("error:AT0401-Exception: pkam authentication failed\n@");
    await json(await root.device.connect(server, root.id), command("unrevoke", id));
    expect(await device.login(await server.anonymous())).toMatch("success");
  });

  test("of one app on the connection of another takes its place", async () => {
    const server = testServer();
    const owner = await activated(server);
    const [one, other] = [await approved(owner, { a: "rw" }), await approved(owner, { b: "rw" })];
    const client = await one.device.connect(server, one.id);
    expect(await client.ask("update:x.a@alice v")).toMatch("data:");
    expect(await other.device.login(client, other.id)).toBe("data:success\n@alice@");
    expect(await client.ask("update:x.a@alice v")).toMatch("error:AT0009");
    expect(await client.ask("update:x.b@alice v")).toMatch("data:");
  });
});

describe("the end of an enrolment", () => {
  test("revoking closes its connections at once, and no others", async () => {
    const server = testServer();
    const owner = await activated(server);
    const [app, other] = [await approved(owner), await approved(owner)];
    const first = await app.device.connect(server, app.id);
    const second = await app.device.connect(server, app.id);
    const third = await other.device.connect(server, other.id);
    await second.ask("monitor");
    expect(await owner.ask(command("revoke", app.id))).toBe(
      `data:{"status":"revoked","enrollmentId":"${app.id}"}\n@alice@`,
    );
    expect(await first.readAll()).toBe("");
    expect(await second.readAll()).toBe("");
    expect(await third.ask("noop:0")).toBe("data:ok\n@alice@");
    expect(await app.device.login(await server.anonymous(), app.id)).toMatch("error:AT0027:");
    await json(owner, command("unrevoke", app.id));
    await app.device.connect(server, app.id);
  });

  test("an app revokes itself by force only, and is closed 10 seconds later", async () => {
    const server = testServer();
    const app = await approved(await activated(server));
    const client = await app.device.connect(server, app.id);
    const other = await app.device.connect(server, app.id);
    expect(await client.ask(command("revoke", app.id))).toBe(
      "error:AT0031-Cannot revoke self enrollment : Current client cannot revoke its own enrollment\n@alice@",
    );
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask"] });
    expect(await client.ask(`enroll:revoke:force:{"enrollmentId":"${app.id}"}`)).toBe(
      `data:{"status":"revoked","enrollmentId":"${app.id}","message":"Enrollment is revoked. Closing the connection in 10 seconds"}\n@alice@`,
    );
    expect(await other.readAll()).toBe("");
    await jest.advanceTimersByTimeAsync(9_999);
    expect(client.session.ending).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(await client.readAll()).toBe("");
  });

  test("whoever has revoked itself can do nothing in these seconds", async () => {
    const server = testServer();
    const app = await approved(await activated(server));
    const client = await app.device.connect(server, app.id);
    await client.ask(`enroll:revoke:force:{"enrollmentId":"${app.id}"}`);
    expect(await client.ask("update:x.wavi@alice v")).toBe(`error:AT0027:enrollment_id: ${app.id} is revoked\n@alice@`);
    expect(await client.readAll()).toBe("");
  });

  test("a request is forgotten after 48 hours", async () => {
    const server = testServer();
    const owner = await activated(server);
    const { device, id } = await pending(owner);
    server.clock.nowMs += 48 * hour - 1;
    expect(await device.login(await server.anonymous(), id)).toMatch("error:AT0026:");
    server.clock.nowMs += 1;
    expect(await device.login(await server.anonymous(), id)).toBe(
      `error:AT0028:enrollment_id: ${id} is expired or invalid\n@`,
    );
    expect(await owner.ask(approve(id))).toMatch("error:AT0028:");
    expect(await json(owner, "enroll:list")).toEqual({});
  });

  test("keys that expire close the connection at the next command", async () => {
    const server = testServer();
    const owner = await activated(server);
    const { device, id } = await approved(owner, undefined, { apkamKeysExpiryInMillis: 60_000 });
    const client = await device.connect(server, id);
    server.clock.nowMs += 59_999;
    expect(await client.ask("noop:0")).toBe("data:ok\n@alice@");
    server.clock.nowMs += 1;
    expect(await client.ask("noop:0")).toBe(`error:AT0028:enrollment_id: ${id} is expired or invalid\n@alice@`);
    expect(await client.readAll()).toBe("");
    expect(await device.login(await server.anonymous(), id)).toMatch("error:AT0028:");
    expect(server.store.getLive(`${id}.default_self_enc_key.__manage@alice`, server.clock.nowMs)).toBeUndefined();
  });

  test("a connection that only listens is closed when its keys expire", async () => {
    const server = testServer();
    const owner = await activated(server);
    const { device, id } = await approved(owner, undefined, { apkamKeysExpiryInMillis: 100 * 24 * hour });
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "setInterval", "clearInterval", "queueMicrotask"] });
    const client = await device.connect(server, id);
    // Again on the same connection: the login before is forgotten.
    await device.login(client, id);
    const days = async (count: number) => {
      server.clock.nowMs += count * 24 * hour;
      await jest.advanceTimersByTimeAsync(count * 24 * hour);
    };
    await days(20);
    await days(20);
    await days(20);
    await days(20);
    await days(19.9);
    expect(client.session.ending).toBe(false);
    await days(0.2);
    expect(client.session.ending).toBe(true);
  });

  test("revoking and taking that back leaves the end where it was; 0 is no end", async () => {
    const server = testServer();
    const owner = await activated(server);
    const short = await approved(owner, undefined, { apkamKeysExpiryInMillis: 60_000 });
    const long = await approved(owner, undefined, { apkamKeysExpiryInMillis: 0 });
    server.clock.nowMs += 30_000;
    for (const { id } of [short, long]) {
      await json(owner, command("revoke", id));
      await json(owner, command("unrevoke", id));
    }
    server.clock.nowMs += 29_999;
    await short.device.connect(server, short.id);
    server.clock.nowMs += 10_000 * hour;
    expect(await short.device.login(await server.anonymous(), short.id)).toMatch("error:AT0028:");
    await long.device.connect(server, long.id);
  });

  test("the owner can take its record away, too", async () => {
    const server = testServer();
    const owner = await activated(server);
    const { device, id } = await approved(owner);
    const client = await device.connect(server, id);
    await owner.ask(`delete:${id}.new.enrollments.__manage@alice`);
    expect(await client.ask("noop:0")).toMatch("error:AT0028:");
    expect(await json(owner, "enroll:list")).toEqual({});
  });
});

describe("a request", () => {
  test.each([
    [{ appName: undefined }, "appName is mandatory for enroll:request"],
    [{ deviceName: "" }, "deviceName is mandatory for enroll:request"],
    [{ apkamPublicKey: null }, "apkam public key is mandatory for enroll:request"],
    [{ otp: undefined }, "otp is mandatory for enroll:request"],
    [
      { encryptedAPKAMSymmetricKey: undefined },
      "encrypted apkam symmetric key is mandatory for new client enroll:request",
    ],
    [{ namespaces: {} }, "At least one namespace must be specified for new client enroll:request"],
    [{ namespaces: { wavi: "x" } }, "namespaces is not valid for enroll:request"],
  ])("without what it needs: %j", async (more, detail) => {
    const client = await testServer().anonymous();
    expect(await client.ask(`enroll:request:${said(new Device(), { otp: "ABC123", ...more })}`)).toBe(
      `error:AT0022-Exception: ${detail}\n@`,
    );
  });

  test("without a body is none", async () => {
    const client = await testServer().anonymous();
    expect(await client.ask("enroll:request")).toMatch("error:AT0003-Exception: Invalid syntax");
  });

  test.each(["pending", "approved"])("of an app that is %s already", async (state) => {
    const owner = await activated(testServer());
    const first = await pending(owner, undefined, { appName: "same" });
    if (state === "approved") await json(owner, approve(first.id));
    expect(await owner.ask(`enroll:request:${said(new Device(), { appName: "same" })}`)).toBe(
      refused(
        `Another enrollment with id ${first.id} exists with the app name: same and device name: pixel in ${state} state`,
      ),
    );
    await pending(owner, undefined, { appName: "same", deviceName: "other" });
    await json(owner, command(state === "approved" ? "revoke" : "deny", first.id));
    await pending(owner, undefined, { appName: "same" });
  });

  test("leaves its passcode when it is refused for another reason", async () => {
    const server = testServer();
    const owner = await activated(server);
    await pending(owner, undefined, { appName: "same" });
    const otp = (await owner.ask("otp:get"))?.slice(5, 11);
    const client = await server.anonymous();
    expect(await client.ask(`enroll:request:${said(new Device(), { otp, appName: "same" })}`)).toMatch(
      "Another enrollment",
    );
    expect(await client.ask(`enroll:request:${said(new Device(), { otp })}`)).toMatch('"pending"');
  });

  test("is allowed five times an hour on one connection", async () => {
    const server = testServer();
    const owner = await activated(server);
    for (let i = 0; i < 5; i++) await pending(owner);
    const tooMany = refused("Enrollment requests have exceeded the limit within the specified time frame");
    expect(await owner.ask(`enroll:request:${said(new Device())}`)).toBe(tooMany);
    await pending(await activated(server));
    server.clock.advance(hour - 1);
    expect(await owner.ask(`enroll:request:${said(new Device())}`)).toBe(tooMany);
    server.clock.advance(1);
    expect(await owner.ask(`enroll:request:${said(new Device())}`)).toMatch('"pending"');
  });

  test("is refused when too many wait for a decision", async () => {
    const server = testServer();
    let owner = await activated(server);
    for (let i = 0; i < 100; i++) {
      if (i % 5 === 0) owner = await activated(server);
      await pending(owner);
    }
    owner = await activated(server);
    expect(await owner.ask(`enroll:request:${said(new Device())}`)).toBe(
      refused("Too many enrollments are known already"),
    );
    const [key = ""] = Object.keys(await json(owner, "enroll:list"));
    await json(owner, command("deny", key.slice(0, 36)));
    expect(await owner.ask(`enroll:request:${said(new Device())}`)).toMatch('"pending"');
  });

  test("of an activation that begins again replaces what was enrolled before", async () => {
    const server = testServer();
    const activate = async () => {
      const client = await server.owner();
      const device = new Device();
      const asked = { appName: "firstApp", deviceName: "firstDevice", apkamPublicKey: device.publicKey };
      const { enrollmentId: id = "" } = await json(client, `enroll:request:${JSON.stringify(asked)}`);
      return { client, device, id };
    };
    const first = await activate();
    const second = await activate();
    expect(await first.client.readAll()).toBe("");
    expect(await first.device.login(await server.anonymous(), first.id)).toMatch("error:AT0027:");
    await second.device.connect(server, second.id);
    // On that connection the next app has to be approved as any other.
    expect(await second.client.ask(`enroll:request:${said(new Device())}`)).toMatch('"pending"');
  });
});

describe("a passcode", () => {
  const invalid = "error:AT0011-Exception: invalid otp. Cannot process enroll request\n@";
  const ask = (client: TestClient, otp: string) =>
    client.ask(`enroll:request:${said(new Device(), { otp, appName: otp })}`);

  /** The pauses after wrong ones pass at once. */
  function hurry() {
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "setInterval", "clearInterval", "queueMicrotask"] });
    hurrying = setInterval(() => jest.advanceTimersByTime(55_000), 5);
  }

  let hurrying: NodeJS.Timeout | undefined;
  afterEach(() => clearInterval(hurrying));

  test("has six capital letters and digits, at least one of these, and none that look alike", async () => {
    const server = testServer();
    for (let i = 0; i < 100; i++) {
      const owner = await server.owner();
      expect(await owner.ask("otp:get:ttl:1")).toMatch(/^data:(?=[A-Z]*[1-9])[A-NP-Z1-9]{6}\n@alice@$/);
      server.clock.nowMs += 2;
    }
  });

  test("is for one use, in any letter case, within 5 minutes", async () => {
    hurry();
    const server = testServer();
    const owner = await activated(server);
    const get = async (line = "otp:get") => (await owner.ask(line))?.slice(5, 11) ?? "";
    const client = await server.anonymous();
    const used = await get();
    expect(await ask(client, used.toLowerCase())).toMatch('"pending"');
    expect(await ask(client, used)).toBe(invalid);
    const late = await get();
    server.clock.nowMs += 299_999;
    const [longer, shorter] = [await get("otp:get:ttl:600000"), await get("otp:get:ttl:1")];
    server.clock.nowMs += 1;
    expect(await ask(client, late)).toBe(invalid);
    expect(await ask(client, shorter)).toBe(invalid);
    server.clock.nowMs += 500_000;
    expect(await ask(client, longer)).toMatch('"pending"');
  });

  test("that stays is used any number of times, until it is replaced or has expired", async () => {
    hurry();
    const server = testServer();
    const owner = await activated(server);
    expect(await owner.ask("otp:put:Secret1")).toBe("data:ok\n@alice@");
    const client = await server.anonymous();
    expect(await ask(client, "secret1")).toMatch('"pending"');
    expect(await ask(client, "SECRET1")).toMatch('"pending"');
    await owner.ask("otp:put:Secret2:ttl:1000");
    expect(await ask(client, "secret1")).toBe(invalid);
    expect(await ask(client, "secret2")).toMatch('"pending"');
    server.clock.nowMs += 1_000;
    expect(await ask(await server.anonymous(), "secret2")).toBe(invalid);
  });

  test("is given out to the owner, and one that stays is left by who manages", async () => {
    const server = testServer();
    const anonymous = await server.anonymous();
    for (const line of ["otp:get", "otp:put:abc123"]) {
      expect(await anonymous.ask(line)).toBe("error:AT0401-Exception: otp: requires authenticated connection\n@");
    }
    const owner = await activated(server);
    const [manager, app] = [await approved(owner, { __manage: "rw" }), await approved(owner)];
    expect(await (await manager.device.connect(server, manager.id)).ask("otp:put:abc123")).toBe("data:ok\n@alice@");
    const client = await app.device.connect(server, app.id);
    expect(await client.ask("otp:get")).toMatch(/^data:\w{6}\n/);
    expect(await client.ask("otp:put:abc123")).toBe(
      refused("Client not allowed to not store semi permanent pass code"),
    );
    expect(await client.readAll()).toBe("");
  });

  test("is given out so often only as some are unused", async () => {
    const server = testServer();
    const owner = await activated(server);
    for (let i = 0; i < 100; i++) await owner.ask("otp:get");
    expect(await owner.ask("otp:get")).toBe(refused("too many passcodes have not been used yet"));
    server.clock.nowMs += 300_000;
    expect(await owner.ask("otp:get")).toMatch(/^data:/);
  });

  test("that is wrong is answered later and later, and nobody else waits", async () => {
    const server = testServer();
    const owner = await activated(server);
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask"] });
    for (const seconds of [1, 2, 3, 5, 8, 13, 21, 34, 55, 55]) {
      const client = await server.anonymous();
      client.send(`enroll:request:${said(new Device(), { otp: "wrong1" })}\n`);
      const answer = client.read();
      let answered = false;
      void answer.then(() => {
        answered = true;
      });
      // The passcode is looked at before anything else that is asked now.
      expect(await owner.ask("update:x@alice v")).toMatch("data:");
      await jest.advanceTimersByTimeAsync(seconds * 1_000 - 1);
      expect(await owner.ask("noop:0")).toBe("data:ok\n@alice@");
      expect(answered).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      expect(await answer).toBe(invalid);
    }
    const right = (await owner.ask("otp:get"))?.slice(5, 11) ?? "";
    expect(await ask(await server.anonymous(), right)).toMatch('"pending"');
  });

  test("that is wrong keeps no timer when its client has gone", async () => {
    jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask"] });
    const server = testServer();
    for (const waits of [true, false]) {
      const client = await server.anonymous();
      const before = jest.getTimerCount();
      client.send(`enroll:request:${said(new Device(), { otp: "wrong1" })}\n`);
      while (waits && jest.getTimerCount() === before) await new Promise(setImmediate);
      client.server.destroy();
      for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
      expect(jest.getTimerCount()).toBe(before);
    }
  });

  test("and keys are nowhere in what is stored of passcodes, or in the log", async () => {
    const lines: string[] = [];
    const { logger } = await import("@atrium/runtime/log.ts");
    const log = logger({ name: "test", level: "trace", to: { write: (line) => void lines.push(String(line)) } });
    const server = testServer({ log });
    const owner = await activated(server);
    const otp = (await owner.ask("otp:get"))?.slice(5, 11) ?? "";
    await owner.ask("otp:put:Secret1");
    const { keys: names } = server.store.keys({ limit: 100, liveAt: server.clock.nowMs });
    const stored = names.map((key) => `${key}=${server.store.get(key)?.value}`).join("\n");
    expect(stored.toLowerCase()).not.toMatch(otp.toLowerCase());
    expect(stored.toLowerCase()).not.toMatch("secret1");
    const { device, id } = await approved(owner);
    await device.connect(server, id);
    for (const secret of [otp, "secret1", device.publicKey, "E=="]) expect(lines.join("\n")).not.toMatch(secret);
  });
});

test("what was acknowledged is there after a restart, and what was used is not", async () => {
  const directory = mkdtempSync(join(tmpdir(), "enrollment-"));
  const open = (epoch: number) => openDiskStore({ directory, epoch, log: silent });
  let app: App;
  let otp: string | undefined;
  {
    await using store = await open(1);
    const server = testServer({ store });
    const owner = await activated(server);
    app = await approved(owner);
    otp = (await owner.ask("otp:get"))?.slice(5, 11);
    expect(await (await server.anonymous()).ask(`enroll:request:${said(new Device(), { otp })}`)).toMatch("pending");
  }
  {
    await using store = await open(2);
    const server = testServer({ store });
    await app.device.connect(server, app.id);
    const states = Object.values(
      await json<Record<string, { status: string }>>(await activated(server), "enroll:list"),
    );
    expect(states.map(({ status }) => status)).toEqual(["approved", "pending"]);
    const passcodes = new Passcodes({ atSign: "@alice", store, now: () => server.clock.nowMs });
    expect(await store.write((tx) => passcodes.use(tx, otp ?? ""))).toBe(false);
  }
  rmSync(directory, { recursive: true });
});

describe("keys of apps", () => {
  async function setUp() {
    const server = testServer();
    const owner = await activated(server);
    const [one, other] = [await approved(owner), await approved(owner)];
    return {
      ...{ server, owner, one, other },
      first: await one.device.connect(server, one.id),
      second: await other.device.connect(server, other.id),
    };
  }

  test("are for enrolled apps", async () => {
    const owner = await testServer().owner();
    expect(await owner.ask("keys:get:self")).toBe(refused("Keys verb cannot be accessed without an enrollmentId"));
    expect(await (await testServer().anonymous()).ask("keys:get:self")).toMatch("error:AT0401");
  });

  test("are put, read, listed and deleted", async () => {
    const { first, second, one, server } = await setUp();
    const scope = "namespace:__global:appName:wavi:deviceName:pixel";
    expect(await first.ask("keys:put:public:namespace:wavi:keyType:rsa2048:keyName:Enc P U B")).toBe(
      "data:-1\n@alice@",
    );
    expect(await first.ask(`keys:put:private:${scope}:keyType:aes:encryptionKeyName:k:keyName:mine Q`)).toBe(
      "data:-1\n@alice@",
    );
    expect(await first.ask(`keys:put:self:${scope}:keyName:own R`)).toBe("data:-1\n@alice@");
    expect(await first.ask("keys:get:keyName:public:Enc.__public_keys.wavi@alice")).toBe(
      `data:{"value":"P U B","keyType":"rsa2048","enrollmentId":"${one.id}","encryptionKeyName":null}\n@alice@`,
    );
    const given = (name: string) => `${one.id}.default_${name}.__manage@alice`;
    expect(await json(first, "keys:get:public")).toEqual(["public:enc.__public_keys.wavi@alice"]);
    expect(await json(first, "keys:get:private")).toEqual([
      given("enc_private_key"),
      "private:wavi.pixel.mine.__private_keys.__global@alice",
    ]);
    expect(await json(first, "keys:get:self")).toEqual([
      given("self_enc_key"),
      "wavi.pixel.own.__self_keys.__global@alice",
    ]);
    expect(await json(second, "keys:get:public")).toEqual([]);
    expect(await first.ask("keys:delete:keyName:public:enc.__public_keys.wavi@alice")).toBe("data:-1\n@alice@");
    expect(await json(first, "keys:get:public")).toEqual([]);
    expect(server.store.lastCommitId).toBe(-1);
  });

  test("of one app are not another's to change, nor private ones to read", async () => {
    const { first, second } = await setUp();
    const scope = "appName:wavi:deviceName:pixel";
    await first.ask("keys:put:public:keyName:enc PUB");
    await first.ask(`keys:put:private:${scope}:keyName:mine Q`);
    const [open, closed] = [
      "public:enc.__public_keys.__global@alice",
      "private:wavi.pixel.mine.__private_keys.__global@alice",
    ];
    expect(await second.ask(`keys:get:keyName:${open}`)).toMatch('data:{"value":"PUB"');
    for (const line of [
      `keys:get:keyName:${closed}`,
      `keys:delete:keyName:${open}`,
      `keys:delete:keyName:${closed}`,
      "keys:put:public:keyName:enc MINE",
      `keys:put:private:${scope}:keyName:mine MINE`,
    ]) {
      expect(await second.ask(line)).toMatch("error:AT0009");
    }
  });

  test("are all that the verb reads", async () => {
    const { first, one, other, owner } = await setUp();
    await owner.ask("update:phone.other@alice 1");
    await owner.ask(`update:privatekey:at_pkam_publickey K`);
    for (const key of [
      "phone.other@alice",
      "privatekey:at_pkam_publickey",
      "private:spp.__otp@alice",
      `${one.id}.new.enrollments.__manage@alice`,
      `${other.id}.default_self_enc_key.__manage@alice`,
      "@alice:signing_privatekey@alice",
    ]) {
      for (const operation of ["get", "delete"]) {
        expect(await first.ask(`keys:${operation}:keyName:${key}`)).toMatch("error:AT0009");
      }
    }
    expect(await first.ask(`keys:delete:keyName:${one.id}.default_self_enc_key.__manage@alice`)).toMatch(
      "error:AT0009",
    );
  });

  test.each([
    ["keys:get", "AT0003"],
    ["keys:delete", "AT0003"],
    ["keys:delete:self", "AT0003"],
    ["keys:put:public:keyName:a", "AT0003"],
    ["keys:put:keyName:a v", "AT0003"],
    ["keys:put:self:keyName:a v", "AT0003"],
    ["keys:put:public:keyName:a:b v", "AT0016"],
    ["keys:put:public:keyName:a@bob v", "AT0016"],
    [`keys:put:public:keyName:${"a".repeat(240)} v`, "AT0016"],
    ["keys:get:keyName:public:absent.__public_keys.wavi@alice", "AT0015"],
  ])("%s is refused with %s", async (line, code) => {
    const { first } = await setUp();
    expect(await first.ask(line)).toMatch(`error:${code}`);
  });
});
