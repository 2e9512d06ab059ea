import { rowsOf } from "../row.ts";

const unauthenticated = "error:AT0401-Exception: Command cannot be executed without auth";
const overflow = "error:AT0005-<any>";

/** What wire.md says of bytes: transport, replies, commands, limits, the forms of errors. */
export const wireRows = rowsOf("wire.md", [
  { id: "wire.tls12", from: "§1", steps: [["tls12!", "noop:0", "data:ok"]] },
  { id: "wire.tls13", from: "§1", steps: [["tls13!", "noop:0", "data:ok"]] },
  { id: "wire.alpn-own", from: "§1 ALPN", steps: [["alpn!", "noop:0", "data:ok"]] },
  { id: "wire.client-certificate-optional", from: "§1", steps: [["caller!", "noop:0", "data:ok"]] },
  { id: "wire.greeting", from: "§2", steps: [{ on: "anyone!", bytes: "noop:0\n", gives: "data:ok\n@" }] },
  { id: "wire.from-self", from: "§2", steps: [["anyone!", "from:@alice", "data:<challenge>\n@"]] },
  { id: "wire.from-other", from: "§2", steps: [["caller!", "from:@bob", "data:proof:<session>@bob:<nonce>\n@"]] },
  { id: "wire.prompt-anonymous", from: "§2", steps: [["anyone", "noop:0", "data:ok\n@"]] },
  { id: "wire.prompt-owner", from: "§2", steps: [["owner", "noop:0", "data:ok\n@alice@"]] },
  { id: "wire.prompt-peer", from: "§2", steps: [["peer", "noop:0", "data:ok\n@bob@"]] },
  {
    id: "wire.prompt-peer-error",
    from: "§2",
    steps: [
      ["peer", "lookup:none.{n}@alice", "error:AT0015-Exception: @bob:none.{n}@alice does not exist in keystore\n@"],
    ],
  },
  {
    id: "wire.pol",
    from: "§2",
    steps: [
      ["caller!", "from:@bob", "data:proof:<sid:session>@bob:<challenge:nonce>\n@"],
      ["friend", "llookup:@bob:signing_privatekey@bob", "data:<key:base64>"],
      ["friend", "update:public:{sid}@bob {sign(key,challenge)}", "data:-1"],
      ["caller!", "pol", "@bob@"],
    ],
  },
  {
    id: "wire.pol-challenge-lives-60-s",
    from: "§2 / auth.md §4",
    slow: true,
    steps: [
      ["caller!", "from:@bob", "data:proof:<sid:session>@bob:<challenge:nonce>\n@"],
      ["friend", "llookup:@bob:signing_privatekey@bob", "data:<key:base64>"],
      ["friend", "update:public:{sid}@bob {sign(key,challenge)}", "data:-1"],
      { on: "caller!", send: "pol", afterMs: 60_500, is: "error:AT0401-Exception: Pol Authentication Failed\n@" },
    ],
  },
  {
    id: "wire.stats-blank-after-colon",
    from: "§2",
    steps: [["owner", "stats:1", 'data: [{"id":"1","name":"activeInboundConnections","value":"<int>"}]']],
  },
  {
    id: "wire.exit",
    from: "§2",
    steps: [
      { on: "anyone!", bytes: "@exit\n", gives: null },
      { on: "anyone!", closes: true },
    ],
  },
  {
    id: "wire.exit-owner",
    from: "§4",
    steps: [
      { on: "owner!", bytes: "@exit\n", gives: null },
      { on: "owner!", closes: true },
    ],
  },
  {
    id: "wire.invalid-utf8",
    from: "§2",
    differs: "invalid UTF-8 is AT0003, the reference drops the command silently",
    steps: [
      {
        on: "owner!",
        bytes: Buffer.concat([Buffer.from("update:x.invalid@alice "), Buffer.of(0xff, 0xfe), Buffer.from("\n")]),
        gives: "error:AT0003-Invalid syntax : <any>\n@alice@",
      },
      ["owner!", "noop:0", "data:ok"],
    ],
  },
  { id: "wire.crlf", from: "§3", steps: [{ on: "anyone!", bytes: "noop:0\r\n", gives: "data:ok\n@" }] },
  { id: "wire.leading-blanks", from: "§3", steps: [{ on: "anyone!", bytes: "  noop:0\n", gives: "data:ok\n@" }] },
  {
    id: "wire.value-trailing-blanks",
    from: "§3",
    steps: [
      ["owner", "update:x.{n}@alice one two  \t ", "data:<int>"],
      ["owner", "llookup:x.{n}@alice", "data:one two"],
    ],
  },
  {
    id: "wire.value-crlf",
    from: "§3",
    steps: [
      { on: "owner!", bytes: "update:x.{n}@alice 7\r\n", gives: "data:<int>\n@alice@" },
      ["owner!", "llookup:x.{n}@alice", "data:7"],
    ],
  },
  {
    id: "wire.value-nl",
    from: "§3",
    steps: [
      ["owner", "update:x.{n}@alice a~NL~b", "data:<int>"],
      ["owner", "llookup:x.{n}@alice", "data:a~NL~b"],
    ],
  },
  {
    id: "wire.value-base64-encoding",
    from: "§3",
    steps: [
      ["owner", "update:encoding:base64:x.{n}@alice bGluZTEKbGluZTI=", "data:<int>"],
      ["owner", "llookup:x.{n}@alice", "data:bGluZTEKbGluZTI="],
    ],
  },
  {
    id: "wire.value-base2e15",
    from: "§3",
    steps: [
      ["owner", "update:isBinary:true:x.{n}@alice 㒀丁가㐁", "data:<int>"],
      ["owner", "llookup:x.{n}@alice", "data:㒀丁가㐁"],
    ],
  },
  {
    id: "wire.value-keeps-case-and-signs",
    from: "§3",
    steps: [
      ["owner", "update:x.{n}@alice Straße: @B,{}\"'\\ 😀", "data:<int>"],
      ["owner", "llookup:x.{n}@alice", "data:Straße: @B,{}\"'\\ 😀"],
    ],
  },
  { id: "wire.verb-case", from: "§3", steps: [["anyone", "NoOp:0", "data:ok"]] },
  {
    id: "wire.literal-case",
    from: "§3",
    steps: [
      ["owner", "UPDATE:TTL:100000:ISENCRYPTED:False:PUBLIC:x.{n}@alice 1", "data:<int>"],
      ["owner", "LLOOKUP:META:Public:x.{n}@alice", 'data:{<any>"ttl":100000,<any>"isEncrypted":false}'],
    ],
  },
  {
    id: "wire.unknown-verb-anonymous",
    from: "§3",
    steps: [["anyone", "hello", "error:AT0003-Exception: invalid command"]],
  },
  {
    id: "wire.unknown-verb-owner",
    from: "§3",
    steps: [["owner", "hello:you", "error:AT0003-Invalid syntax : invalid command"]],
  },
  {
    id: "wire.unknown-verb-peer",
    from: "§3",
    steps: [["peer", "hello:you", "error:AT0003-Exception: invalid command\n@"]],
  },
  {
    id: "wire.bad-syntax-owner",
    from: "§3",
    steps: [["owner", "llookup:nothing", "error:AT0003-Invalid syntax : Invalid syntax. <any>"]],
  },
  {
    id: "wire.bad-syntax-anonymous",
    from: "§3",
    steps: [["anyone", "lookup:nothing", "error:AT0003-Exception: Invalid syntax. <any>"]],
  },
  {
    id: "wire.bad-syntax-stays-open",
    from: "§5.4 AT0003",
    steps: [
      ["anyone", "lookup:", "error:AT0003-Exception: <any>"],
      ["anyone", "noop:0", "data:ok"],
    ],
  },
  {
    id: "wire.pipelined",
    from: "§3 framing",
    steps: [{ on: "anyone!", bytes: "noop:20\nscan ^none-{n}\nnoop:0\n", gives: "data:ok\n@data:[]\n@data:ok\n@" }],
  },
  {
    id: "wire.pipelined-over-error",
    from: "§3 framing",
    steps: [
      {
        on: "anyone!",
        bytes: "hello\nnoop:0\n",
        gives: "error:AT0003-Exception: invalid command\n@data:ok\n@",
      },
    ],
  },
  {
    id: "wire.pipelined-stops-at-close",
    from: "§3 framing",
    steps: [
      { on: "anyone!", bytes: "noop:0\n@exit\nnoop:0\n", gives: "data:ok\n@" },
      { on: "anyone!", closes: true },
    ],
  },
  {
    id: "wire.chunked",
    from: "§3 framing",
    steps: [{ on: "owner!", bytes: ["upd", "ate:x.{n}", "@alice 1", "23\n"], gives: "data:<int>\n@alice@" }],
  },
  {
    id: "wire.chunked-in-a-character",
    from: "§3 framing",
    steps: [
      {
        on: "owner!",
        bytes: ["update:x.{n}@alice ", Buffer.of(0xf0, 0x9f), Buffer.of(0x98, 0x80), "\n"],
        gives: "data:<int>\n@alice@",
      },
      ["owner!", "llookup:x.{n}@alice", "data:😀"],
    ],
  },
  {
    id: "wire.early-unauthenticated",
    from: "§3 size",
    steps: [
      { on: "anyone!", bytes: "update:x.{n}@alice and this goes on", gives: `${unauthenticated}\n@` },
      { on: "anyone!", closes: true },
    ],
  },
  {
    id: "wire.early-unknown",
    from: "§3 size",
    steps: [
      { on: "anyone!", bytes: "helloworld:this goes on and on", gives: "error:AT0003-Exception: <any>\n@" },
      { on: "anyone!", closes: true },
    ],
  },
  {
    id: "wire.line-10mb",
    from: "§3 size",
    group: "alone",
    steps: [
      {
        on: "owner!",
        bytes: ["update:x.big@alice ", `{upTo(${10_240_000 - 15})}`, "\n"],
        gives: "data:<int>\n@alice@",
      },
      ["owner!", "delete:x.big@alice", "data:<int>"],
    ],
  },
  {
    id: "wire.line-too-long",
    from: "§3 size",
    group: "alone",
    steps: [
      {
        on: "owner!",
        bytes: ["update:x.big@alice ", `{upTo(${10_240_000 - 14})}`, "\n"],
        gives: `${overflow}\n@alice@`,
      },
      { on: "owner!", closes: true },
      ["owner", "llookup:x.big@alice", "error:AT0015-key not found : <any>"],
    ],
  },
  {
    id: "wire.connection-limit",
    from: "§2, §4",
    group: "alone",
    steps: [{ on: "new3", crowd: 220, told: "error:AT0012-Inbound connection limit exceeded\n" }],
  },
  {
    id: "wire.error-owner",
    from: "§5.1",
    steps: [
      [
        "owner",
        "llookup:phone.{n}@alice",
        "error:AT0015-key not found : phone.{n}@alice does not exist in keystore\n@alice@",
      ],
    ],
  },
  {
    id: "wire.error-anonymous",
    from: "§5.1",
    steps: [
      [
        "anyone",
        "lookup:phone.{n}@alice",
        "error:AT0015-Exception: public:phone.{n}@alice does not exist in keystore\n@",
      ],
    ],
  },
  {
    id: "wire.error-relayed",
    from: "§5.1",
    steps: [
      [
        "friend",
        "lookup:none.{n}@alice",
        "error:AT0015-key not found : Exception: @bob:none.{n}@alice does not exist in keystore",
      ],
    ],
  },
  {
    id: "wire.error-json",
    from: "§5.2",
    steps: [
      [
        "json",
        "llookup:phone.{n}@alice",
        'error:{"errorCode":"AT0015","errorDescription":"key not found : phone.{n}@alice does not exist in keystore"}\n@alice@',
      ],
    ],
  },
  {
    id: "wire.error-json-anonymous",
    from: "§5.2",
    steps: [
      ["anyone!", 'from:@alice:clientConfig:{"version":"3.0.38"}', "data:<challenge>"],
      [
        "anyone!",
        "llookup:x.{n}@alice",
        'error:{"errorCode":"AT0401","errorDescription":"Exception: Command cannot be executed without auth"}',
      ],
    ],
  },
  ...["3.0.37", "3.0.36", "2.9.9", "1.0.0", "3.0.0"].map((version) => ({
    id: `wire.error-text-${version}`,
    from: "§5.2",
    steps: [
      ["anyone!", `from:@alice:clientConfig:{"version":"${version}"}`, "data:<challenge>"],
      ["anyone!", "llookup:x.{n}@alice", unauthenticated],
    ] as const,
  })),
  ...["3.0.38", "3.0.100", "3.1.0", "4.0.0", "3.8.0", "10.0.0"].map((version) => ({
    id: `wire.error-json-${version}`,
    from: "§5.2",
    steps: [
      ["anyone!", `from:@alice:clientConfig:{"version":"${version}"}`, "data:<challenge>"],
      ["anyone!", "hello", 'error:{"errorCode":"AT0003","errorDescription":"Exception: invalid command"}'],
    ] as const,
  })),
  ...[
    ["absent", "{}"],
    ["unparsable", '{"version":"new"}'],
    ["number", '{"version":4}'],
  ].map(([what, config]) => ({
    id: `wire.error-version-${what}`,
    from: "§5.2",
    differs: "clientConfig without a usable version is accepted, with text errors",
    steps: [
      ["anyone!", `from:@alice:clientConfig:${config}`, "data:<challenge>"],
      ["anyone!", "llookup:x.{n}@alice", unauthenticated],
    ] as const,
  })),
  {
    id: "wire.error-latest-from-decides",
    from: "§5.2",
    steps: [
      ["anyone!", 'from:@alice:clientConfig:{"version":"3.8.0"}', "data:<challenge>"],
      ["anyone!", "from:@alice", "data:<challenge>"],
      ["anyone!", "llookup:x.{n}@alice", unauthenticated],
    ],
  },
  {
    id: "wire.unicode-key",
    from: "§8",
    steps: [
      ["owner", "update:😀{n}.wavi@alice smile", "data:<int>"],
      ["owner", "llookup:😀{n}.wavi@alice", "data:smile"],
      ["owner", "scan 😀{n}", 'data:["😀{n}.wavi@alice"]'],
    ],
  },
  {
    id: "wire.http-public",
    from: "§10",
    steps: [
      ["owner", "update:public:phone.{n}@alice 1234", "data:<int>"],
      {
        on: "http!",
        bytes: "GET /{n}/phone HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 200 OK\r\n<all>text/plain<all>\r\n\r\n1234",
      },
    ],
  },
  {
    id: "wire.http-owner-segment",
    from: "§10",
    steps: [
      ["owner", "update:public:phone.{n}@alice 1234", "data:<int>"],
      {
        on: "http!",
        bytes: "GET /@alice/{n}/phone HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 200 OK\r\n<all>\r\n\r\n1234",
      },
    ],
  },
  {
    id: "wire.http-whole-key",
    from: "§10",
    steps: [
      ["owner", "update:public:phone.{n}@alice 1234", "data:<int>"],
      {
        on: "http!",
        bytes: "GET /public:phone.{n}@alice HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 200 OK\r\n<all>\r\n\r\n1234",
      },
    ],
  },
  {
    id: "wire.http-missing",
    from: "§10",
    steps: [
      {
        on: "http!",
        bytes: "GET /{n}/none HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 404 Not Found\r\n<all>\r\n\r\n404 Not Found",
      },
    ],
  },
  {
    id: "wire.http-method",
    from: "§10",
    steps: [
      {
        on: "http!",
        bytes: "POST /{n}/phone HTTP/1.1\r\nHost: alice\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 405 <all>",
      },
    ],
  },
  {
    id: "wire.http-long-uri",
    from: "§10",
    steps: [
      {
        on: "http!",
        bytes: "GET /{long(1001)} HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 400 <all>",
      },
    ],
  },
  {
    id: "wire.http-all",
    from: "§10",
    steps: [
      ["owner", "update:public:phone.{n}@alice 1234", "data:<int>"],
      {
        on: "http!",
        bytes: "GET /{n}/phone?at_rt=all HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: 'HTTP/1.1 200 OK\r\n<all>\r\n\r\n{"key":"public:phone.{n}@alice","data":"1234","metaData":{<any>}}',
      },
    ],
  },
  {
    id: "wire.http-meta",
    from: "§10",
    steps: [
      ["owner", "update:public:phone.{n}@alice 1234", "data:<int>"],
      {
        on: "http!",
        bytes: "GET /{n}/phone?at_rt=meta HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: 'HTTP/1.1 200 OK\r\n<all>\r\n\r\n{"createdBy":"@alice",<any>}',
      },
    ],
  },
  {
    id: "wire.http-content-type",
    from: "§10",
    steps: [
      ["owner", "update:public:page.html.{n}@alice page", "data:<int>"],
      {
        on: "http!",
        bytes: "GET /{n}/html/page?at_ct=text/html HTTP/1.1\r\nHost: alice\r\nConnection: close\r\n\r\n",
        gives: "HTTP/1.1 200 OK\r\n<all>text/html<all>\r\n\r\npage",
      },
    ],
  },
  {
    id: "wire.websocket",
    from: "§10",
    steps: [
      {
        on: "http!",
        bytes:
          "GET /ws HTTP/1.1\r\nHost: alice\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        gives: "HTTP/1.1 101 Switching Protocols\r\n<all>s3pPLMBiTxaQ9kYGzzhZRbK+xOo=<all>\r\n\r\n<all>@",
      },
    ],
  },
]);

const ownerOnly = [
  "update:x.{n}@alice 1",
  "update:meta:x.{n}@alice:ttl:1000",
  'update:json:{"atKey":"x.{n}","value":"1","sharedBy":"@alice"}',
  "llookup:x.{n}@alice",
  "llookup:public:publickey@alice",
  "plookup:publickey@bob",
  "delete:x.{n}@alice",
  "stats",
  "stats:3",
  "config:block:show",
  "monitor",
  "batch:[]",
  "sync:from:-1:limit:10",
  "notify:remove:{n}",
  "notify:fetch:{n}",
  "keys:get:self",
];

/** wire.md §6: what needs the owner, on connections of others. */
export const stateRows = rowsOf("wire.md §6", [
  ...ownerOnly.map((command) => ({
    id: `wire.anonymous-may-not.${command.split(" ")[0]?.replace(/[{}]/g, "")}`,
    steps: [["anyone", command, unauthenticated]] as const,
  })),
  ...ownerOnly.map((command) => ({
    id: `wire.peer-may-not.${command.split(" ")[0]?.replace(/[{}]/g, "")}`,
    steps: [["peer", command, unauthenticated]] as const,
  })),
  ...["notify:status:{n}", "notify:list", "notify:all:@bob:x.{n}@alice:1"].map((command) => ({
    id: `wire.anonymous-may-not.${command.replace(/[{}]/g, "")}`,
    differs: "only the owner may ask for notifications",
    steps: [["anyone", command, "error:AT0401-Exception: <any>"]] as const,
  })),
  ...["notify:status:{n}", "notify:list", "notify:all:@bob:x.{n}@alice:1"].map((command) => ({
    id: `wire.peer-may-not.${command.replace(/[{}]/g, "")}`,
    differs: "only the owner may ask for notifications",
    steps: [["peer", command, "error:AT0401-Exception: <any>\n@"]] as const,
  })),
  {
    id: "wire.anonymous-may-not.notify",
    steps: [
      [
        "anyone",
        "notify:@alice:x.{n}@bob:1",
        "error:AT0401-Exception: Notify command cannot be executed without authentication",
      ],
    ],
  },
  {
    id: "wire.anonymous-may-not.scan-other",
    steps: [["anyone", "scan:@bob", "error:AT0401-Exception: Scan to another atSign cannot be performed without auth"]],
  },
  {
    id: "wire.peer-may-not.scan-other",
    steps: [
      ["peer", "scan:@bob", "error:AT0401-Exception: Scan to another atSign cannot be performed without auth\n@"],
    ],
  },
  {
    id: "wire.anonymous-may-not.otp",
    steps: [["anyone", "otp:get", "error:AT0401-Exception: otp: requires authenticated connection"]],
  },
  ...["approve", "deny", "revoke", "unrevoke", "list", "fetch", "delete"].map((operation) => ({
    id: `wire.anonymous-may-not.enroll-${operation}`,
    steps: [
      [
        "anyone",
        `enroll:${operation}:{"enrollmentId":"00000000-0000-4000-8000-000000000000"}`,
        `error:AT0401-Exception: Cannot ${operation} enrollment without authentication`,
      ],
    ] as const,
  })),
  { id: "wire.anonymous-may.info", steps: [["anyone", "info:brief", "data:{<any>}"]] },
  { id: "wire.anonymous-may.noop", steps: [["anyone", "noop:1", "data:ok"]] },
  { id: "wire.peer-may.info", steps: [["peer", "info", "data:{<any>}"]] },
]);
