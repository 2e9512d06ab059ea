import { rowsOf } from "../row.ts";
import { fromPeer, noted, pushed } from "./pushed.ts";

const metadataMembers = [
  "sharedKeyEnc",
  "pubKeyCS",
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
  "availableAt",
  "expiresAt",
];
const anyStatistics = 'notification: {"id":"-1",<any>';

/** monitor, statistics lines, delivery: notifications-and-sync.md §1 to §4. */
export const monitorRows = [
  ...rowsOf("notifications-and-sync.md §1", [
    {
      id: "monitor.acknowledged",
      differs: "answered at once by one statistics line",
      steps: [
        {
          on: "owner!",
          bytes: "monitor ^none{n}$\n",
          gives:
            'notification: {"id":"-1","from":"@alice","to":"@alice","key":"statsNotification.@alice","value":"<number>","operation":"update","epochMillis":<ms>,"messageType":"MessageType.key","isEncrypted":false,"metadata":null}\n<all>',
        },
      ],
    },
    {
      id: "monitor.statistics-every-15-s",
      from: "/ §3",
      group: "alone",
      slow: true,
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        { on: "owner!", sees: anyStatistics },
        { on: "owner!", sees: anyStatistics, minMs: 10_000, maxMs: 17_000 },
      ],
    },
    {
      id: "monitor.no-prompt-behind-noop",
      from: "/ client-expectations.md §1.2",
      differs: "no prompt on a monitor connection",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        ["owner!", "noop:0", "data:ok"],
        ["owner!", "noop:0", "data:ok"],
      ],
    },
    {
      id: "monitor.other-commands",
      from: "/ client-expectations.md §6 Java 1.0",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        ["owner!", "update:x.{n}@alice 1", "data:<int>"],
        ["owner!", "llookup:x.{n}@alice", "data:1"],
        ["owner!", "llookup:y.{n}@alice", "error:AT0015-key not found : y.{n}@alice does not exist in keystore"],
        ["owner!", "scan ^x.{n}", 'data:["x.{n}@alice"]'],
      ],
    },
    {
      id: "monitor.live-only-without-epoch",
      steps: [
        fromPeer("{n}-1", "@alice:old.{n}@bob:1"),
        ["owner!", "monitor {n}", ""],
        fromPeer("{n}-2", "@alice:new.{n}@bob:1"),
        { on: "owner!", sees: pushed({ id: "{n}-2", key: "@alice:new.{n}@bob" }) },
        { on: "owner!", unseen: noted("{n}-1") },
      ],
    },
    {
      id: "monitor.epoch-replays",
      steps: [
        fromPeer("{n}-1", "@alice:a.{n}@bob:1"),
        fromPeer("{n}-2", "@alice:b.{n}@bob:1"),
        ["owner!", "monitor:0 {n}", ""],
        { on: "owner!", sees: noted("{n}-1") },
        { on: "owner!", sees: noted("{n}-2") },
      ],
    },
    {
      id: "monitor.epoch-strictly-greater",
      steps: [
        fromPeer("{n}-1", "@alice:a.{n}@bob:1"),
        fromPeer("{n}-2", "@alice:b.{n}@bob:1"),
        ["owner!", "monitor:0 {n}", ""],
        { on: "owner!", sees: 'notification: {"id":"{n}-1",<any>"epochMillis":<t:ms>,<any>' },
        ["owner!#2", "monitor:{t} {n}", ""],
        { on: "owner!#2", sees: noted("{n}-2") },
        { on: "owner!#2", unseen: noted("{n}-1") },
      ],
    },
    {
      id: "monitor.replay-in-order",
      steps: [
        fromPeer("{n}-1", "@alice:a.{n}@bob:1"),
        fromPeer("{n}-2", "@alice:b.{n}@bob:1"),
        fromPeer("{n}-3", "@alice:c.{n}@bob:1"),
        {
          on: "owner!",
          bytes: "monitor:0 ^@alice:.\\.{n}@\n",
          gives: '<all>{"id":"{n}-1",<all>{"id":"{n}-2",<all>{"id":"{n}-3",<all>\n',
        },
      ],
    },
    {
      id: "monitor.replay-then-live",
      steps: [
        fromPeer("{n}-1", "@alice:a.{n}@bob:1"),
        ["owner!", "monitor:0 {n}", ""],
        { on: "owner!", sees: noted("{n}-1") },
        fromPeer("{n}-2", "@alice:b.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-2") },
      ],
    },
    {
      id: "monitor.replay-includes-self",
      steps: [
        ["owner", "notify:@alice:x.{n}@alice:1", "data:<id:uuid>"],
        ["owner!", "monitor:selfNotifications:0 {n}", ""],
        { on: "owner!", sees: noted("{id}") },
      ],
    },
    {
      id: "monitor.replay-without-self",
      steps: [
        ["owner", "notify:@alice:x.{n}@alice:1", "data:<id:uuid>"],
        fromPeer("{n}-1", "@alice:fence.{n}@bob:1"),
        ["owner!", "monitor:0 {n}", ""],
        { on: "owner!", sees: noted("{n}-1") },
        { on: "owner!", unseen: noted("{id}") },
      ],
    },
    {
      id: "monitor.replay-not-expired",
      steps: [
        ["peer", "notify:id:{n}-1:update:ttln:100:@alice:a.{n}@bob:1", "data:success"],
        { on: "owner", until: "notify:list:{n}", is: "data:null" },
        fromPeer("{n}-2", "@alice:b.{n}@bob:1"),
        ["owner!", "monitor:0 {n}", ""],
        { on: "owner!", sees: noted("{n}-2") },
        { on: "owner!", unseen: noted("{n}-1") },
      ],
    },
    ...["strict", "multiplexed", "strict:selfNotifications", "strict:multiplexed"].map((option) => ({
      id: `monitor.${option}`,
      steps: [
        ["owner!", `monitor:${option} {n}`, ""],
        fromPeer("{n}-1", "@alice:a.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-1") },
      ] as const,
    })),
    {
      id: "monitor.regex-on-key",
      steps: [
        ["owner!", "monitor ^@alice:a.*{n}", ""],
        fromPeer("{n}-1", "@alice:b.{n}@bob:1"),
        fromPeer("{n}-2", "@alice:a.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-2") },
        { on: "owner!", unseen: noted("{n}-1") },
      ],
    },
    {
      id: "monitor.regex-on-sender",
      steps: [
        ["owner!", "monitor ^bob$", ""],
        fromPeer("{n}-1", "@alice:b.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-1") },
      ],
    },
    {
      id: "monitor.regex-case-sensitive",
      differs: "regexes are case-sensitive",
      steps: [
        ["owner!", "monitor B.{n}", ""],
        fromPeer("{n}-1", "@alice:b.{n}@bob:1"),
        fromPeer("{n}-2", "@alice:B.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-2") },
        { on: "owner!", unseen: noted("{n}-1") },
      ],
    },
    {
      id: "monitor.regex-with-colon",
      from: "/ wire.md §3",
      differs: "the reference takes the blank away",
      steps: [
        ["owner!", "monitor @alice:x.{n}", ""],
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-1") },
      ],
    },
    ...["monitor", "monitor .*", "monitor:0 .*", "monitor:selfNotifications", "monitor:selfNotifications:0 .*"].map(
      (command) => ({
        id: `monitor.everything.${command}`,
        from: "/ client-expectations.md §5",
        steps: [
          ["owner!", command, ""],
          fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
          { on: "owner!", sees: noted("{n}-1") },
        ] as const,
      }),
    ),
    { id: "monitor.regex-bad", steps: [["owner!", "monitor (", "error:AT0011-<some>"]] },
    { id: "monitor.bad-option", steps: [["owner!", "monitor:often", "error:AT0003-<some>"]] },
    {
      id: "monitor.never-sent-ones",
      steps: [
        ["owner!", "monitor:selfNotifications {n}", ""],
        ["owner", "notify:@bob:x.{n}@alice:1", "data:<id:uuid>"],
        { on: "owner", until: "notify:status:{id}", is: "data:delivered" },
        fromPeer("{n}-1", "@alice:fence.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-1") },
        { on: "owner!", unseen: noted("{id}") },
      ],
    },
    {
      id: "monitor.several",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["owner!#2", "monitor {n}", ""],
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-1") },
        { on: "owner!#2", sees: noted("{n}-1") },
      ],
    },
    {
      id: "monitor.nothing-twice",
      steps: [
        ["owner!", "monitor:0 {n}", ""],
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        fromPeer("{n}-2", "@alice:fence.{n}@bob:1"),
        { on: "owner!", sees: noted("{n}-2") },
        { on: "owner!", sees: noted("{n}-1") },
        { on: "owner!", unseen: noted("{n}-<1|2>") },
      ],
    },
    {
      id: "monitor.app-sees-its-namespace",
      steps: [
        ["app(wavi:r)!", "monitor {n}", ""],
        fromPeer("{n}-1", "@alice:{n}.buzz@bob:1"),
        fromPeer("{n}-2", "@alice:{n}.wavi@bob:1"),
        { on: "app(wavi:r)!", sees: noted("{n}-2") },
        { on: "app(wavi:r)!", unseen: noted("{n}-1") },
      ],
    },
  ]),
  ...rowsOf("notifications-and-sync.md §2", [
    {
      id: "notification.union-of-metadata",
      differs: "the union of live and replay form",
      steps: [
        ["owner!", "monitor {n}", ""],
        fromPeer("{n}-1", "ivNonce:e==:@alice:x.{n}@bob:1"),
        { on: "owner!", sees: 'notification: {"id":"{n}-1",<any>"metadata":{<live:any>}}' },
        ["owner!#2", "monitor:0 {n}", ""],
        { on: "owner!#2", sees: 'notification: {"id":"{n}-1",<any>"metadata":{<old:any>}}' },
        { on: "owner!#2", members: "live", have: metadataMembers },
        { on: "owner!#2", members: "old", have: metadataMembers },
      ],
    },
    {
      id: "notification.replay-has-members-in-order",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner!", "monitor:0 {n}", ""],
        { on: "owner!", sees: pushed({ id: "{n}-1", key: "@alice:x.{n}@bob" }) },
      ],
    },
    {
      id: "notification.value-escaped",
      steps: [
        ["owner!", "monitor {n}", ""],
        fromPeer("{n}-1", '@alice:x.{n}@bob:"q" \\ é'),
        { on: "owner!", sees: pushed({ id: "{n}-1", key: "@alice:x.{n}@bob", value: '"\\"q\\" \\\\ é"' }) },
      ],
    },
  ]),
  ...rowsOf("notifications-and-sync.md §3", [
    {
      id: "statistics.regardless-of-regex",
      group: "alone",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        ["owner", "update:x.{n}@alice 1", "data:<id:int>"],
        { on: "owner!", sees: 'notification: {"id":"-1",<any>"value":"{id}","operation":"update",<any>' },
      ],
    },
    {
      id: "statistics.uncommitted-says-nothing",
      from: "/ keys.md §4",
      group: "alone",
      steps: [
        ["owner", "update:y.{n}@alice 1", "data:<before:int>"],
        ["owner!", "monitor ^none{n}$", ""],
        { on: "owner!", sees: 'notification: {"id":"-1",<any>"value":"{before}",<any>' },
        ["owner", "update:public:_{n}@alice 1", "data:-1"],
        ["owner", "update:x.{n}@alice 1", "data:<id:int>"],
        { on: "owner!", sees: 'notification: {"id":"-1",<any>"value":"{id}",<any>' },
        { on: "owner!", unseen: anyStatistics },
      ],
    },
  ]),
  ...rowsOf("notifications-and-sync.md §4", [
    {
      id: "sending.order-kept",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:id:{n}-1:@alice:a.{n}@bob:1", "data:{n}-1"],
        ["friend", "notify:id:{n}-2:@alice:b.{n}@bob:1", "data:{n}-2"],
        ["friend", "notify:id:{n}-3:@alice:c.{n}@bob:1", "data:{n}-3"],
        { on: "owner!", sees: 'notification: {"id":"{n}-3",<any>"epochMillis":<c:ms>,<any>' },
        { on: "owner!", sees: 'notification: {"id":"{n}-1",<any>"epochMillis":<a:ms>,<any>' },
        { on: "owner!", sees: 'notification: {"id":"{n}-2",<any>"epochMillis":<b:ms>,<any>' },
        { on: "owner!", later: ["a", "b"] },
        { on: "owner!", later: ["b", "c"] },
      ],
    },
    {
      id: "sending.within-half-a-second",
      from: "/ client-expectations.md §8",
      steps: [
        ["friend", "notify:@alice:x.{n}@bob:1", "data:<id:uuid>"],
        ["friend", "noop:500", "data:ok"],
        ["friend", "notify:status:{id}", "data:delivered"],
      ],
    },
    {
      id: "sending.without-a-monitor",
      steps: [
        ["friend", "notify:@alice:x.{n}@bob:1", "data:<id:uuid>"],
        { on: "friend", until: "notify:status:{id}", is: "data:delivered" },
        ["owner", "notify:list:{n}", 'data:[{"id":"{id}",<any>}]'],
      ],
    },
    {
      id: "sending.unreachable-does-not-delay-others",
      steps: [
        ["friend", "notify:@nobody:x.{n}@bob:1", "data:<uuid>"],
        ["friend", "notify:@alice:x.{n}@bob:1", "data:<id:uuid>"],
        { on: "friend", until: "notify:status:{id}", is: "data:delivered" },
      ],
    },
    {
      id: "sending.auto-notify-notifier",
      steps: [
        ["friend!#2", "monitor {n}", ""],
        ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
        { on: "friend!#2", sees: 'notification: {"id":"<id:uuid>",<any>"key":"@bob:x.{n}@alice",<any>' },
        ["owner", "notify:fetch:{id}", "data:{<m:any>}"],
        {
          on: "owner",
          members: "m",
          are: { notifier: "system", priority: "NotificationPriority.low", type: "NotificationType.sent" },
        },
      ],
    },
  ]),
];
