import { rowsOf, type Step } from "../row.ts";

const blank = "error:AT0003-Exception: invalid command\n@";

/** Metadata that a client sends, and what `llookup:meta` must say of it. */
const puts = [
  [
    "python-signed",
    "update:dataSignature:c2ln+/8=:isEncrypted:true:self1.{n}@alice v",
    "self1.{n}@alice",
    '"isEncrypted":true,"dataSignature":"c2ln+/8="',
  ],
  [
    "python-public",
    "update:dataSignature:c2ln+/8=:public:pub1.{n}@alice v",
    "public:pub1.{n}@alice",
    '"isEncrypted":false,"dataSignature":"c2ln+/8="',
  ],
  [
    "python-shared-key",
    "update:ttr:86400000:@bob:sk.{n}@alice v",
    "@bob:sk.{n}@alice",
    '"ttr":86400000,"ccd":false,"isBinary":false,"isEncrypted":false',
  ],
  ["python-shared", "update:isEncrypted:true:@bob:sh1.{n}@alice v", "@bob:sh1.{n}@alice", '"isEncrypted":true'],
  [
    "python-0281",
    "update:dataSignature:c2ln:isEncrypted:true:ivNonce:aXY=:self.{n}@alice v",
    "self.{n}@alice",
    '"isEncrypted":true,"dataSignature":"c2ln","ivNonce":"aXY="',
  ],
  [
    "python-0281-ttl",
    "update:ttl:200000:dataSignature:c2ln:isEncrypted:true:ivNonce:aXY=:self.{n}@alice v",
    "self.{n}@alice",
    '"ttl":200000,"isBinary":false,"isEncrypted":true,"dataSignature":"c2ln","ivNonce":"aXY="',
  ],
  [
    "python-order",
    "update:sharedKeyEnc:a2V5:pubKeyCS:cs:isBinary:False:isEncrypted:True:ccd:True:ttr:10:@bob:sh.{n}@alice v",
    "@bob:sh.{n}@alice",
    '"ttr":10,"ccd":true,"isBinary":false,"isEncrypted":true,"sharedKeyEnc":"a2V5","pubKeyCS":"cs"',
  ],
  [
    "java",
    "update:ttr:-1:ccd:true:isBinary:false:isEncrypted:true:@bob:jtest.{n}@alice v",
    "@bob:jtest.{n}@alice",
    '"ttr":-1,"ccd":true,"isBinary":false,"isEncrypted":true',
  ],
  [
    "java-1",
    "update:isEncrypted:true:sharedKeyEnc:a2V5:pubKeyCS:cs:pubKeyHash:0a1b:hashingAlgo:sha512:ivNonce:aXY=:@bob:j.{n}@alice v",
    "@bob:j.{n}@alice",
    '"isEncrypted":true,"sharedKeyEnc":"a2V5","pubKeyCS":"cs","ivNonce":"aXY=","pubKeyHash":{"hash":"0a1b","<algo|hashingAlgo>":"sha512","<algo|hashingAlgo>":"sha512"}',
  ],
  ["c-self", "update:ivNonce:aXY=:cself.{n}@alice v", "cself.{n}@alice", '"isEncrypted":false,"ivNonce":"aXY="'],
  [
    "c-order",
    "update:isBinary:false:isEncrypted:true:dataSignature:c2ln:cself.{n}@alice v",
    "cself.{n}@alice",
    '"isEncrypted":true,"dataSignature":"c2ln"',
  ],
  [
    "c-hash",
    "update:hash:0a1b:algo:sha512:@bob:c.{n}@alice v",
    "@bob:c.{n}@alice",
    '"pubKeyHash":{"hash":"0a1b",<any>}',
  ],
] as const;

const notifications = [
  ["python", "notify:id:{n}-1:update:isEncrypted:true:ivNonce:aXY=:@alice:n1.{n}@bob:v", true],
  ["c", "notify:update:ivNonce:aXY=:@alice:cnote.{n}@bob:v", true],
  [
    "dart",
    "notify:id:{n}-1:update:messageType:key:priority:low:strategy:all:latestN:1:notifier:SYSTEM:ttln:86400000:isEncrypted:true:ivNonce:aXY=:@alice:d.{n}@bob:v",
    true,
  ],
  ["ttln-inside-metadata", "notify:update:isEncrypted:true:ttln:60000:ivNonce:aXY=:@alice:p.{n}@bob:v", true],
  ["plain", "notify:update:isEncrypted:false:ivNonce:aXY=:@alice:p.{n}@bob:v", false],
] as const;

/** What real clients send and need: client-expectations.md §1 to §7, as far as no other table has it. */
export const clientRows = [
  ...rowsOf("client-expectations.md §1", [
    { id: "clients.blank-line-answered", from: "3", steps: [{ on: "anyone!", bytes: "\r\n", gives: blank }] },
    {
      id: "clients.blank-line-then-from",
      from: "3 C",
      steps: [
        { on: "anyone!", bytes: "\r\n", gives: blank },
        { on: "anyone!", bytes: "from:alice\r\n", gives: "data:<c:challenge>\n@" },
        { on: "anyone!", bytes: "pkam:{pkam(c)}\r\n", gives: "data:success\n@alice@" },
        { on: "anyone!", bytes: "noop:0\r\n", gives: "data:ok\n@alice@" },
      ],
    },
    {
      id: "clients.two-blank-lines-first",
      from: "3",
      steps: [
        { on: "anyone!", bytes: "\n", gives: blank },
        { on: "anyone!", bytes: "\n", gives: blank },
      ],
    },
    {
      id: "clients.double-newline",
      from: "4 Rust",
      steps: [
        { on: "anyone!", bytes: "from:alice\n\n", gives: "data:<c:challenge>\n@" },
        { on: "anyone!", bytes: "pkam:{pkam(c)}\n\n", gives: "data:success\n@alice@" },
        { on: "anyone!", bytes: "noop:0\n\n", gives: "data:ok\n@alice@" },
        ["anyone!", "scan ^none{n}", "data:[]"],
      ],
    },
    {
      id: "clients.double-newline-in-two-chunks",
      from: "4",
      differs: "blank lines are swallowed after the first command",
      steps: [
        { on: "anyone!", bytes: ["noop:0\n", "\n"], gives: "data:ok\n@" },
        { on: "anyone!", bytes: "\r\n", gives: null },
        ["anyone!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "clients.slow-lookup",
      from: "5",
      steps: [{ on: "anyone", send: "lookup:publickey@alice", is: "data:<base64>", maxMs: 3_000 }],
    },
    {
      id: "clients.slow-remote-lookup",
      from: "5",
      steps: [
        ["friend", "update:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner", send: "lookup:x.{n}@bob", is: "data:1", maxMs: 3_000 },
      ],
    },
    ...notifications.map(([client, command, encrypted]) => ({
      id: `clients.notify-${client}`,
      from: "7, §5",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", command, "data:<id:some>"],
        {
          on: "owner!",
          sees: `notification: {"id":"{id}",<any>"value":"v",<any>"isEncrypted":${encrypted},"metadata":{<any>"ivNonce":"aXY="<any>}}`,
        },
      ] satisfies Step[],
    })),
  ]),
  ...rowsOf("client-expectations.md §2.3", [
    {
      id: "clients.from-first-then-public",
      from: "Java 1.0",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["anyone!", 'from:@alice:clientConfig:{"platform":"x","clientId":"c","version":"1.0.0"}', "data:<challenge>"],
        ["anyone!", "scan {n}", 'data:["x.{n}@alice"]'],
        ["anyone!", "lookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "clients.pkam-forms",
      steps: [
        ["anyone!", 'from:@alice:clientConfig:{"version":"3.3.0","clientId":"1"}', "data:<c:challenge>"],
        ["anyone!", "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:{pkam(c)}", "data:success\n@alice@"],
      ],
    },
  ]),
  ...rowsOf("client-expectations.md §3, §4", [
    { id: "clients.c-notification-id", steps: [["owner", "notify:update:@bob:x.{n}@alice:1", "data:<uuid>"]] },
    {
      id: "clients.errors-are-short",
      differs: "error texts under 200 bytes, long keys shortened",
      steps: [
        ["owner", "llookup:{long(240)}@alice", "error:AT0015-key not found : <short>"],
        ["anyone", "lookup:{long(240)}@alice", "error:AT0015-Exception: <short>"],
        ["anyone", "lookup:all:{long(3000)}", "error:AT0003-Exception: <short>"],
        ["anyone", "{long(3000)}", "error:AT0003-Exception: <short>"],
      ],
    },
    {
      id: "clients.error-never-says-data",
      steps: [["owner", "llookup:data:.{n}@alice", "error:AT00<03|15>-<some>"]],
    },
    {
      id: "clients.scan-entries-have-atsign",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["anyone", "scan {n}", 'data:["x.{n}@alice"]'],
      ],
    },
    {
      id: "clients.update-is-a-number",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "delete:x.{n}@alice", "data:<int>"],
        ["owner", "delete:x.{n}@alice", "data:<int>"],
      ],
    },
    {
      id: "clients.meta-of-every-listed-key",
      from: "§5 Java, Python",
      steps: [
        [
          "owner",
          "llookup:meta:public:signing_publickey@alice",
          'data:{"createdBy":"@alice",<any>"createdAt":"<date>","updatedAt":"<date>",<any>}',
        ],
        ["owner", "llookup:meta:public:publickey@alice", 'data:{<any>"createdAt":"<date>","updatedAt":"<date>",<any>}'],
        ["owner", "llookup:meta:@alice:signing_privatekey@alice", 'data:{<any>"createdAt":"<date>",<any>}'],
      ],
    },
    {
      id: "clients.largest-c-replies",
      from: "§3 C",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "noop:0", "data:ok"],
      ],
    },
  ]),
  ...rowsOf("client-expectations.md §5", [
    ...puts.map(([client, command, key, says]) => ({
      id: `clients.put-${client}`,
      steps: [
        ["owner", command, "data:<number>"],
        ["owner", `llookup:all:${key}`, `data:{"key":"${key}","data":"v","metaData":{<any>${says}}}`],
      ] satisfies Step[],
    })),
    {
      id: "clients.c-crlf-update",
      steps: [
        { on: "owner!", bytes: "update:public:cpub.{n}@alice v\r\n", gives: "data:<number>\n@alice@" },
        ["anyone", "lookup:cpub.{n}@alice", "data:v"],
      ],
    },
    { id: "clients.c-scan", steps: [["owner", "scan:showHidden:true .*", "data:[<any>]"]] },
    { id: "clients.dart-scan", steps: [["owner", "scan:showhidden:true {n}", "data:[]"]] },
    { id: "clients.dart-sync", steps: [["owner", "sync:from:-1:limit:5:{n}", "data:[<any>]"]] },
    {
      id: "clients.dart-stats",
      steps: [["owner", "stats:3:none{n}", 'data: [{"id":"3","name":"lastCommitID","value":"null"}]']],
    },
    {
      id: "clients.dart-batch-of-five",
      steps: [
        [
          "owner",
          `batch:[${[1, 2, 3, 4, 5].map((id) => `{"id":${id},"command":"update:k${id}.{n}@alice 1"}`).join(",")}]`,
          `data:[${[1, 2, 3, 4, 5].map((id) => `{"id":${id},"response":{"data":"<int>"}}`).join(",")}]`,
        ],
      ],
    },
    {
      id: "clients.shared-key",
      steps: [
        ["owner", "update:shared_key.x{n}@alice a2V5", "data:<number>"],
        ["owner", "llookup:shared_key.x{n}@alice", "data:a2V5"],
        [
          "owner",
          "llookup:shared_key.y{n}@alice",
          "error:AT0015-key not found : shared_key.y{n}@alice does not exist in keystore",
        ],
      ],
    },
    {
      id: "clients.ten-kilobytes",
      steps: [
        ["owner", "update:x.{n}@alice {long(10000)}", "data:<number>"],
        ["owner", "llookup:x.{n}@alice", "data:{long(10000)}"],
      ],
    },
    {
      id: "clients.a-megabyte",
      steps: [
        ["owner", "update:x.{n}@alice {long(1000000)}", "data:<number>"],
        ["owner", "llookup:x.{n}@alice", "data:{long(1000000)}"],
        ["owner", "delete:x.{n}@alice", "data:<number>"],
      ],
    },
  ]),
  ...rowsOf("client-expectations.md §6", [
    {
      id: "clients.heartbeat-during-replay",
      steps: [["owner!", "monitor:0 .*", ""], { on: "owner!", send: "noop:0", is: "data:ok", maxMs: 3_000 }],
    },
    {
      id: "clients.heartbeats",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        { on: "owner!", send: "noop:0", is: "data:ok", maxMs: 3_000 },
        { on: "owner!", send: "noop:0", is: "data:ok", maxMs: 3_000 },
        { on: "owner!", send: "noop:0", is: "data:ok", maxMs: 3_000 },
      ],
    },
  ]),
  ...rowsOf("client-expectations.md §7", [
    {
      id: "clients.is-it-activated",
      steps: [["anyone", "scan publickey@alice$", 'data:["<item>publickey@alice","<item>publickey@alice"]']],
    },
    { id: "clients.public-key-for-anybody", steps: [["anyone", "lookup:publickey@alice", "data:<base64>"]] },
  ]),
];
