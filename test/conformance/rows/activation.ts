import { rowsOf } from "../row.ts";

const request = '"appName":"firstApp","deviceName":"firstDevice"';

/** An atServer that nobody has used: keys.md §4, auth.md §2, client-expectations.md §7. In this order. */
export const activationRows = [
  ...rowsOf("client-expectations.md §7", [
    { id: "new.scan-lists-signing-key", group: "new", steps: [["new", "scan", 'data:["signing_publickey@carol"]']] },
    {
      id: "new.no-public-key",
      group: "new",
      steps: [
        ["new", "lookup:publickey@carol", "error:AT0015-Exception: public:publickey@carol does not exist in keystore"],
      ],
    },
  ]),
  ...rowsOf("verbs.md cram", [
    {
      id: "new.cram-wrong",
      group: "new",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "cram:{long(128)}", "error:AT0401-Exception: Authentication Failed"],
        ["new!", "noop:0", "data:ok\n@"],
      ],
    },
    {
      id: "new.pkam-without-key",
      group: "new",
      differs: "pkam with no key stored is AT0401",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "pkam:{app(c)}", "error:AT0401-Exception: <some>"],
      ],
    },
    {
      id: "new.cram-has-all-rights",
      from: "/ auth.md §2",
      group: "new",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "cram:{cramCarol(c)}", "data:success\n@carol@"],
        ["new!", "llookup:@carol:signing_privatekey@carol", "data:<base64>"],
      ],
    },
    {
      id: "new.cram-challenge-single-use",
      from: "/ auth.md §1",
      group: "new",
      differs: "a used challenge is AT0401",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "cram:{cramCarol(c)}", "data:success\n@carol@"],
        ["new!", "cram:{cramCarol(c)}", "error:AT0401-<some>\n@"],
      ],
    },
  ]),
  ...rowsOf("keys.md §4", [
    {
      id: "new.two-commits",
      group: "new",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "cram:{cramCarol(c)}", "data:success\n@carol@"],
        ["new!", "stats:3", 'data: [{"id":"3","name":"lastCommitID","value":"1"}]'],
        [
          "new!",
          "sync:from:-1:limit:10",
          'data:[{"atKey":"<any>signing_<publickey|privatekey>@carol","value":"<base64>","metadata":{<any>},"commitId":0,"operation":"<any>"},{"atKey":"<any>signing_<publickey|privatekey>@carol","value":"<base64>","metadata":{<any>},"commitId":1,"operation":"<any>"}]',
        ],
      ],
    },
  ]),
  ...rowsOf("client-expectations.md §7", [
    {
      id: "new.classic-flow",
      group: "new",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "cram:{cramCarol(c)}", "data:success\n@carol@"],
        ["new!", "update:privatekey:at_pkam_publickey {appKey()}", "data:-1"],
        ["new!", "from:@carol", "data:<d:challenge>\n@carol@"],
        ["new!", "pkam:{app(d)}", "data:success\n@carol@"],
        ["new!", "update:public:publickey@carol {appKey()}", "data:2"],
        ["new!", "delete:privatekey:at_secret", "data:-1"],
        ["new", "lookup:publickey@carol", "data:<base64>"],
        ["new", "scan", 'data:["<any>publickey@carol","<any>publickey@carol"]'],
      ],
    },
    {
      id: "new.secret-is-gone",
      from: "/ auth.md §2",
      group: "new",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "cram:{cramCarol(c)}", "error:AT0015-Exception: <some>"],
      ],
    },
    {
      id: "new.secret-marker",
      from: "/ verbs.md delete",
      group: "new",
      steps: [
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "pkam:{app(c)}", "data:success\n@carol@"],
        ["new!", "llookup:privatekey:at_secret_deleted", "error:AT0003-<any>"],
        ["new!", "delete:privatekey:at_secret", "data:-1"],
      ],
    },
  ]),
  ...rowsOf("auth.md §2 onboarding", [
    {
      id: "new.enrolment-flow",
      group: "new",
      steps: [
        ["new2!", "from:@dave", "data:<c:challenge>"],
        ["new2!", "cram:{cramDave(c)}", "data:success\n@dave@"],
        [
          "new2!",
          `enroll:request:{${request},"apkamPublicKey":"{appKey()}","encryptedDefaultEncryptionPrivateKey":"a2V5","encryptedDefaultSelfEncryptionKey":"c2VsZg=="}`,
          'data:{"enrollmentId":"<id:uuid>","status":"approved"}\n@dave@',
        ],
        ["new2!#2", "from:@dave", "data:<d:challenge>"],
        ["new2!#2", "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:enrollmentId:{id}:{app(d)}", "data:success\n@dave@"],
        ["new2!#2", "update:public:publickey@dave {appKey()}", "data:<int>"],
        ["new2!#2", "delete:privatekey:at_secret", "data:-1"],
        ["new2!#2", "update:anything@dave 1", "data:<int>"],
        ["new2!#2", "keys:get:keyName:{id}.default_enc_private_key.__manage@dave", 'data:{"value":"a2V5"}'],
        ["new2!#2", "keys:get:keyName:{id}.default_self_enc_key.__manage@dave", 'data:{"value":"c2VsZg=="}'],
        [
          "new2!#2",
          "enroll:list",
          'data:{"{id}.new.enrollments.__manage@dave":{"appName":"firstApp","deviceName":"firstDevice","namespace":{"__manage":"rw","*":"rw"},<any>"status":"approved"}}',
        ],
      ],
    },
    {
      id: "new.enrolment-key-is-legacy-key",
      from: "/ verbs.md enroll",
      group: "new",
      steps: [
        ["new2!", "from:@dave", "data:<c:challenge>"],
        ["new2!", "pkam:{app(c)}", "data:success\n@dave@"],
      ],
    },
    {
      id: "new.enrolment-on-cram-connection",
      from: "/ client-expectations.md §7 Java 1.0",
      group: "new",
      steps: [
        ["new3!", "from:@erin", "data:<c:challenge>"],
        ["new3!", "cram:{cramErin(c)}", "data:success\n@erin@"],
        [
          "new3!",
          `enroll:request{${request},"apkamPublicKey":"{appKey()}"}`,
          'data:{"enrollmentId":"<id:uuid>","status":"approved"}\n@erin@',
        ],
        [
          "new3!",
          "info",
          'data:{"version":"<any>","uptimeAsWords":"<any>","apkam_metadata":{<any>"appName":"firstApp",<any>}}',
        ],
        ["new3!", "from:@erin", "data:<d:challenge>\n@erin@"],
        ["new3!", "pkam:enrollmentId:{id}:{app(d)}", "data:success\n@erin@"],
        ["new3!", "update:public:publickey@erin {appKey()}", "data:<int>"],
        ["new3!", "delete:privatekey:at_secret", "data:-1"],
        ["new3!", "otp:get", "data:<otp>"],
      ],
    },
  ]),
  ...rowsOf("auth.md §4", [
    {
      id: "pol.refused-is-a-failed-handshake",
      group: "alone",
      steps: [
        ["friend", "config:block:add:@carol", "data:success"],
        ["new!", "from:@carol", "data:<c:challenge>"],
        ["new!", "pkam:{app(c)}", "data:success\n@carol@"],
        ["new!", "lookup:x.{n}@bob", "error:AT0008-Handshake failure : <some>"],
        ["friend", "config:block:remove:@carol", "data:success"],
        [
          "new!",
          "lookup:x.{n}@bob",
          "error:AT0015-key not found : Exception: @carol:x.{n}@bob does not exist in keystore",
        ],
      ],
    },
  ]),
];
