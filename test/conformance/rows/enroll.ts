import { rowsOf, type Step } from "../row.ts";

interface Request {
  readonly device?: string;
  readonly namespaces?: string;
  readonly more?: string;
  readonly key?: string;
  readonly otp?: string;
}

/** What a new app asks for; its name is the row's own. */
function request({ device = "d1", namespaces = '{"wavi":"rw"}', more = "", key, otp = "{otp}" }: Request = {}): string {
  const passcode = otp === "" ? "" : `"otp":"${otp}",`;
  return `enroll:request:{"appName":"app-{n}","deviceName":"${device}","namespaces":${namespaces},${passcode}"encryptedAPKAMSymmetricKey":"c3lt","apkamPublicKey":"${key ?? "{appKey()}"}"${more}}`;
}

const pending = 'data:{"enrollmentId":"<id:uuid>","status":"pending"}';
const approve =
  'enroll:approve:{"enrollmentId":"{id}","encryptedDefaultEncryptionPrivateKey":"cHJpdg==","encryptedDefaultSelfEncryptionKey":"c2VsZg=="}';
const approved = 'data:{"status":"approved","enrollmentId":"{id}"}';
const unknown = "00000000-0000-4000-8000-000000000000";
const hasId = '{"enrollmentId":"{id}"}';
const refused =
  "error:AT0011-Internal server exception : Failed to <op> enrollment id: {id}. Cannot <some> <state> enrollment<some>";

/** An app that has asked, by an app or the owner without passcode. */
const asked = (options: Request = {}): readonly Step[] => [["owner!", request({ otp: "", ...options }), pending]];
const granted = (options: Request = {}): readonly Step[] => [...asked(options), ["owner", approve, approved]];
const loggedIn = (on: string): readonly Step[] => [
  [on, "from:@alice", "data:<c:challenge>"],
  [on, "pkam:enrollmentId:{id}:{app(c)}", "data:success\n@alice@"],
];
const notInState = (operation: string, state: string) =>
  refused.replaceAll("<op>", operation).replace("<state>", state);

/** enroll: verbs.md, auth.md §2. */
export const enrollRows = [
  ...rowsOf("verbs.md enroll", [
    {
      id: "enroll.request-with-otp",
      steps: [
        ["owner", "otp:get", "data:<otp:otp>"],
        ["anyone!", request(), `${pending}\n@`],
      ],
    },
    {
      id: "enroll.request-after-from",
      from: "/ client-expectations.md §7",
      steps: [
        ["owner", "otp:get", "data:<otp:otp>"],
        ["anyone!", "from:@alice", "data:<challenge>"],
        ["anyone!", request(), pending],
      ],
    },
    {
      id: "enroll.request-without-colon",
      from: "/ client-expectations.md §5 Java 1.0",
      steps: [
        ["owner", "otp:get", "data:<otp:otp>"],
        ["anyone!", request().replace("request:{", "request{"), pending],
      ],
    },
    {
      id: "enroll.request-unknown-members",
      steps: [
        ["owner", "otp:get", "data:<otp:otp>"],
        ["anyone!", request({ more: ',"colour":{"a":[1]}' }), pending],
      ],
    },
    {
      id: "enroll.request-otp-lower-case",
      from: "/ verbs.md otp",
      steps: [
        ["owner", "otp:get", "data:<otp:otp>"],
        ["anyone!", request({ otp: "{lower(otp)}" }), pending],
      ],
    },
    { id: "enroll.request-by-owner", steps: asked() },
    {
      id: "enroll.request-announced",
      steps: [
        ["owner!#2", "monitor:selfNotifications __manage", ""],
        ...asked(),
        {
          on: "owner!#2",
          sees: 'notification: {"id":"<uuid>","from":"@alice","to":"@alice","key":"{id}.new.enrollments.__manage@alice","value":"{<m:any>}","operation":"update",<any>',
        },
        {
          on: "owner!#2",
          members: "m",
          are: {
            encryptedApkamSymmetricKey: "c3lt",
            encryptedAPKAMSymmetricKey: "c3lt",
            appName: "app-{n}",
            deviceName: "d1",
          },
          have: ["namespace"],
        },
      ],
    },
    {
      id: "enroll.request-twice",
      steps: [
        ...asked(),
        [
          "owner",
          request({ otp: "" }),
          "error:AT0011-Internal server exception : Another enrollment with id {id} exists with the app name: app-{n} and device name: d1 in pending state",
        ],
      ],
    },
    {
      id: "enroll.request-twice-approved",
      steps: [
        ...granted(),
        [
          "owner",
          request({ otp: "" }),
          "error:AT0011-Internal server exception : Another enrollment with id {id} exists with the app name: app-{n} and device name: d1 in approved state",
        ],
      ],
    },
    {
      id: "enroll.request-too-often",
      steps: [
        ...[1, 2, 3, 4, 5].map((number): Step => ["owner!", request({ otp: "", device: `d${number}` }), pending]),
        [
          "owner!",
          request({ otp: "", device: "d6" }),
          "error:AT0011-Internal server exception : Enrollment requests have exceeded the limit within the specified time frame",
        ],
        ["owner!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "enroll.request-bad-otp",
      group: "alone",
      steps: [
        {
          on: "anyone!",
          send: request({ otp: "WR0NG1" }),
          is: "error:AT0011-Exception: invalid otp. Cannot process enroll request",
          minMs: 900,
          maxMs: 5_000,
        },
        ["anyone!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "enroll.request-otp-single-use",
      group: "alone",
      steps: [
        ["owner", "otp:get", "data:<otp:otp>"],
        ["anyone!", request(), pending],
        ["anyone!#2", request({ device: "d2" }), "error:AT0011-Exception: invalid otp. Cannot process enroll request"],
      ],
    },
    {
      id: "enroll.request-missing-members",
      differs: "missing members are AT0022",
      steps: [
        ["owner", 'enroll:request:{"appName":"app-{n}"}', "error:AT0022-<some>"],
        ["owner", 'enroll:request:{"deviceName":"app-{n}","apkamPublicKey":"{appKey()}"}', "error:AT0022-<some>"],
        ["anyone", 'enroll:request:{"appName":"app-{n}","deviceName":"d"}', "error:AT0022-<some>"],
      ],
    },
    {
      id: "enroll.missing-id",
      differs: "missing members are AT0022",
      steps: ["approve", "deny", "revoke", "unrevoke", "delete", "fetch"].map(
        (operation): Step => ["owner", `enroll:${operation}:{}`, "error:AT0022-<some>"],
      ),
    },
    {
      id: "enroll.without-body",
      differs: "without a body AT0003",
      steps: [["owner", "enroll:request", "error:AT0003-<some>"]],
    },
    { id: "enroll.unknown-operation", steps: [["owner", "enroll:forget:{}", "error:AT0003-<some>"]] },
    { id: "enroll.no-json", steps: [["owner", "enroll:approve:{id", "error:AT00<03|11|22>-<some>"]] },
    {
      id: "enroll.pending-cannot-log-in",
      from: "/ client-expectations.md §4",
      steps: [
        ...asked(),
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:enrollmentId:{id}:{app(c)}", "error:AT0026:enrollment_id: {id} is pending\n@"],
        ["anyone!", "llookup:x.wavi@alice", "error:AT0401-<any>"],
      ],
    },
    {
      id: "enroll.pending-never-json",
      from: "/ wire.md §11",
      steps: [
        ...asked(),
        ["anyone!", 'from:@alice:clientConfig:{"version":"3.8.0"}', "data:<c:challenge>"],
        ["anyone!", "pkam:enrollmentId:{id}:{app(c)}", "error:AT0026:enrollment_id: {id} is pending\n@"],
      ],
    },
    { id: "enroll.approve", steps: [...granted(), ...loggedIn("anyone!")] },
    {
      id: "enroll.approve-keys",
      from: "/ verbs.md keys",
      steps: [
        ...granted(),
        ...loggedIn("anyone!"),
        ["anyone!", "keys:get:keyName:{id}.default_enc_private_key.__manage@alice", 'data:{"value":"cHJpdg=="}'],
        ["anyone!", "keys:get:keyName:{id}.default_self_enc_key.__manage@alice", 'data:{"value":"c2VsZg=="}'],
      ],
    },
    {
      id: "enroll.approve-keys-with-iv",
      from: "/ client-expectations.md §7",
      steps: [
        ...asked(),
        ["owner", approve.replace(/"}$/, '","encPrivateKeyIV":"aXYx","selfEncKeyIV":"aXYy"}'), approved],
        ...loggedIn("anyone!"),
        [
          "anyone!",
          "keys:get:keyName:{id}.default_enc_private_key.__manage@alice",
          'data:{"value":"cHJpdg==","iv":"aXYx"}',
        ],
        [
          "anyone!",
          "keys:get:keyName:{id}.default_self_enc_key.__manage@alice",
          'data:{"value":"c2VsZg==","iv":"aXYy"}',
        ],
      ],
    },
    {
      id: "enroll.approve-publishes-key",
      differs: "the record of an approved enrolment's public key is not committed",
      steps: [
        ...granted(),
        ["owner", "llookup:public:app-{n}.d1.pkam.__pkams.__public_keys@alice", 'data:{"apkamPublicKey":"{appKey()}"}'],
        ["owner", "stats:3:app-{n}", 'data: [{"id":"3","name":"lastCommitID","value":"null"}]'],
      ],
    },
    {
      id: "enroll.approve-elliptic",
      from: "/ auth.md §2 PKAM",
      steps: [
        ...granted({ key: "{ellipticKey()}" }),
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        [
          "anyone!",
          "pkam:signingAlgo:ecc_secp256r1:hashingAlgo:sha256:enrollmentId:{id}:{elliptic(c)}",
          "data:success\n@alice@",
        ],
      ],
    },
    {
      id: "enroll.wrong-key",
      from: "/ auth.md §2 PKAM",
      steps: [
        ...granted(),
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:enrollmentId:{id}:{wrong(c)}", "error:AT0401-Exception: pkam authentication failed"],
      ],
    },
    {
      id: "enroll.deny",
      steps: [
        ...asked(),
        ["owner", `enroll:deny:${hasId}`, 'data:{"status":"denied","enrollmentId":"{id}"}'],
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:enrollmentId:{id}:{app(c)}", "error:AT0025:<some>\n@"],
      ],
    },
    {
      id: "enroll.revoke",
      steps: [
        ...granted(),
        ...loggedIn("anyone!"),
        ["owner", `enroll:revoke:${hasId}`, 'data:{"status":"revoked","enrollmentId":"{id}"}'],
        { on: "anyone!", closes: true },
        ["anyone!#2", "from:@alice", "data:<c:challenge>"],
        ["anyone!#2", "pkam:enrollmentId:{id}:{app(c)}", "error:AT0027:<some>\n@"],
      ],
    },
    {
      id: "enroll.unrevoke",
      steps: [
        ...granted(),
        ["owner", `enroll:revoke:${hasId}`, 'data:{"status":"revoked","enrollmentId":"{id}"}'],
        ["owner", `enroll:unrevoke:${hasId}`, approved],
        ...loggedIn("anyone!"),
      ],
    },
    {
      id: "enroll.delete-denied",
      steps: [
        ...asked(),
        ["owner", `enroll:deny:${hasId}`, 'data:{"status":"denied","enrollmentId":"{id}"}'],
        ["owner", `enroll:delete:${hasId}`, 'data:{"enrollmentId":"{id}","status":"deleted"}'],
        ["owner", `enroll:unrevoke:${hasId}`, "error:AT0028:enrollment_id: {id} is expired or invalid"],
      ],
    },
    {
      id: "enroll.delete-revoked",
      steps: [
        ...granted(),
        ["owner", `enroll:revoke:${hasId}`, "data:<some>"],
        ["owner", `enroll:delete:${hasId}`, 'data:{"enrollmentId":"{id}","status":"deleted"}'],
      ],
    },
    ...["approve", "deny", "revoke", "unrevoke"].map((operation) => ({
      id: `enroll.${operation}-unknown`,
      steps: [
        [
          "owner",
          `enroll:${operation}:{"enrollmentId":"${unknown}","encryptedDefaultEncryptionPrivateKey":"a","encryptedDefaultSelfEncryptionKey":"b"}`,
          `error:AT0028:enrollment_id: ${unknown} is expired or invalid`,
        ],
      ] as const,
    })),
    { id: "enroll.approve-approved", steps: [...granted(), ["owner", approve, notInState("approve", "approved")]] },
    {
      id: "enroll.deny-approved",
      from: "[S 3.9.3]",
      steps: [...granted(), ["owner", `enroll:deny:${hasId}`, notInState("deny", "approved")]],
    },
    {
      id: "enroll.revoke-pending",
      steps: [...asked(), ["owner", `enroll:revoke:${hasId}`, notInState("revoke", "pending")]],
    },
    {
      id: "enroll.unrevoke-approved",
      steps: [...granted(), ["owner", `enroll:unrevoke:${hasId}`, notInState("unrevoke", "approved")]],
    },
    {
      id: "enroll.delete-approved",
      steps: [...granted(), ["owner", `enroll:delete:${hasId}`, notInState("delete", "approved")]],
    },
    {
      id: "enroll.delete-pending",
      steps: [...asked(), ["owner", `enroll:delete:${hasId}`, notInState("delete", "pending")]],
    },
    {
      id: "enroll.approve-denied",
      steps: [
        ...asked(),
        ["owner", `enroll:deny:${hasId}`, "data:<some>"],
        ["owner", approve, notInState("approve", "denied")],
        ["owner", "noop:0", "data:ok"],
      ],
    },
    {
      id: "enroll.list",
      steps: [
        ...asked(),
        [
          "owner",
          "enroll:list",
          'data:{<any>"{id}.new.enrollments.__manage@alice":{"appName":"app-{n}","deviceName":"d1","namespace":{"wavi":"rw"},"encryptedAPKAMSymmetricKey":"c3lt","status":"pending"}<any>}',
        ],
      ],
    },
    {
      id: "enroll.list-filter",
      steps: [
        ...asked(),
        ["owner", 'enroll:list:{"enrollmentStatusFilter":["denied"]}', "data:{<any>}"],
        [
          "owner",
          'enroll:list{"enrollmentStatusFilter":["pending"]}',
          'data:{<any>"{id}.new.enrollments.__manage@alice":{<any>"status":"pending"}<any>}',
        ],
      ],
    },
    {
      id: "enroll.fetch",
      steps: [
        ...asked(),
        [
          "owner",
          `enroll:fetch:${hasId}`,
          'data:{"appName":"app-{n}","deviceName":"d1","namespace":{"wavi":"rw"},"encryptedAPKAMSymmetricKey":"c3lt","status":"pending"}',
        ],
      ],
    },
    {
      id: "enroll.fetch-without-colon",
      from: "/ client-expectations.md §5 Java 1.0",
      steps: [...asked(), ["owner", `enroll:fetch${hasId}`, 'data:{<any>"status":"pending"}']],
    },
    {
      id: "enroll.keys-expiry-0",
      from: "/ client-expectations.md §7",
      steps: [...granted({ more: ',"apkamKeysExpiryInMillis":0' }), ...loggedIn("anyone!")],
    },
    {
      id: "enroll.keys-expire",
      steps: [
        ...granted({ more: ',"apkamKeysExpiryInMillis":150' }),
        {
          on: "owner",
          until: `enroll:unrevoke:${hasId}`,
          is: "error:AT0028:enrollment_id: {id} is expired or invalid",
        },
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:enrollmentId:{id}:{app(c)}", "error:AT0028:enrollment_id: {id} is expired or invalid\n@"],
      ],
    },
    {
      id: "enroll.expired-connection-closes",
      steps: [
        ...granted({ more: ',"apkamKeysExpiryInMillis":600' }),
        ...loggedIn("anyone!"),
        {
          on: "owner",
          until: `enroll:unrevoke:${hasId}`,
          is: "error:AT0028:enrollment_id: {id} is expired or invalid",
        },
        { on: "anyone!", bytes: "noop:0\n", gives: "<all>" },
        { on: "anyone!", ends: true },
      ],
    },
    {
      id: "enroll.revoke-leaves-others",
      steps: [
        ...granted(),
        ["app(wavi:rw)", "noop:0", "data:ok"],
        ["owner", `enroll:revoke:${hasId}`, "data:<some>"],
        ["app(wavi:rw)", "noop:0", "data:ok"],
        ["owner", "noop:0", "data:ok"],
      ],
    },
    {
      id: "enroll.revoke-ends-monitor",
      steps: [
        ...granted(),
        ...loggedIn("anyone!"),
        ["anyone!", "monitor ^none{n}$", ""],
        { on: "anyone!", sees: 'notification: {"id":"-1",<any>' },
        ["owner", `enroll:revoke:${hasId}`, "data:<some>"],
        { on: "anyone!", ends: true },
      ],
    },
    {
      id: "enroll.revoke-self",
      differs: "AT0031",
      steps: [
        ...granted({ namespaces: '{"__manage":"rw","*":"rw"}' }),
        ...loggedIn("anyone!"),
        [
          "anyone!",
          `enroll:revoke:${hasId}`,
          "error:AT0031-Cannot revoke self enrollment : Current client cannot revoke its own enrollment",
        ],
      ],
    },
    {
      id: "enroll.revoke-self-by-force",
      steps: [
        ...granted({ namespaces: '{"__manage":"rw","*":"rw"}' }),
        ...loggedIn("anyone!"),
        [
          "anyone!",
          `enroll:revoke:force:${hasId}`,
          'data:{<a:any>"message":"Enrollment is revoked. Closing the connection in 10 seconds"<b:any>}',
        ],
        { on: "anyone!", closes: true, minMs: 9_000, maxMs: 12_000 },
      ],
      slow: true,
    },
  ]),
  ...rowsOf("auth.md §6 approver", [
    {
      id: "approver.without-manage",
      steps: [
        ...asked(),
        [
          "app(wavi:rw)",
          approve,
          'error:AT0011-Internal server exception : The approving enrollment does not have access to "__manage" namespace',
        ],
      ],
    },
    { id: "approver.rw-covers-rw", steps: [...asked(), ["app(__manage:rw,wavi:rw)", approve, approved]] },
    {
      id: "approver.rw-covers-r",
      steps: [...asked({ namespaces: '{"wavi":"r"}' }), ["app(__manage:rw,wavi:rw)", approve, approved]],
    },
    {
      id: "approver.r-covers-r",
      steps: [...asked({ namespaces: '{"wavi":"r"}' }), ["app(__manage:rw,wavi:r)", approve, approved]],
    },
    {
      id: "approver.r-does-not-cover-rw",
      steps: [...asked(), ["app(__manage:rw,wavi:r)", approve, "error:AT0011-<some>"]],
    },
    {
      id: "approver.other-namespace",
      steps: [...asked({ namespaces: '{"buzz":"r"}' }), ["app(__manage:rw,wavi:rw)", approve, "error:AT0011-<some>"]],
    },
    {
      id: "approver.every-namespace-asked-for",
      steps: [
        ...asked({ namespaces: '{"wavi":"r","buzz":"r"}' }),
        ["app(__manage:rw,wavi:rw)", approve, "error:AT0011-<some>"],
      ],
    },
    { id: "approver.all", steps: [...asked(), ["app(__manage:rw,*:rw)", approve, approved]] },
    {
      id: "approver.list-without-manage",
      from: "/ verbs.md enroll",
      steps: [
        ...asked(),
        [
          "app(wavi:rw)",
          "enroll:list",
          'data:{"<uuid>.new.enrollments.__manage@alice":{"appName":"conformance",<any>"status":"approved"}}',
        ],
      ],
    },
  ]),
  ...rowsOf("verbs.md otp", [
    { id: "otp.get", steps: [["owner", "otp:get", "data:<otp>"]] },
    { id: "otp.get-ttl", steps: [["owner", "otp:get:ttl:60000", "data:<otp>"]] },
    {
      id: "otp.expires",
      group: "alone",
      steps: [
        ["owner", "otp:get:ttl:1", "data:<otp:otp>"],
        ["owner", "noop:20", "data:ok"],
        ["anyone!", request(), "error:AT0011-Exception: invalid otp. Cannot process enroll request"],
      ],
    },
    {
      id: "otp.put",
      group: "alone",
      steps: [
        ["owner", "otp:put:ABC123", "data:ok"],
        ["anyone!", request({ otp: "abc123" }), pending],
        ["anyone!#2", request({ otp: "ABC123", device: "d2" }), pending],
      ],
    },
    {
      id: "otp.put-without-manage",
      steps: [
        [
          "app(wavi:rw)!",
          "otp:put:ABC123",
          "error:AT0011-Internal server exception : Client not allowed to not store semi permanent pass code",
        ],
        { on: "app(wavi:rw)!", closes: true },
      ],
    },
    {
      id: "otp.put-by-manager",
      group: "alone",
      steps: [["app(__manage:rw)", "otp:put:XYZ789", "data:ok"]],
    },
    {
      id: "otp.put-replaces",
      group: "alone",
      steps: [
        ["owner", "otp:put:FIRST1", "data:ok"],
        ["owner", "otp:put:SECND2", "data:ok"],
        ["anyone!", request({ otp: "SECND2" }), pending],
      ],
    },
    { id: "otp.put-short", steps: [["owner", "otp:put:ABC", "error:AT0003-<some>"]] },
    { id: "otp.bad", steps: [["owner", "otp:guess", "error:AT0003-<some>"]] },
  ]),
  ...rowsOf("verbs.md keys", [
    {
      id: "keys.without-enrolment",
      steps: [
        [
          "owner!",
          "keys:get:self",
          "error:AT0011-Internal server exception : Keys verb cannot be accessed without an enrollmentId",
        ],
      ],
    },
    {
      id: "keys.put-public",
      steps: [
        ["app(wavi:rw)", "keys:put:public:namespace:wavi:keyType:rsa2048:keyName:pk{n} c2VjcmV0", "data:-1"],
        [
          "app(wavi:rw)",
          "keys:get:keyName:public:pk{n}.__public_keys.wavi@alice",
          'data:{"value":"c2VjcmV0","keyType":"rsa2048","enrollmentId":"<uuid>"<any>}',
        ],
      ],
    },
    {
      id: "keys.put-self",
      steps: [
        [
          "app(wavi:rw)",
          "keys:put:self:namespace:wavi:appName:ap:deviceName:de:keyType:aes256:encryptionKeyName:ek:keyName:sk{n} c2VjcmV0",
          "data:-1",
        ],
        [
          "app(wavi:rw)",
          "keys:get:keyName:ap.de.sk{n}.__self_keys.wavi@alice",
          'data:{"value":"c2VjcmV0","keyType":"aes256","enrollmentId":"<uuid>","encryptionKeyName":"ek"}',
        ],
        ["app(wavi:rw)", "keys:get:self", 'data:[<any>"ap.de.sk{n}.__self_keys.wavi@alice"<any>]'],
      ],
    },
    {
      id: "keys.put-private",
      steps: [
        [
          "app(wavi:rw)",
          "keys:put:private:namespace:wavi:appName:ap:deviceName:de:keyType:aes256:encryptionKeyName:ek:keyName:sk{n} c2VjcmV0",
          "data:-1",
        ],
        [
          "app(wavi:rw)",
          "keys:get:keyName:private:ap.de.sk{n}.__private_keys.wavi@alice",
          'data:{"value":"c2VjcmV0","keyType":"aes256","enrollmentId":"<uuid>","encryptionKeyName":"ek"}',
        ],
      ],
    },
    {
      id: "keys.list-has-default",
      steps: [
        ["app(wavi:rw)", "keys:get:self", 'data:[<any>"<uuid>.default_self_enc_key.__manage@alice"<any>]'],
        ["app(wavi:rw)", "keys:get:private", 'data:[<any>"<uuid>.default_enc_private_key.__manage@alice"<any>]'],
      ],
    },
    {
      id: "keys.get-missing",
      steps: [
        [
          "app(wavi:rw)",
          "keys:get:keyName:public:none{n}.__public_keys.wavi@alice",
          "error:AT0015-key not found : key public:none{n}.__public_keys.wavi@alice not found in keystore",
        ],
      ],
    },
    {
      id: "keys.delete",
      steps: [
        ["app(wavi:rw)", "keys:put:public:namespace:wavi:keyType:rsa2048:keyName:pk{n} c2VjcmV0", "data:-1"],
        ["app(wavi:rw)", "keys:delete:keyName:public:pk{n}.__public_keys.wavi@alice", "data:-1"],
        ["app(wavi:rw)", "keys:get:keyName:public:pk{n}.__public_keys.wavi@alice", "error:AT0015-<some>"],
      ],
    },
    {
      id: "keys.get-any-key",
      from: "[bug: limit]",
      steps: [
        ["owner", "update:{n}.buzz@alice secret", "data:<int>"],
        ["app(wavi:rw)", "keys:get:keyName:{n}.buzz@alice", "error:AT00<09|15>-<some>"],
        ["app(wavi:rw)", "keys:get:keyName:@alice:signing_privatekey@alice", "error:AT00<09|15|03>-<some>"],
      ],
    },
    { id: "keys.bad", steps: [["app(wavi:rw)", "keys:steal", "error:AT0003-<some>"]] },
  ]),
];
