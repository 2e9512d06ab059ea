import { rowsOf } from "../row.ts";

const badSyntax = "error:AT0003-Invalid syntax : Invalid syntax. <any>";
/** update, update:meta, update:json, delete: verbs.md. */
export const writeRows = [
  ...rowsOf("verbs.md update", [
    {
      id: "update.self",
      steps: [
        ["owner", "update:x.{n}@alice one two", "data:<int>"],
        ["owner", "llookup:x.{n}@alice", "data:one two"],
      ],
    },
    {
      id: "update.public",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["anyone", "lookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "update.shared",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["peer", "lookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "update.commit-ids-grow",
      from: "/ notifications-and-sync.md §6",
      group: "alone",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<a:int>"],
        ["owner", "stats:3:{n}", 'data: [{"id":"3","name":"lastCommitID","value":"{a}"}]'],
        ["owner", "update:x.{n}@alice 2", "data:<b:int>"],
        ["owner", "stats:3:{n}", 'data: [{"id":"3","name":"lastCommitID","value":"{b}"}]'],
        ["owner", "stats:3", 'data: [{"id":"3","name":"lastCommitID","value":"{b}"}]'],
      ],
    },
    { id: "update.public-and-shared", steps: [["owner", "update:public:@bob:x.{n}@alice 1", badSyntax]] },
    { id: "update.no-value", steps: [["owner", "update:x.{n}@alice", badSyntax]] },
    { id: "update.no-name", steps: [["owner", "update:@alice 1", badSyntax]] },
    { id: "update.nothing", steps: [["owner", "update:", badSyntax]] },
    { id: "update.priority-is-no-grammar", steps: [["owner", "update:priority:low:x.{n}@alice 1", badSyntax]] },
    {
      id: "update.owner-omitted-reserved",
      from: "/ client-expectations.md §5",
      steps: [["owner", "update:privatekey:at_pkam_publickey {pkamKey()}", "data:-1"]],
    },
    {
      id: "update.other-owner",
      from: "/ keys.md §2",
      steps: [
        [
          "owner",
          "update:x.{n}@bob 1",
          "error:AT0016-Invalid key : Invalid update command - sharedBy atsign @bob should be same as current atsign @alice",
        ],
      ],
    },
    {
      id: "update.negative-ttl",
      from: "/ keys.md §3.2",
      steps: [
        [
          "owner",
          "update:ttl:-1:x.{n}@alice 1",
          "error:AT0003-Invalid syntax : Valid value for TTL should be greater than or equal to 0",
        ],
      ],
    },
    {
      id: "update.negative-ttb",
      from: "/ keys.md §3.2",
      steps: [
        [
          "owner",
          "update:ttb:-1:x.{n}@alice 1",
          "error:AT0003-Invalid syntax : Valid value for TTB should be greater than or equal to 0",
        ],
      ],
    },
    {
      id: "update.ttr-too-small",
      from: "/ keys.md §3.2",
      steps: [
        [
          "owner",
          "update:ttr:-2:x.{n}@alice 1",
          "error:AT0003-Invalid syntax : Valid values for TTR are -1 and greater than or equal to 1",
        ],
      ],
    },
    {
      id: "update.ttl-before-owner",
      from: "checks in order",
      steps: [["owner", "update:ttl:-1:x.{n}@bob 1", "error:AT0003-<some>"]],
    },
    {
      id: "update.ttr-0",
      differs: "ttr:0 is as no ttr, the reference refuses it",
      steps: [
        ["owner", "update:ttr:0:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:@bob:x.{n}@alice", 'data:{<any>"version":0,"isBinary":false,"isEncrypted":false}'],
      ],
    },
    {
      id: "update.ttl-no-number",
      steps: [["owner", "update:ttl:soon:x.{n}@alice 1", "error:AT0003-Invalid syntax : <some>"]],
    },
    {
      id: "update.boolean-no-boolean",
      steps: [["owner", "update:isBinary:maybe:x.{n}@alice 1", "error:AT0003-Invalid syntax : <some>"]],
    },
    ...[
      ["private:x.{n}@alice", "privateKey"],
      ["cached:public:x.{n}@alice", "cachedPublicKey"],
      ["cached:@alice:x.{n}@alice", "cachedSharedKey"],
      ["local:x.{n}@alice", "localKey"],
    ].map(([key, type]) => ({
      id: `update.refused.${key?.split(":x")[0]}`,
      differs: "AT0016, where the reference's grammar does not know the form",
      steps: [
        ["owner", `update:${key} 1`, `error:AT0016-Invalid key : You may not update keys of type KeyType.${type}`],
      ] as const,
    })),
    {
      id: "update.uncommitted-hidden",
      steps: [
        ["owner", "update:public:_{n}@alice 1", "data:-1"],
        ["owner", "llookup:public:_{n}@alice", "data:1"],
      ],
    },
    {
      id: "update.committed-double-hidden",
      from: "/ keys.md §4",
      steps: [["owner", "update:public:__x.{n}@alice 1", "data:<number>"]],
    },
    {
      id: "update.committed-underscore-self",
      from: "/ keys.md §4",
      steps: [["owner", "update:_{n}.wavi@alice 1", "data:<number>"]],
    },
    {
      id: "update.length-248",
      from: "/ keys.md §2",
      steps: [
        ["owner", "update:{upTo(247)}@alice 1", "data:<int>"],
        ["owner", "delete:{upTo(247)}@alice", "data:<int>"],
      ],
    },
    {
      id: "update.length-249",
      from: "/ keys.md §2",
      steps: [
        [
          "owner",
          "update:{upTo(248)}@alice 1",
          "error:AT0016-Invalid key : key length 249 is greater than max allowed 248 chars",
        ],
      ],
    },
    {
      id: "update.json",
      steps: [
        [
          "owner",
          'update:json:{"atKey":"x.{n}","value":"1","sharedBy":"@alice","sharedWith":"@bob","metadata":{"ttr":10,"ccd":true}}',
          "data:<int>",
        ],
        [
          "owner",
          "llookup:all:@bob:x.{n}@alice",
          'data:{"key":"@bob:x.{n}@alice","data":"1",<any>"ttr":10,"ccd":true,<any>',
        ],
      ],
    },
    { id: "update.json-broken", steps: [["owner", "update:json:{", "error:AT00<03|11|10>-<some>"]] },
    {
      id: "update.nc",
      from: "[S]",
      steps: [
        ["owner", "update:nc:x.{n}@alice 1", "data:-1"],
        ["owner", "llookup:x.{n}@alice", "data:1"],
        ["owner", "stats:3:{n}", 'data: [{"id":"3","name":"lastCommitID","value":"null"}]'],
      ],
    },
    {
      id: "update.auto-notify",
      steps: [
        ["friend!", "monitor {n}", ""],
        ["owner", "update:ttr:1000:isEncrypted:true:@bob:x.{n}@alice 1", "data:<int>"],
        {
          on: "friend!",
          sees: 'notification: {"id":"<uuid>","from":"@alice","to":"@bob","key":"@bob:x.{n}@alice","value":"1","operation":"update","epochMillis":<ms>,"messageType":"MessageType.key","isEncrypted":true,"metadata":{<any>}}',
        },
      ],
    },
    {
      id: "update.no-auto-notify-of-own",
      steps: [
        ["owner!", "monitor:selfNotifications {n}", ""],
        ["owner", "update:@alice:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:y.{n}@alice 1", "data:<int>"],
        ["owner", "notify:@alice:fence.{n}@alice:1", "data:<uuid>"],
        { on: "owner!", sees: 'notification: {<any>"key":"@alice:fence.{n}@alice",<any>' },
        { on: "owner!", unseen: 'notification: {<any>"key":"<any><x|y>.{n}@alice",<any>' },
      ],
    },
    {
      id: "update.pushes-statistics",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        ["owner", "update:x.{n}@alice 1", "data:<id:int>"],
        {
          on: "owner!",
          sees: 'notification: {"id":"-1","from":"@alice","to":"@alice","key":"statsNotification.@alice","value":"<number>","operation":"update","epochMillis":<ms>,"messageType":"MessageType.key","isEncrypted":false,"metadata":null}',
        },
      ],
    },
  ]),
  ...rowsOf("verbs.md update:meta", [
    {
      id: "update-meta.keeps-value",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:meta:x.{n}@alice:ttl:100000", "data:<int>"],
        [
          "owner",
          "llookup:all:x.{n}@alice",
          'data:{"key":"x.{n}@alice","data":"1",<any>"version":1,"ttl":100000,<any>',
        ],
      ],
    },
    {
      id: "update-meta.public",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:meta:public:x.{n}@alice:ttl:100000:isBinary:true", "data:<int>"],
        ["owner", "llookup:meta:public:x.{n}@alice", 'data:{<any>"ttl":100000,"isBinary":true,"isEncrypted":false}'],
      ],
    },
    {
      id: "update-meta.shared",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:meta:@bob:x.{n}@alice:ttr:10", "data:<int>"],
        ["owner", "llookup:meta:@bob:x.{n}@alice", 'data:{<any>"ttr":10,"ccd":false,<any>'],
      ],
    },
    {
      id: "update-meta.creates",
      steps: [
        ["owner", "update:meta:x.{n}@alice:ttl:100000", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"ttl":100000,<any>'],
      ],
    },
    { id: "update-meta.no-owner", steps: [["owner", "update:meta:x.{n}:ttl:1000", badSyntax]] },
    {
      id: "update-meta.negative-ttl",
      steps: [["owner", "update:meta:x.{n}@alice:ttl:-1", "error:AT0003-Invalid syntax : Valid value for TTL <any>"]],
    },
    {
      id: "update-meta.commit-operation",
      from: "/ notifications-and-sync.md §6",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:meta:x.{n}@alice:ttl:100000", "data:<id:int>"],
        [
          "owner",
          "stats:15:{n}",
          'data: [{"id":"15","name":"LatestCommitEntryOfEachKey","value":"{\\"x.{n}@alice\\":[{id},\\"#\\"]}"}]',
        ],
      ],
    },
    {
      id: "update-meta.auto-notify-without-value",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["friend!", "monitor {n}", ""],
        ["owner", "update:meta:@bob:x.{n}@alice:ttr:10", "data:<int>"],
        { on: "friend!", sees: 'notification: {<any>"key":"@bob:x.{n}@alice","value":null,"operation":"update",<any>' },
      ],
    },
  ]),
  ...rowsOf("verbs.md delete", [
    {
      id: "delete.self",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "delete:x.{n}@alice", "data:<number>"],
        ["owner", "llookup:x.{n}@alice", "error:AT0015-key not found : x.{n}@alice does not exist in keystore"],
      ],
    },
    {
      id: "delete.public",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["owner", "delete:public:x.{n}@alice", "data:<number>"],
        ["anyone", "lookup:x.{n}@alice", "error:AT0015-<any>"],
      ],
    },
    {
      id: "delete.shared",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "delete:@bob:x.{n}@alice", "data:<number>"],
        ["peer", "lookup:x.{n}@alice", "error:AT0015-<any>\n@"],
      ],
    },
    {
      id: "delete.absent-is-committed",
      steps: [
        ["owner", "delete:x.{n}@alice", "data:<id:number>"],
        [
          "owner",
          "stats:15:{n}",
          'data: [{"id":"15","name":"LatestCommitEntryOfEachKey","value":"{\\"x.{n}@alice\\":[{id},\\"-\\"]}"}]',
        ],
      ],
    },
    {
      id: "delete.uncommitted",
      steps: [
        ["owner", "update:public:_{n}@alice 1", "data:-1"],
        ["owner", "delete:public:_{n}@alice", "data:-1"],
        ["owner", "llookup:public:_{n}@alice", "error:AT0015-<any>"],
      ],
    },
    ...["high", "medium", "low"].map((priority) => ({
      id: `delete.priority-${priority}`,
      steps: [["owner", `delete:priority:${priority}:x.{n}@alice`, "data:<number>"]] as const,
    })),
    {
      id: "delete.cached",
      steps: [
        ["friend", "update:ttr:1000:public:x.{n}@bob 1", "data:<int>"],
        ["owner", "plookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:cached:public:x.{n}@bob", is: "data:1" },
        ["owner", "delete:cached:public:x.{n}@bob", "data:<number>"],
        ["owner", "llookup:cached:public:x.{n}@bob", "error:AT0015-<any>"],
      ],
    },
    {
      id: "delete.secret-after-activation",
      from: "/ client-expectations.md §4",
      steps: [["owner", "delete:privatekey:at_secret", "data:-1"]],
    },
    ...[
      ["public:signing_publickey@alice", "signing_publickey@alice"],
      ["@alice:signing_privatekey@alice", "signing_privatekey@alice"],
      ["public:publickey@alice", "publickey@alice"],
    ].map(([key, shown]) => ({
      id: `delete.protected.${key}`,
      steps: [
        [
          "owner",
          `delete:${key}`,
          `error:AT0009-UnAuthorized client in request : Cannot delete protected key: '<any>${shown}'`,
        ],
        ["owner", `llookup:${key}`, "data:<base64>"],
      ] as const,
    })),
    {
      id: "delete.protected.pkam",
      differs: "AT0009, the reference's grammar refuses it",
      steps: [["owner", "delete:privatekey:at_pkam_publickey", "error:AT0009-<some>"]],
    },
    {
      id: "delete.cached-copy-of-protected",
      group: "alone",
      steps: [
        ["owner", "plookup:publickey@bob", "data:<base64>"],
        { on: "owner", until: "llookup:cached:public:publickey@bob", is: "data:<base64>" },
        ["owner", "delete:cached:public:publickey@bob", "data:<number>"],
        ["owner", "llookup:cached:public:publickey@bob", "error:AT0015-<any>"],
        ["owner", "plookup:publickey@bob", "data:<base64>"],
      ],
    },
    { id: "delete.nothing", steps: [["owner", "delete:", badSyntax]] },
    { id: "delete.bad-priority", steps: [["owner", "delete:priority:urgent:x.{n}@alice", badSyntax]] },
    {
      id: "delete.auto-notify",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["friend!", "monitor {n}", ""],
        ["owner", "delete:@bob:x.{n}@alice", "data:<int>"],
        {
          on: "friend!",
          sees: 'notification: {"id":"<uuid>","from":"@alice","to":"@bob","key":"@bob:x.{n}@alice","value":null,"operation":"delete",<any>',
        },
      ],
    },
    {
      id: "delete.statistics-say-delete",
      from: "/ notifications-and-sync.md §3",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        ["owner", "delete:x.{n}@alice", "data:<int>"],
        { on: "owner!", sees: 'notification: {"id":"-1",<any>"operation":"delete",<any>' },
      ],
    },
    {
      id: "delete.nc",
      from: "[S]",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<id:int>"],
        ["owner", "delete:nc:x.{n}@alice", "data:-1"],
        ["owner", "llookup:x.{n}@alice", "error:AT0015-<any>"],
      ],
    },
    {
      id: "delete.at-a-time",
      from: "[S]",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "delete:dAt:2026-01-01T00:00:00.000Z:x.{n}@alice", "data:<number>"],
        ["owner", "llookup:x.{n}@alice", "error:AT0015-<any>"],
      ],
    },
    {
      id: "delete.then-version-0",
      from: "/ keys.md §3.2",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 2", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"version":1,<any>'],
        ["owner", "delete:x.{n}@alice", "data:<int>"],
        ["owner", "update:x.{n}@alice 3", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", 'data:{<any>"version":0,<any>'],
      ],
    },
  ]),
];
