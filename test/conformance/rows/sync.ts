import { type Row, rowsOf } from "../row.ts";

const metadata =
  '{"createdBy":"@alice","updatedBy":"@alice","createdAt":"<date>","updatedAt":"<date>","status":"active","version":"0","isBinary":"false","isEncrypted":"false"}';

/** A key of a row with another number. */
const many = (count: number) =>
  Array.from(
    { length: count },
    (_none, index) => ["owner", `update:k${index}.{n}@alice 1`, `data:<i${index}:int>`] as const,
  );

/** sync:from: verbs.md, notifications-and-sync.md §6 and §7; batch: verbs.md. */
export const syncRows: readonly Row[] = [
  // Alone: shared keys and public names without namespace, of whichever row, are on every page.
  ...rowsOf("notifications-and-sync.md §7", [
    {
      id: "sync.entry",
      steps: [
        ["owner", "update:x.{n}@alice 1234", "data:<id:int>"],
        [
          "owner",
          "sync:from:-1:limit:10:^x.{n}",
          `data:[<any>{"atKey":"x.{n}@alice","value":"1234","metadata":${metadata},"commitId":{id},"operation":"*"}<any>]`,
        ],
      ],
    },
    {
      id: "sync.metadata-as-strings",
      steps: [
        ["owner", "update:ttl:100000:ttr:60:ccd:true:isEncrypted:true:ivNonce:e==:@bob:x.{n}@alice 1", "data:<id:int>"],
        [
          "owner",
          "sync:from:-1:limit:100:x.{n}",
          'data:[<any>{"atKey":"@bob:x.{n}@alice","value":"1","metadata":{"createdBy":"@alice",<any>"version":"0","ttl":"100000",<any>"ttr":"60","ccd":"true","isBinary":"false","isEncrypted":"true","ivNonce":"e=="},"commitId":{id},"operation":"*"}<any>]',
        ],
      ],
    },
    {
      id: "sync.delete",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "delete:x.{n}@alice", "data:<id:int>"],
        [
          "owner",
          "sync:from:-1:limit:100:x.{n}",
          'data:[<any>{"atKey":"x.{n}@alice","value":null,"metadata":null,"commitId":{id},"operation":"-"}<any>]',
        ],
      ],
    },
    {
      id: "sync.metadata-change",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:meta:x.{n}@alice:ttl:100000", "data:<id:int>"],
        [
          "owner",
          "sync:from:-1:limit:100:x.{n}",
          'data:[<any>{"atKey":"x.{n}@alice","value":"1",<any>"commitId":{id},"operation":"#"}<any>]',
        ],
      ],
    },
    {
      id: "sync.greater-than",
      steps: [
        ["owner", "update:a.{n}@alice 1", "data:<a:int>"],
        ["owner", "update:b.{n}@alice 2", "data:<b:int>"],
        [
          "owner",
          "sync:from:{a}:limit:100:^[ab].{n}",
          'data:[{"atKey":"b.{n}@alice",<any>"commitId":{b},"operation":"*"}<any>]',
        ],
      ],
    },
    {
      id: "sync.up-to-date",
      steps: [
        ["owner", "update:a.{n}@alice 1", "data:<a:int>"],
        ["owner", "sync:from:{a}:limit:100", "data:[]"],
        ["owner", "sync:from:{a}:limit:100:{n}", "data:[]"],
      ],
    },
    {
      id: "sync.ascending",
      steps: [
        ["owner", "update:a.{n}@alice 1", "data:<a:int>"],
        ["owner", "update:b.{n}@alice 2", "data:<int>"],
        ["owner", "update:a.{n}@alice 3", "data:<c:int>"],
        [
          "owner",
          "sync:from:{a}:limit:100:{n}",
          'data:[{"atKey":"b.{n}@alice",<any>},{"atKey":"a.{n}@alice","value":"3",<any>"commitId":{c},"operation":"*"}<any>]',
        ],
      ],
    },
    {
      id: "sync.always-included",
      steps: [["owner", "sync:from:-1:limit:1000:^none{n}$", 'data:[<any>{"atKey":"public:publickey@alice",<any>]']],
    },
    {
      id: "sync.uncommitted-never",
      steps: [
        ["owner", "update:a.{n}@alice 1", "data:<a:int>"],
        ["owner", "update:public:_{n}@alice 1", "data:-1"],
        ["owner", "update:public:__x.{n}@alice 1", "data:<int>"],
        ["owner", "sync:from:{a}:limit:100:{n}", 'data:[{"atKey":"public:__x.{n}@alice",<any>}<any>]'],
      ],
    },
    {
      id: "sync.cached",
      steps: [
        ["peer", "notify:id:{n}-1:update:ttr:1000:@alice:x.{n}@bob:1", "data:success"],
        ["owner", "sync:from:-1:limit:100:{n}", 'data:[<any>{"atKey":"cached:@alice:x.{n}@bob","value":"1",<any>]'],
      ],
    },
    {
      id: "sync.signing-key",
      steps: [["owner", "sync:from:-1:limit:2", 'data:[<any>{"atKey":"@alice:signing_privatekey@alice",<any>]']],
    },
    {
      id: "sync.25-without-limit",
      differs: "limit is optional, 25 without",
      steps: [
        ...many(27),
        { on: "owner", pages: "sync:from:-1", are: 25 },
        { on: "owner", pages: "sync:from:-1:^k.*{n}", are: 25 },
      ],
    },
    {
      id: "sync.limit-honoured",
      differs: "limit is honoured",
      steps: [
        ...many(5),
        [
          "owner",
          "sync:from:-1:limit:2",
          'data:[{"atKey":"<item>",<any>"commitId":<a:int>,"operation":"<item>"},{"atKey":"<item>",<any>"commitId":<b:int>,"operation":"<item>"}]',
        ],
        { on: "owner", pages: "sync:from:{i0}:limit:2:^k.*{n}", are: 2 },
        { on: "owner", pages: "sync:from:{i0}:limit:100:^k.*{n}", are: 4 },
      ],
    },
    {
      id: "sync.shared-keys-always-included",
      steps: [
        ["owner", "update:fence.{n}@alice 1", "data:<a:int>"],
        ["owner", "update:shared_key.x{n}@alice 1", "data:<id:int>"],
        [
          "owner",
          "sync:from:{a}:limit:100:^none{n}$",
          'data:[<any>{"atKey":"shared_key.x{n}@alice",<any>"commitId":{id},<any>]',
        ],
      ],
    },
    {
      id: "sync.app-gets-what-has-no-namespace",
      steps: [
        ["owner", "update:fence.{n}@alice 1", "data:<a:int>"],
        ["owner", "update:plain{n}@alice 1", "data:<int>"],
        ["app(wavi:r)", "sync:from:{a}:limit:100:{n}", 'data:[<any>{"atKey":"plain{n}@alice",<any>]'],
      ],
    },
    {
      id: "sync.app-manage-gets-all",
      steps: [
        ["owner", "update:fence.{n}@alice 1", "data:<a:int>"],
        ["owner", "update:{n}.buzz@alice 1", "data:<int>"],
        ["app(__manage:rw)", "sync:from:{a}:limit:100:{n}.buzz", 'data:[<any>{"atKey":"{n}.buzz@alice",<any>]'],
        ["app(*:r)", "sync:from:{a}:limit:100:{n}.buzz", 'data:[<any>{"atKey":"{n}.buzz@alice",<any>]'],
      ],
    },
    {
      id: "sync.enrolment-records-never",
      steps: [["owner", "stats:3:new.enrollments", 'data: [{"id":"3","name":"lastCommitID","value":"null"}]']],
    },
    {
      id: "sync.page-by-bytes",
      steps: [
        ["owner", "update:k0.{n}@alice 1", "data:<i0:int>"],
        ["owner", "update:k1.{n}@alice {long(3000000)}", "data:<int>"],
        ["owner", "update:k2.{n}@alice {long(3000000)}", "data:<i2:int>"],
        ["owner", "update:k3.{n}@alice {long(3000000)}", "data:<int>"],
        { on: "owner", pages: "sync:from:{i0}:limit:100:{n}", are: { least: 1, most: 2 } },
        { on: "owner", pages: "sync:from:{i2}:limit:100:{n}", are: 1 },
        ["owner", "delete:k1.{n}@alice", "data:<int>"],
        ["owner", "delete:k2.{n}@alice", "data:<int>"],
        ["owner", "delete:k3.{n}@alice", "data:<int>"],
      ],
    },
    {
      id: "sync.app-namespace",
      steps: [
        ["owner", "update:{n}.wavi@alice 1", "data:<a:int>"],
        ["owner", "update:{n}.buzz@alice 2", "data:<int>"],
        ["owner", "update:{n}2.wavi@alice 3", "data:<int>"],
        ["app(wavi:r)", "sync:from:{a}:limit:100:{n}", 'data:[{"atKey":"{n}2.wavi@alice",<any>}<any>]'],
      ],
    },
    {
      id: "sync.app-filter-before-page",
      from: "[bug] filter first, then page",
      steps: [
        ["owner", "update:{n}a.wavi@alice 1", "data:<a:int>"],
        ...Array.from(
          { length: 26 },
          (_none, index) => ["owner", `update:{n}${index}.buzz@alice 1`, "data:<int>"] as const,
        ),
        ["owner", "update:{n}b.wavi@alice 1", "data:<int>"],
        ["app(wavi:r)", "sync:from:{a}:limit:25:{n}", 'data:[{"atKey":"{n}b.wavi@alice",<any>}<any>]'],
      ],
    },
    {
      id: "sync.skip-deletes-until",
      from: "[S]",
      steps: [
        ["owner", "update:a.{n}@alice 1", "data:<a:int>"],
        ["owner", "delete:b.{n}@alice", "data:<b:int>"],
        ["owner", "update:c.{n}@alice 1", "data:<int>"],
        ["owner", "delete:d.{n}@alice", "data:<int>"],
        [
          "owner",
          "sync:from:{a}:limit:100:skipDeletesUntil:{b}:{n}",
          'data:[{"atKey":"c.{n}@alice",<any>},{"atKey":"d.{n}@alice","value":null,"metadata":null,<any>"operation":"-"}<any>]',
        ],
      ],
    },
    { id: "sync.bad-number", steps: [["owner", "sync:from:x:limit:10", "error:AT0003-<some>"]] },
    { id: "sync.bad-regex", steps: [["owner!", "sync:from:0:limit:10:(", "error:AT0011-<some>"]] },
  ]).map((row) => ({ ...row, group: "alone" as const })),
  ...rowsOf("notifications-and-sync.md §6", [
    {
      id: "commit.one-entry-per-key",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<int>"],
        ["owner", "update:x.{n}@alice 2", "data:<id:int>"],
        [
          "owner",
          "stats:15:{n}",
          'data: [{"id":"15","name":"LatestCommitEntryOfEachKey","value":"{\\"x.{n}@alice\\":[{id},\\"*\\"]}"}]',
        ],
      ],
    },
    {
      id: "commit.expiry-is-not-synced-as-record",
      steps: [
        ["owner", "update:ttl:100:x.{n}@alice 1", "data:<id:int>"],
        { on: "owner", until: "llookup:x.{n}@alice", is: "error:AT0015-<any>" },
        ["owner", "sync:from:-1:limit:1000:^none{n}$", "data:[<any>]"],
      ],
    },
  ]),
  ...rowsOf("verbs.md batch", [
    {
      id: "batch.updates",
      steps: [
        [
          "owner",
          'batch:[{"id":1,"command":"update:a.{n}@alice 1"},{"id":2,"command":"update:meta:a.{n}@alice:ttl:100000"},{"id":3,"command":"delete:b.{n}@alice"}]',
          'data:[{"id":1,"response":{"data":"<int>"}},{"id":2,"response":{"data":"<int>"}},{"id":3,"response":{"data":"<int>"}}]',
        ],
        ["owner", "llookup:a.{n}@alice", "data:1"],
      ],
    },
    {
      id: "batch.in-order",
      steps: [
        [
          "owner",
          'batch:[{"id":7,"command":"update:a.{n}@alice 1"},{"id":5,"command":"update:a.{n}@alice 2"},{"id":6,"command":"llookup:a.{n}@alice"}]',
          'data:[{"id":7,"response":{"data":"<int>"}},{"id":5,"response":{"data":"<int>"}},{"id":6,"response":{"data":"2"}}]',
        ],
      ],
    },
    {
      id: "batch.error-does-not-stop",
      steps: [
        [
          "owner",
          'batch:[{"id":1,"command":"llookup:none.{n}@alice"},{"id":2,"command":"update:a.{n}@alice 1"}]',
          'data:[{"id":1,"response":{"error_code":"AT0015","error_message":"key not found"}},{"id":2,"response":{"data":"<int>"}}]',
        ],
      ],
    },
    {
      id: "batch.bad-syntax",
      steps: [
        [
          "owner",
          'batch:[{"id":2,"command":"update:nothing"}]',
          'data:[{"id":2,"response":{"error_code":"AT0003","error_message":"Invalid syntax"}}]',
        ],
      ],
    },
    {
      id: "batch.unknown-verb",
      from: "[bug: answer AT0003]",
      steps: [
        [
          "owner",
          'batch:[{"id":2,"command":"hello"}]',
          'data:[{"id":2,"response":{"error_code":"AT0003","error_message":"Invalid syntax"}}]',
        ],
      ],
    },
    { id: "batch.empty", steps: [["owner", "batch:[]", "data:[]"]] },
    { id: "batch.no-json", steps: [["owner", "batch:hello", "error:AT00<03|11|22>-<some>"]] },
    {
      id: "batch.nl",
      from: "/ sdk-crypto.md §11",
      steps: [
        [
          "owner",
          'batch:[{"id":1,"command":"update:a.{n}@alice x~NL~y"}]',
          'data:[{"id":1,"response":{"data":"<int>"}}]',
        ],
        ["owner", "llookup:a.{n}@alice", "data:x~NL~y"],
      ],
    },
    {
      id: "batch.app-inner-commands-filtered",
      from: "/ auth.md §6",
      steps: [
        [
          "app(wavi:rw)",
          'batch:[{"id":1,"command":"update:{n}.wavi@alice 1"},{"id":2,"command":"update:{n}.buzz@alice 1"}]',
          'data:[{"id":1,"response":{"data":"<int>"}},{"id":2,"response":{"error_code":"AT0009","error_message":"UnAuthorized client in request"}}]',
        ],
      ],
    },
    {
      id: "batch.statistics-once",
      differs: "one statistics line at its end",
      group: "alone",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        { on: "owner!", sees: 'notification: {"id":"-1",<any>' },
        [
          "owner",
          'batch:[{"id":1,"command":"update:a.{n}@alice 1"},{"id":2,"command":"update:b.{n}@alice 1"}]',
          'data:[{"id":1,"response":{"data":"<int>"}},{"id":2,"response":{"data":"<last:int>"}}]',
        ],
        { on: "owner!", sees: 'notification: {"id":"-1",<any>"value":"{last}",<any>' },
        ["owner!", "noop:0", "data:ok"],
        { on: "owner!", unseen: 'notification: {"id":"-1",<any>' },
      ],
    },
  ]),
];
