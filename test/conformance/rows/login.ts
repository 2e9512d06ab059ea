import { rowsOf } from "../row.ts";

const certificateFailed = "error:AT0401-Exception: Certificate Verification Failed";
const refused = "error:AT0401-<some>\n@";

/** from, cram, pkam: verbs.md, and auth.md §1 to §3. */
export const loginRows = [
  ...rowsOf("verbs.md from", [
    { id: "from.at", steps: [["anyone!", "from:@alice", "data:<challenge>"]] },
    { id: "from.no-at", steps: [["anyone!", "from:alice", "data:<challenge>"]] },
    { id: "from.upper-case", steps: [["anyone!", "from:@{upper(name)}", "data:<challenge>"]] },
    {
      id: "from.client-config",
      steps: [
        [
          "anyone!",
          'from:@alice:clientConfig:{"version":"3.3.0","clientId":"1","appName":"a","appVersion":"1","platform":"x"}',
          "data:<challenge>",
        ],
      ],
    },
    {
      id: "from.client-config-unknown-members",
      steps: [["anyone!", 'from:@alice:clientConfig:{"more":{"a":[1]},"version":"3.3.0"}', "data:<challenge>"]],
    },
    {
      id: "from.client-config-no-json",
      steps: [["anyone!", "from:@alice:clientConfig:{version", "error:AT00<03|11|10>-Exception: <some>"]],
    },
    {
      id: "from.reserved-character",
      from: "keys.md §1",
      steps: [
        ["anyone!", "from:@al!ice", "error:AT0011-Exception: invalid @sign: Cannot contain !*'<any>"],
        { on: "anyone!", closes: true },
      ],
    },
    {
      id: "from.control-character",
      from: "keys.md §1",
      steps: [
        [
          "anyone!",
          "from:@al\u0001ice",
          "error:AT0011-Exception: invalid @sign: must not include control characters<any>",
        ],
        { on: "anyone!", closes: true },
      ],
    },
    { id: "from.empty", steps: [["anyone!", "from:", "error:AT0003-Exception: Invalid syntax. <any>"]] },
    {
      id: "from.unknown-atsign",
      steps: [
        ["caller!", "from:@nobody", "error:AT0007-Exception: <some>"],
        ["caller!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "from.dots-removed",
      from: "keys.md §1",
      steps: [["anyone!", "from:@{dotted(name)}", "data:<challenge>"]],
    },
  ]),
  ...rowsOf("auth.md §1", [
    {
      id: "from.session-stays-challenge-changes",
      steps: [
        ["anyone!", "from:@alice", "data:<sid:session>@alice:<c:uuid>"],
        ["anyone!", "from:@alice", "data:{sid}@alice:<uuid>"],
      ],
    },
    {
      id: "pkam.challenge-lives-60-s",
      differs: "the reference takes it until a sweep",
      slow: true,
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        {
          on: "anyone!",
          send: "pkam:{pkam(c)}",
          afterMs: 60_500,
          is: "error:AT0401-Exception: pkam authentication failed\n@",
        },
      ],
    },
    {
      id: "from.last-one-counts",
      differs: "a replaced challenge is AT0401",
      steps: [
        ["anyone!", "from:@alice", "data:<old:challenge>"],
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:{pkam(old)}", "error:AT0401-Exception: pkam authentication failed"],
      ],
    },
    {
      id: "from.challenge-survives-other-commands",
      from: "/ client-expectations.md §2.3",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "scan ^none{n}", "data:[]"],
        ["anyone!", "lookup:none.{n}@alice", "error:AT0015-<any>"],
        ["anyone!", "pkam:{pkam(c)}", "data:success\n@alice@"],
      ],
    },
    {
      id: "from.challenge-single-use",
      differs: "a used challenge is AT0401",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:{pkam(c)}", "data:success\n@alice@"],
        ["anyone!", "pkam:{pkam(c)}", refused],
      ],
    },
    {
      id: "from.challenge-used-up-by-failure",
      differs: "a used challenge is AT0401",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:{wrong(c)}", "error:AT0401-Exception: pkam authentication failed"],
        ["anyone!", "pkam:{pkam(c)}", refused],
      ],
    },
    {
      id: "from.challenge-of-another-connection",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!#2", "from:@alice", "data:<challenge>"],
        ["anyone!#2", "pkam:{pkam(c)}", "error:AT0401-Exception: pkam authentication failed"],
      ],
    },
    {
      id: "pkam.without-from",
      steps: [
        ["anyone!", "pkam:c2lnbmF0dXJl", "error:AT0015-Exception: private:<session>@alice does not exist in keystore"],
      ],
    },
    {
      id: "cram.without-from",
      steps: [
        ["new!", "cram:{long(128)}", "error:AT0015-Exception: private:<session>@carol does not exist in keystore"],
      ],
    },
  ]),
  ...rowsOf("verbs.md pkam", [
    {
      id: "pkam.legacy",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:{pkam(c)}", "data:success\n@alice@"],
        ["anyone!", "llookup:public:publickey@alice", "data:<base64>\n@alice@"],
      ],
    },
    ...["signingAlgo:rsa2048:", "hashingAlgo:sha256:", "signingAlgo:rsa2048:hashingAlgo:sha256:"].map((form) => ({
      id: `pkam.${form}`,
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", `pkam:${form}{pkam(c)}`, "data:success\n@alice@"],
      ] as const,
    })),
    {
      id: "pkam.sha512",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:signingAlgo:rsa2048:hashingAlgo:sha512:{pkam512(c)}", "data:success\n@alice@"],
      ],
    },
    {
      id: "pkam.hash-must-match",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:{pkam512(c)}", "error:AT0401-Exception: pkam authentication failed"],
      ],
    },
    {
      id: "pkam.wrong-key",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:{wrong(c)}", "error:AT0401-Exception: pkam authentication failed"],
        ["anyone!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "pkam.no-base64",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:%%%", "error:AT0<401|003>-Exception: <some>"],
      ],
    },
    {
      id: "pkam.unknown-signing-algorithm",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:signingAlgo:rot13:{pkam(c)}", "error:AT0003-Exception: Invalid syntax. <any>"],
      ],
    },
    {
      id: "pkam.unknown-enrolment",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        [
          "anyone!",
          "pkam:enrollmentId:00000000-0000-4000-8000-000000000000:{app(c)}",
          "error:AT0028:enrollment_id: 00000000-0000-4000-8000-000000000000 is expired or invalid",
        ],
        ["anyone!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "pkam.spellings-in-any-case",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "pkam:signingalgo:RSA2048:hashingalgo:SHA256:{pkam(c)}", "data:success\n@alice@"],
      ],
    },
    {
      id: "pkam.empty",
      steps: [["anyone!", "pkam:", "error:AT0003-Exception: Invalid syntax. <any>"]],
    },
    {
      id: "cram.after-activation",
      from: "/ auth.md §2 CRAM",
      steps: [
        ["anyone!", "from:@alice", "data:<c:challenge>"],
        ["anyone!", "cram:{long(128)}", "error:AT0015-Exception: <some>"],
      ],
    },
    {
      id: "pkam.again-on-owner",
      from: "/ client-expectations.md §2.3",
      steps: [
        ["owner!", "from:@alice", "data:<c:challenge>\n@alice@"],
        ["owner!", "pkam:{pkam(c)}", "data:success\n@alice@"],
        ["owner!", "scan ^none{n}", "data:[]"],
      ],
    },
  ]),
  ...rowsOf("auth.md §2", [
    {
      id: "pkam.failure-ends-login",
      steps: [
        ["owner!", "from:@alice", "data:<c:challenge>\n@alice@"],
        ["owner!", "pkam:{wrong(c)}", refused],
        ["owner!", "llookup:x.{n}@alice", "error:AT0401-Exception: Command cannot be executed without auth\n@"],
      ],
    },
    {
      id: "from.keeps-login",
      from: "/ client-expectations.md §2.3",
      steps: [
        ["owner!", "from:@alice", "data:<c:challenge>\n@alice@"],
        ["owner!", "scan ^none{n}", "data:[]\n@alice@"],
      ],
    },
  ]),
  ...rowsOf("auth.md §3", [
    {
      id: "from.other-without-certificate",
      steps: [
        ["anyone!", "from:@bob", certificateFailed],
        ["anyone!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "from.other-with-certificate-of-another",
      needs: ["carol"],
      steps: [["caller!", "from:@carol", certificateFailed]],
    },
    { id: "from.other-with-its-certificate", steps: [["caller!", "from:@bob", "data:proof:<session>@bob:<uuid>"]] },
    { id: "from.self-with-foreign-certificate", steps: [["caller!", "from:@alice", "data:<challenge>"]] },
  ]),
  ...rowsOf("auth.md §4 pol", [
    {
      id: "pol.without-from",
      from: "/ verbs.md pol",
      steps: [
        [
          "anyone!",
          "pol",
          "error:AT0011-Exception: You must execute a 'from:' command before you may run the pol command",
        ],
        { on: "anyone!", closes: true },
      ],
    },
    {
      id: "pol.after-from-self",
      from: "/ verbs.md pol",
      steps: [
        ["anyone!", "from:@alice", "data:<challenge>"],
        ["anyone!", "pol", "error:AT0011-Exception: <some>"],
        { on: "anyone!", closes: true },
      ],
    },
    {
      id: "pol.no-proof",
      steps: [
        ["caller!", "from:@bob", "data:proof:<session>@bob:<nonce>"],
        ["caller!", "pol", "error:AT0401-Exception: Pol Authentication Failed"],
        ["caller!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "pol.wrong-signature",
      steps: [
        ["caller!", "from:@bob", "data:proof:<sid:session>@bob:<c:nonce>"],
        ["friend", "update:public:{sid}@bob {wrong(c)}", "data:-1"],
        ["caller!", "pol", "error:AT0401-Exception: Pol Authentication Failed"],
        ["caller!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "pol.signs-challenge-alone",
      steps: [
        ["caller!", "from:@bob", "data:proof:<c:some>"],
        ["friend", "llookup:@bob:signing_privatekey@bob", "data:<key:base64>"],
        ["caller!", "from:@bob", "data:proof:<sid:session>@bob:<nonce>"],
        ["friend", "update:public:{sid}@bob {sign(key,c)}", "data:-1"],
        ["caller!", "pol", "error:AT0401-Exception: Pol Authentication Failed"],
      ],
    },
    { id: "pol.with-argument", steps: [["caller!", "pol:x", "error:AT0003-Exception: <some>"]] },
    {
      id: "pol.proof-is-for-anybody",
      steps: [
        ["owner", "update:public:_{n}@alice c2lnbmF0dXJl", "data:-1"],
        ["anyone", "lookup:_{n}@alice", "data:c2lnbmF0dXJl"],
      ],
    },
    {
      id: "pol.signing-key-is-for-anybody",
      steps: [["anyone", "lookup:signing_publickey@alice", "data:<base64>"]],
    },
    {
      id: "pol.signing-pair-belongs-together",
      from: "/ keys.md §4",
      steps: [
        ["owner", "llookup:@alice:signing_privatekey@alice", "data:<key:base64>"],
        ["owner", "llookup:public:signing_publickey@alice", "data:<public:base64>"],
        ["anyone", "lookup:signing_publickey@alice", "data:{public}"],
      ],
    },
    {
      id: "pol.between-atservers",
      steps: [
        ["owner", "update:@bob:x.{n}@alice for bob", "data:<int>"],
        ["friend", "lookup:x.{n}@alice", "data:for bob"],
      ],
    },
    {
      id: "pol.the-other-way",
      steps: [
        ["friend", "update:@alice:x.{n}@bob for alice", "data:<int>"],
        ["owner", "lookup:x.{n}@bob", "data:for alice"],
      ],
    },
    {
      id: "to.greeting",
      from: "/ verbs.md to",
      steps: [["anyone!", "to:@alice", 'data:{"publickey":"<base64>","signing_publickey":"<base64>"}']],
    },
  ]),
];
