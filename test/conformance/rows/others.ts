import { rowsOf } from "../row.ts";

const stat = (id: number, name: string, value: string) => ({
  id: `stats.${id}`,
  steps: [["owner", `stats:${id}`, `data: [{"id":"${id}","name":"${name}","value":${value}}]`]] as const,
});

/** stats, config, info, noop: verbs.md. */
export const otherRows = [
  ...rowsOf("verbs.md stats", [
    stat(1, "activeInboundConnections", '"<number>"'),
    stat(2, "activeOutboundConnections", '"<number>"'),
    stat(3, "lastCommitID", '"<number>"'),
    stat(4, "secondaryStorageSize", "<number>"),
    stat(5, "topAtSigns", '"{<any>}"'),
    stat(6, "topKeys", '"{<any>}"'),
    stat(7, "secondaryServerVersion", '"<version>"'),
    stat(8, "LastLoggedInDatetime", '"<some>"'),
    stat(9, "diskSize", '"{\\"size\\":\\"<any>\\",\\"<units|unit>\\":\\"<word>\\"}"'),
    stat(10, "LastPkam", '"<some>"'),
    stat(
      11,
      "NotificationCount",
      '"{\\"total\\":<int>,\\"type\\":{\\"sent\\":<int>,\\"received\\":<int>},\\"status\\":{\\"delivered\\":<int>,\\"failed\\":<int>,\\"queued\\":<int>},\\"operations\\":{\\"update\\":<int>,\\"delete\\":<int>},\\"messageType\\":{\\"key\\":<int>,\\"text\\":<int>},\\"createdOn\\":<ms>}"',
    ),
    stat(12, "CommitLogCompactionStats", '"{<any>}"'),
    stat(13, "AccessLogCompactionStats", '"{<any>}"'),
    stat(14, "NotificationCompactionStats", '"{<any>}"'),
    {
      id: "stats.15",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<id:int>"],
        [
          "owner",
          "stats:15:{n}",
          'data: [{"id":"15","name":"LatestCommitEntryOfEachKey","value":"{\\"x.{n}@alice\\":[{id},\\"*\\"]}"}]',
        ],
      ],
    },
    {
      id: "stats.several",
      steps: [
        [
          "owner",
          "stats:1,2",
          'data: [{"id":"1","name":"activeInboundConnections","value":"<int>"}, {"id":"2","name":"activeOutboundConnections","value":"<int>"}]',
        ],
      ],
    },
    { id: "stats.all", steps: [["owner", "stats", 'data: [{"id":"1",<any>}, {"id":"2",<any>}]']] },
    {
      id: "stats.3-regex",
      steps: [
        ["owner", "update:x.{n}@alice 1", "data:<id:int>"],
        ["owner", "update:y.other{n}@alice 1", "data:<int>"],
        ["owner", "stats:3:x.{n}", 'data: [{"id":"3","name":"lastCommitID","value":"{id}"}]'],
      ],
    },
    {
      id: "stats.3-nothing",
      steps: [["owner", "stats:3:none{n}", 'data: [{"id":"3","name":"lastCommitID","value":"null"}]']],
    },
    {
      id: "stats.unknown",
      differs: "AT0003 instead of error:null:…",
      steps: [["owner", "stats:99", "error:AT0003-<some>"]],
    },
    { id: "stats.regex-after-another-id", steps: [["owner", "stats:1:abc", "error:AT0003-<some>"]] },
    { id: "stats.no-number", steps: [["owner", "stats:x", "error:AT0003-<some>"]] },
    {
      id: "stats.bad-regex",
      steps: [["owner!", "stats:3:(", "error:AT0011-<some>"]],
    },
    {
      id: "stats.top-keys-counts-lookups",
      from: "/ notifications-and-sync.md §8",
      group: "alone",
      steps: [
        ["owner", "update:public:often.{n}@alice 1", "data:<int>"],
        ...Array.from({ length: 120 }, () => ["anyone", "lookup:often.{n}@alice", "data:1"] as const),
        ["owner", "stats:6", 'data: [{"id":"6","name":"topKeys","value":"{\\"<any>often.{n}@alice\\":120,<any>}"}]'],
      ],
    },
    {
      id: "stats.top-keys-not-hidden",
      from: "/ verbs.md lookup",
      group: "alone",
      steps: [
        ["owner", "update:public:_{n}@alice 1", "data:-1"],
        ...Array.from({ length: 130 }, () => ["anyone", "lookup:_{n}@alice", "data:1"] as const),
        ["owner", "stats:6", 'data: [{"id":"6","name":"topKeys","value":"{\\"<any>often.<any>}"}]'],
      ],
    },
    {
      id: "stats.top-atsigns",
      from: "/ notifications-and-sync.md §8",
      group: "alone",
      steps: [
        ["peer!", "noop:0", "data:ok"],
        ["owner", "stats:5", 'data: [{"id":"5","name":"topAtSigns","value":"{\\"@bob\\":<int>}"}]'],
      ],
    },
  ]),
  ...rowsOf("verbs.md config", [
    {
      id: "config.block",
      group: "alone",
      steps: [
        ["owner", "config:block:show", "data:null"],
        ["owner", "config:block:add:@bob", "data:success"],
        ["owner", "config:block:show", 'data:["@bob"]'],
        ["caller!", "from:@bob", "error:AT0013-Exception: Unable to connect"],
        { on: "caller!", closes: true },
        ["owner", "config:block:remove:@bob", "data:success"],
        ["owner", "config:block:show", "data:null"],
        ["caller!#2", "from:@bob", "data:proof:<some>"],
      ],
    },
    {
      id: "config.block-ends-connections",
      group: "alone",
      differs: "the connections of a blocked atSign are closed, too",
      steps: [
        ["peer!", "noop:0", "data:ok"],
        ["owner", "config:block:add:@bob", "data:success"],
        { on: "peer!", closes: true },
        ["owner", "config:block:remove:@bob", "data:success"],
      ],
    },
    {
      id: "config.block-several",
      group: "alone",
      steps: [
        ["owner", "config:block:add:@dave @erin", "data:success"],
        ["owner", "config:block:show", 'data:["@dave","@erin"]'],
        ["owner", "config:block:remove:@dave @erin", "data:success"],
      ],
    },
    {
      id: "config.block-self-skipped",
      group: "alone",
      steps: [
        ["owner", "config:block:add:@alice", "data:success"],
        ["owner", "config:block:show", "data:null"],
        ["anyone!", "from:@alice", "data:<challenge>"],
      ],
    },
    {
      id: "config.block-remove-unknown",
      group: "alone",
      steps: [["owner", "config:block:remove:@dave", "data:success"]],
    },
    {
      id: "config.block-same-twice",
      group: "alone",
      steps: [
        ["owner", "config:block:add:@dave", "data:success"],
        ["owner", "config:block:add:@dave", "data:success"],
        ["owner", "config:block:show", 'data:["@dave"]'],
        ["owner", "config:block:remove:@dave", "data:success"],
        ["owner", "config:block:show", "data:null"],
      ],
    },
    {
      id: "config.block-without-certificate",
      from: "/ auth.md §1",
      group: "alone",
      steps: [
        ["owner", "config:block:add:@dave", "data:success"],
        ["anyone!", "from:@dave", "error:AT0013-Exception: Unable to connect"],
        { on: "anyone!", closes: true },
        ["owner", "config:block:remove:@dave", "data:success"],
      ],
    },
    ...["config:set:inboundMaxLimit=10", "config:reset:inboundMaxLimit", "config:print:inboundMaxLimit"].map(
      (command) => ({
        id: `config.testing.${command.split(":")[1]}`,
        steps: [["owner", command, "data:testing mode disabled by default"]] as const,
      }),
    ),
    { id: "config.bad", steps: [["owner", "config:block:hide", "error:AT0003-Invalid syntax : <some>"]] },
  ]),
  ...rowsOf("verbs.md info, noop", [
    {
      id: "info.words",
      steps: [["anyone", "info", 'data:{"version":"<version>","uptimeAsWords":"<any><number> seconds"}']],
    },
    { id: "info.brief", steps: [["anyone", "info:brief", 'data:{"version":"<version>","uptimeAsMillis":<number>}']] },
    { id: "info.owner", steps: [["owner", "info", 'data:{"version":"<version>","uptimeAsWords":"<any>"}']] },
    {
      id: "info.enrolled",
      steps: [
        ["app(wavi:rw)", "info", 'data:{"version":"<version>","uptimeAsWords":"<any>","apkam_metadata":{<any>}}'],
      ],
    },
    {
      id: "info.mtls",
      from: "[S]",
      steps: [["anyone", "info:mtls", 'data:{"mtls_fullchain":"-----BEGIN CERTIFICATE-----<any>"}']],
    },
    {
      id: "info.mtls-brief",
      from: "[S]",
      steps: [
        ["anyone", "info:mtlsbrief", 'data:{"mtls_fullchain_last_modified":<any>,"mtls_privkey_last_modified":<any>}'],
      ],
    },
    { id: "info.bad", steps: [["anyone", "info:long", "error:AT0003-Exception: <some>"]] },
    { id: "noop.waits", steps: [{ on: "anyone", send: "noop:300", is: "data:ok", minMs: 300, maxMs: 2_000 }] },
    { id: "noop.zero", steps: [{ on: "anyone", send: "noop:0", is: "data:ok", maxMs: 1_000 }] },
    {
      id: "noop.too-long",
      steps: [
        [
          "anyone",
          "noop:5001",
          "error:AT0022-Exception: noop:<lt>durationInMillis<gt> where the duration maximum is 5000 milliseconds",
        ],
      ],
    },
    {
      id: "noop.too-long-owner",
      steps: [
        [
          "owner",
          "noop:5001",
          "error:AT0022-Illegal arguments : noop:<lt>durationInMillis<gt> where the duration maximum is 5000 milliseconds",
        ],
      ],
    },
    { id: "noop.no-number", steps: [["anyone", "noop:x", "error:AT0003-Exception: <some>"]] },
    { id: "noop.empty", steps: [["anyone", "noop:", "error:AT0003-Exception: <some>"]] },
    { id: "noop.alone", steps: [["anyone", "noop", "error:AT0003-Exception: <some>"]] },
    { id: "noop.negative", steps: [["anyone", "noop:-1", "error:AT0003-Exception: <some>"]] },
    {
      id: "stream.left-out",
      from: "stream",
      steps: [["owner", "stream:init@bob 1 file 10", "error:AT0003-Invalid syntax : invalid command"]],
    },
    { id: "sync.older-verb", from: "sync:from", steps: [["owner", "sync:5", "error:AT0003-Invalid syntax : <some>"]] },
  ]),
];
