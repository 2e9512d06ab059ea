import { rowsOf } from "../row.ts";

const meta =
  '{"createdBy":"@alice","updatedBy":"@alice","createdAt":"<date>","updatedAt":"<date>","status":"active","version":0,"isBinary":false,"isEncrypted":false}';

const namesOfNothing = ["llookup:", "llookup:x", "llookup:x@", "llookup::x@alice", "llookup:x::y@alice"];

/** llookup, lookup, plookup: verbs.md. */
export const readRows = [
  ...rowsOf("verbs.md llookup", [
    {
      id: "llookup.self",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "llookup.public",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:public:x.{n}@alice", "data:1"],
        ["owner", "llookup:x.{n}@alice", "error:AT0015-key not found : x.{n}@alice does not exist in keystore"],
      ],
    },
    {
      id: "llookup.shared",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:@bob:x.{n}@alice", "data:1"],
        ["owner", "llookup:x.{n}@alice", "error:AT0015-key not found : x.{n}@alice does not exist in keystore"],
      ],
    },
    {
      id: "llookup.own-name-as-recipient",
      steps: [
        ["owner", "update:@alice:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:@alice:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "llookup.meta",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:meta:x.{n}@alice", `data:${meta}`],
      ],
    },
    {
      id: "llookup.all",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:all:x.{n}@alice", `data:{"key":"x.{n}@alice","data":"1","metaData":${meta}}`],
      ],
    },
    {
      id: "llookup.all-public",
      from: "/ keys.md §3.3",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:all:public:x.{n}@alice", `data:{"key":"public:x.{n}@alice","data":"1","metaData":${meta}}`],
      ],
    },
    {
      id: "llookup.all-shared",
      from: "/ keys.md §3.3",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:all:@bob:x.{n}@alice", `data:{"key":"@bob:x.{n}@alice","data":"1","metaData":${meta}}`],
      ],
    },
    {
      id: "llookup.reserved-server-record",
      from: "/ keys.md §3.3",
      steps: [
        [
          "owner",
          "llookup:all:public:signing_publickey@alice",
          'data:{"key":"public:signing_publickey@alice","data":"<base64>","metaData":{"createdBy":"@alice",<any>"status":"active","version":0}}',
        ],
      ],
    },
    {
      id: "llookup.lower-case-key",
      from: "/ keys.md §2",
      steps: [
        ["owner", "update:Phone.{n}@alice Value", "data:<int>"],
        ["owner", "llookup:phone.{n}@alice", "data:Value"],
        ["owner", "llookup:PHONE.{n}@alice", "data:Value"],
        ["owner", "scan ^phone.{n}", 'data:["phone.{n}@alice"]'],
        ["owner", "llookup:all:PHone.{n}@alice", 'data:{"key":"phone.{n}@alice",<any>}'],
      ],
    },
    {
      id: "llookup.missing-is-exact-for-c",
      from: "/ client-expectations.md §4",
      steps: [
        ["owner", "llookup:none.{n}@alice", "error:AT0015-key not found : none.{n}@alice does not exist in keystore"],
      ],
    },
    {
      id: "llookup.cached-missing",
      steps: [
        [
          "owner",
          "llookup:cached:public:none.{n}@bob",
          "error:AT0015-key not found : cached:public:none.{n}@bob does not exist in keystore",
        ],
      ],
    },
    {
      id: "llookup.no-references",
      steps: [
        ["owner", "update:x.{n}@alice atsign://y.{n}@alice", "data:<int>"],
        ["owner", "llookup:x.{n}@alice", "data:atsign://y.{n}@alice"],
      ],
    },
    {
      id: "llookup.expired",
      differs: "expired is AT0015, the reference says data:null until it has swept",
      steps: [
        ["owner", "update:ttl:120:x.{n}@alice 1", "data:<int>"],
        {
          on: "owner",
          until: "llookup:x.{n}@alice",
          is: "error:AT0015-key not found : x.{n}@alice does not exist in keystore",
        },
      ],
    },
    {
      id: "llookup.unborn",
      differs: "not yet born is AT0015, the reference says data:null",
      steps: [
        ["owner", "update:ttb:300:x.{n}@alice 1", "data:<int>"],
        ["owner", "llookup:x.{n}@alice", "error:AT0015-key not found : x.{n}@alice does not exist in keystore"],
        { on: "owner", until: "llookup:x.{n}@alice", is: "data:1" },
      ],
    },
    ...namesOfNothing.map((command) => ({
      id: `llookup.bad.${command}`,
      steps: [["owner", command, "error:AT0003-Invalid syntax : Invalid syntax. <any>"]] as const,
    })),
  ]),
  ...rowsOf("verbs.md lookup", [
    {
      id: "lookup.anyone-public",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["anyone", "lookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "lookup.anyone-all",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["anyone", "lookup:all:x.{n}@alice", `data:{"key":"public:x.{n}@alice","data":"1","metaData":${meta}}`],
      ],
    },
    {
      id: "lookup.anyone-meta",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["anyone", "lookup:meta:x.{n}@alice", `data:${meta}`],
      ],
    },
    {
      id: "lookup.anyone-not-shared",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["anyone", "lookup:x.{n}@alice", "error:AT0015-Exception: public:x.{n}@alice does not exist in keystore"],
      ],
    },
    {
      id: "lookup.anyone-expired",
      differs: "expired is AT0015, the reference says data:null",
      steps: [
        ["owner", "update:ttl:120:public:x.{n}@alice 1", "data:<int>"],
        {
          on: "anyone",
          until: "lookup:x.{n}@alice",
          is: "error:AT0015-Exception: public:x.{n}@alice does not exist in keystore",
        },
      ],
    },
    {
      id: "lookup.anyone-other-owner",
      steps: [
        ["anyone", "lookup:publickey@bob", "error:AT0015-Exception: public:publickey@bob does not exist in keystore"],
      ],
    },
    {
      id: "lookup.owner-self",
      steps: [
        ["owner", "update:@alice:x.{n}@alice mine", "data:<int>"],
        ["owner", "lookup:x.{n}@alice", "data:mine"],
      ],
    },
    {
      id: "lookup.owner-self-not-unprefixed",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["owner", "lookup:x.{n}@alice", "error:AT0015-key not found : @alice:x.{n}@alice does not exist in keystore"],
      ],
    },
    {
      id: "lookup.peer-shared",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["peer", "lookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "lookup.peer-all",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["peer", "lookup:all:x.{n}@alice", `data:{"key":"@bob:x.{n}@alice","data":"1","metaData":${meta}}`],
      ],
    },
    {
      id: "lookup.peer-meta",
      steps: [
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        ["peer", "lookup:meta:x.{n}@alice", `data:${meta}`],
      ],
    },
    {
      id: "lookup.peer-never-public",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["peer", "lookup:x.{n}@alice", "error:AT0015-Exception: @bob:x.{n}@alice does not exist in keystore\n@"],
      ],
    },
    {
      id: "lookup.peer-not-of-others",
      steps: [
        ["owner", "update:@carol:x.{n}@alice 1", "data:<int>"],
        ["peer", "lookup:x.{n}@alice", "error:AT0015-Exception: @bob:x.{n}@alice does not exist in keystore\n@"],
      ],
    },
    {
      id: "lookup.peer-expired",
      differs: "expired is AT0015, the reference says data:null",
      steps: [
        ["owner", "update:ttl:120:@bob:x.{n}@alice 1", "data:<int>"],
        {
          on: "peer",
          until: "lookup:x.{n}@alice",
          is: "error:AT0015-Exception: @bob:x.{n}@alice does not exist in keystore\n@",
        },
      ],
    },
    {
      id: "lookup.remote-not-cached-without-ttr",
      steps: [
        ["friend", "update:@alice:x.{n}@bob 1", "data:<int>"],
        ["owner", "lookup:x.{n}@bob", "data:1"],
        [
          "owner",
          "llookup:cached:@alice:x.{n}@bob",
          "error:AT0015-key not found : cached:@alice:x.{n}@bob does not exist in keystore",
        ],
        ["friend", "update:@alice:x.{n}@bob 2", "data:<int>"],
        ["owner", "lookup:x.{n}@bob", "data:2"],
      ],
    },
    {
      id: "lookup.remote-all-fresh-key",
      from: "/ keys.md §3.3",
      steps: [
        ["friend", "update:@alice:x.{n}@bob 1", "data:<int>"],
        [
          "owner",
          "lookup:all:x.{n}@bob",
          'data:{"key":"@alice:x.{n}@bob","data":"1","metaData":{"createdBy":"@bob",<any>}}',
        ],
      ],
    },
    {
      id: "lookup.remote-meta",
      steps: [
        ["friend", "update:@alice:x.{n}@bob 1", "data:<int>"],
        ["owner", "lookup:meta:x.{n}@bob", 'data:{"createdBy":"@bob",<any>}'],
      ],
    },
    {
      id: "lookup.remote-iv-nonce",
      from: "/ client-expectations.md §6.1",
      steps: [
        ["friend", "update:isEncrypted:true:ivNonce:YWJjZGVmZ2hpamtsbW5vcA==:@alice:x.{n}@bob 1", "data:<int>"],
        [
          "owner",
          "lookup:all:x.{n}@bob",
          'data:{<any>"metaData":{<any>"isEncrypted":true,<any>"ivNonce":"YWJjZGVmZ2hpamtsbW5vcA=="}}',
        ],
      ],
    },
    {
      id: "lookup.remote-cached-by-ttr",
      steps: [
        ["friend", "update:ttr:1000:@alice:x.{n}@bob 1", "data:<int>"],
        ["owner", "lookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        [
          "owner",
          "lookup:all:x.{n}@bob",
          'data:{"key":"cached:@alice:x.{n}@bob","data":"1","metaData":{<any>"ttr":1000,<any>}}',
        ],
      ],
    },
    {
      id: "lookup.remote-cached-for-ever",
      steps: [
        ["friend", "update:ttr:-1:@alice:x.{n}@bob 1", "data:<int>"],
        ["owner", "lookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:all:cached:@alice:x.{n}@bob", is: 'data:{<any>"ttr":-1,<any>}' },
      ],
    },
    {
      id: "lookup.bypass-cache",
      steps: [
        ["friend", "update:ttr:1000:@alice:x.{n}@bob 1", "data:<int>"],
        ["owner", "lookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        ["owner", "lookup:bypassCache:true:all:x.{n}@bob", 'data:{"key":"@alice:x.{n}@bob","data":"1",<any>}'],
        ["owner", "lookup:bypassCache:false:all:x.{n}@bob", 'data:{"key":"cached:@alice:x.{n}@bob","data":"1",<any>}'],
      ],
    },
    {
      id: "lookup.remote-missing-drops-copy",
      steps: [
        ["owner!#2", "monitor {n}", ""],
        ["friend", "update:ttr:1000:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner!#2", sees: 'notification: {<any>"key":"@alice:x.{n}@bob",<any>' },
        ["owner", "lookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        ["friend", "delete:@alice:x.{n}@bob", "data:<int>"],
        [
          "owner",
          "lookup:bypassCache:true:x.{n}@bob",
          "error:AT0015-key not found : Exception: @alice:x.{n}@bob does not exist in keystore",
        ],
        ["owner", "llookup:cached:@alice:x.{n}@bob", "error:AT0015-key not found : <any>"],
      ],
    },
    {
      id: "lookup.remote-unknown-atsign",
      steps: [["owner", "lookup:x.{n}@nobody", "error:AT0007-Secondary server not found : <some>"]],
    },
    {
      id: "lookup.peer-records-no-remote",
      steps: [["peer", "lookup:x.{n}@carol", "error:AT0015-Exception: <some>\n@"]],
    },
    {
      id: "lookup.reference",
      steps: [
        ["owner", "update:public:y.{n}@alice there", "data:<int>"],
        ["owner", "update:public:x.{n}@alice atsign://y.{n}@alice", "data:<int>"],
        ["anyone", "lookup:x.{n}@alice", "data:there"],
      ],
    },
    {
      id: "lookup.reference-chain",
      steps: [
        ["owner", "update:public:z.{n}@alice there", "data:<int>"],
        ["owner", "update:public:y.{n}@alice atsign://z.{n}@alice", "data:<int>"],
        ["owner", "update:public:x.{n}@alice atsign://y.{n}@alice", "data:<int>"],
        ["anyone", "lookup:x.{n}@alice", "data:there"],
      ],
    },
    {
      id: "lookup.reference-all-and-meta",
      steps: [
        ["owner", "update:public:y.{n}@alice there", "data:<int>"],
        ["owner", "update:public:x.{n}@alice atsign://y.{n}@alice", "data:<int>"],
        [
          "anyone",
          "lookup:all:x.{n}@alice",
          'data:{"key":"<item>","data":"there","metaData":{"createdBy":"@alice",<any>}}',
        ],
        ["anyone", "lookup:meta:x.{n}@alice", 'data:{"createdBy":"@alice",<any>}'],
      ],
    },
    {
      id: "lookup.reference-unresolved",
      steps: [
        ["owner", "update:public:x.{n}@alice atsign://none.{n}@alice", "data:<int>"],
        ["anyone", "lookup:x.{n}@alice", "data:null"],
      ],
    },
    {
      id: "lookup.reference-peer-falls-to-public",
      steps: [
        ["owner", "update:public:y.{n}@alice there", "data:<int>"],
        ["owner", "update:@bob:x.{n}@alice atsign://y.{n}@alice", "data:<int>"],
        ["peer", "lookup:x.{n}@alice", "data:there"],
      ],
    },
    {
      id: "lookup.name-with-colon",
      steps: [
        ["anyone", "lookup:a:b.{n}@alice", "error:AT0015-Exception: public:a:b.{n}@alice does not exist in keystore"],
      ],
    },
    { id: "lookup.bad-no-owner", steps: [["anyone", "lookup:x.{n}", "error:AT0003-Exception: Invalid syntax. <any>"]] },
    { id: "lookup.bad-colon-first", steps: [["anyone", "lookup::x@alice", "error:AT0003-Exception: <any>"]] },
    { id: "lookup.bad-bypass", steps: [["owner", "lookup:bypassCache:maybe", "error:AT0003-Invalid syntax : <any>"]] },
  ]),
  ...rowsOf("verbs.md plookup", [
    {
      id: "plookup.remote",
      steps: [
        ["friend", "update:public:x.{n}@bob 1", "data:<int>"],
        ["owner", "plookup:x.{n}@bob", "data:1"],
      ],
    },
    {
      id: "plookup.all",
      steps: [
        ["friend", "update:public:x.{n}@bob 1", "data:<int>"],
        [
          "owner",
          "plookup:all:x.{n}@bob",
          'data:{"key":"public:x.{n}@bob","data":"1","metaData":{"createdBy":"@bob",<any>}}',
        ],
      ],
    },
    {
      id: "plookup.meta",
      steps: [
        ["friend", "update:public:x.{n}@bob 1", "data:<int>"],
        ["owner", "plookup:meta:x.{n}@bob", 'data:{"createdBy":"@bob",<any>}'],
      ],
    },
    {
      id: "plookup.kept-a-day-not-served",
      steps: [
        ["friend", "update:public:x.{n}@bob 1", "data:<int>"],
        ["owner", "plookup:x.{n}@bob", "data:1"],
        {
          on: "owner",
          until: "llookup:all:cached:public:x.{n}@bob",
          is: 'data:{<any>"data":"1",<any>"ttl":86400000<any>}',
        },
        ["friend", "update:public:x.{n}@bob 2", "data:<int>"],
        ["owner", "plookup:x.{n}@bob", "data:2"],
      ],
    },
    {
      id: "plookup.cached-by-ttr",
      steps: [
        ["friend", "update:ttr:1000:public:x.{n}@bob 1", "data:<int>"],
        ["owner", "plookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:cached:public:x.{n}@bob", is: "data:1" },
        ["owner", "plookup:all:x.{n}@bob", 'data:{"key":"cached:public:x.{n}@bob","data":"1",<any>}'],
        ["owner", "plookup:bypassCache:true:all:x.{n}@bob", 'data:{"key":"public:x.{n}@bob","data":"1",<any>}'],
      ],
    },
    {
      id: "plookup.publickey-cached-for-ever",
      steps: [
        ["owner", "plookup:publickey@bob", "data:<key:base64>"],
        {
          on: "owner",
          until: "llookup:all:cached:public:publickey@bob",
          is: 'data:{<any>"data":"{key}",<any>"ttr":-1<any>}',
        },
        ["owner", "plookup:all:publickey@bob", 'data:{"key":"cached:public:publickey@bob","data":"{key}",<any>}'],
      ],
    },
    {
      id: "plookup.missing",
      steps: [
        [
          "owner",
          "plookup:none.{n}@bob",
          "error:AT0015-key not found : Exception: public:none.{n}@bob does not exist in keystore",
        ],
      ],
    },
    {
      id: "plookup.missing-drops-copy",
      steps: [
        ["friend", "update:ttr:1000:public:x.{n}@bob 1", "data:<int>"],
        ["owner", "plookup:x.{n}@bob", "data:1"],
        { on: "owner", until: "llookup:cached:public:x.{n}@bob", is: "data:1" },
        ["friend", "delete:public:x.{n}@bob", "data:<int>"],
        ["owner", "plookup:bypassCache:true:x.{n}@bob", "error:AT0015-<any>"],
        ["owner", "llookup:cached:public:x.{n}@bob", "error:AT0015-<any>"],
      ],
    },
    {
      id: "plookup.own",
      steps: [
        ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
        ["owner", "plookup:x.{n}@alice", "data:1"],
      ],
    },
    {
      id: "plookup.unknown-atsign",
      steps: [["owner", "plookup:publickey@nobody", "error:AT0007-Secondary server not found : <some>"]],
    },
    { id: "plookup.bad", steps: [["owner", "plookup:x", "error:AT0003-Invalid syntax : Invalid syntax. <any>"]] },
  ]),
];
