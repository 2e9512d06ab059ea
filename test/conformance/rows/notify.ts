import { rowsOf } from "../row.ts";
import { fromPeer, noted, pushed } from "./pushed.ts";

const badSyntax = "error:AT0003-Invalid syntax : Invalid syntax. <any>";

/** notify in all its forms: verbs.md. */
export const notifyRows = [
  ...rowsOf("verbs.md notify", [
    {
      id: "notify.delivered",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:update:@alice:x.{n}@bob:1", "data:<id:uuid>"],
        { on: "owner!", sees: pushed({ id: "{id}", key: "@alice:x.{n}@bob" }) },
        { on: "friend", until: "notify:status:{id}", is: "data:delivered" },
      ],
    },
    {
      id: "notify.no-operation",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:@alice:x.{n}@bob:1", "data:<id:uuid>"],
        { on: "owner!", sees: pushed({ id: "{id}", key: "@alice:x.{n}@bob" }) },
      ],
    },
    {
      id: "notify.given-id",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:id:{n}-1:update:@alice:x.{n}@bob:1", "data:{n}-1"],
        { on: "owner!", sees: pushed({ id: "{n}-1", key: "@alice:x.{n}@bob" }) },
      ],
    },
    { id: "notify.id-248", steps: [["owner", "notify:id:{long(248)}:@alice:x.{n}@alice:1", "data:{long(248)}"]] },
    {
      id: "notify.id-249",
      steps: [["owner", "notify:id:{long(249)}:@alice:x.{n}@alice:1", "error:AT00<03|16|22>-<some>"]],
    },
    {
      id: "notify.without-value",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:@alice:x.{n}@bob", "data:<uuid>"],
        { on: "owner!", sees: pushed({ key: "@alice:x.{n}@bob", value: "null" }) },
      ],
    },
    {
      id: "notify.delete",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:delete:@alice:x.{n}@bob", "data:<uuid>"],
        { on: "owner!", sees: pushed({ key: "@alice:x.{n}@bob", value: "null", operation: "delete" }) },
      ],
    },
    {
      id: "notify.text",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:messageType:text:@alice:hello-{n}", "data:<uuid>"],
        {
          on: "owner!",
          sees: pushed({ key: "@alice:hello-{n}", value: "null", type: "text", isEncrypted: false }),
        },
      ],
    },
    {
      id: "notify.key-as-sent",
      from: "/ keys.md §2",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:@alice:MixedCase.{n}@bob:1", "data:<uuid>"],
        { on: "owner!", sees: pushed({ key: "@alice:MixedCase.{n}@bob" }) },
      ],
    },
    {
      id: "notify.not-encrypted",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:isEncrypted:false:@alice:x.{n}@bob:1", "data:<uuid>"],
        { on: "owner!", sees: pushed({ key: "@alice:x.{n}@bob", isEncrypted: false }) },
      ],
    },
    {
      id: "notify.metadata",
      steps: [
        ["owner!", "monitor {n}", ""],
        [
          "friend",
          "notify:update:sharedKeyEnc:a=:pubKeyCS:b:encKeyName:c:encAlgo:d:ivNonce:e==:skeEncKeyName:f:skeEncAlgo:g:@alice:x.{n}@bob:1",
          "data:<uuid>",
        ],
        { on: "owner!", sees: 'notification: {<any>"key":"@alice:x.{n}@bob",<any>"metadata":{<m:any>}}' },
        {
          on: "owner!",
          members: "m",
          are: {
            sharedKeyEnc: "a=",
            pubKeyCS: "b",
            encKeyName: "c",
            encAlgo: "d",
            ivNonce: "e==",
            skeEncKeyName: "f",
            skeEncAlgo: "g",
          },
        },
      ],
    },
    {
      id: "notify.metadata-null-kept",
      from: "/ notifications-and-sync.md §2, client-expectations.md §6",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:@alice:x.{n}@bob:1", "data:<uuid>"],
        { on: "owner!", sees: 'notification: {<any>"key":"@alice:x.{n}@bob",<any>"metadata":{<m:any>}}' },
        {
          on: "owner!",
          members: "m",
          are: {
            encKeyName: null,
            encAlgo: null,
            ivNonce: null,
            skeEncKeyName: null,
            skeEncAlgo: null,
            sharedKeyEnc: null,
          },
        },
      ],
    },
    {
      id: "notify.all-options",
      steps: [
        [
          "friend",
          "notify:id:{n}-2:update:messageType:key:priority:high:strategy:latest:latestN:1:notifier:wavi:ttln:600000:ttl:1000:@alice:x.{n}@bob:1",
          "data:{n}-2",
        ],
      ],
    },
    {
      id: "notify.value-with-colons",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:@alice:x.{n}@bob:a:b@c d", "data:<uuid>"],
        { on: "owner!", sees: pushed({ key: "@alice:x.{n}@bob", value: '"a:b@c d"' }) },
      ],
    },
    {
      id: "notify.latest-without-notifier",
      steps: [
        [
          "owner",
          "notify:strategy:latest:@bob:x.{n}@alice:1",
          "error:AT0003-Invalid syntax : For Strategy latest, notifier cannot be null",
        ],
      ],
    },
    {
      id: "notify.as-somebody-else",
      steps: [
        [
          "owner",
          "notify:@bob:x.{n}@carol:1",
          "error:AT0009-UnAuthorized client in request : @carol is not authorized to send notification as @alice",
        ],
      ],
    },
    {
      id: "notify.owner-absent",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:@alice:x.{n}:1", "data:<uuid>"],
        { on: "owner!", sees: 'notification: {<any>"from":"@bob","to":"@alice","key":"@alice:x.{n}<any>' },
      ],
    },
    {
      id: "notify.self",
      steps: [
        ["owner!", "monitor:selfNotifications {n}", ""],
        ["owner!#2", "monitor {n}", ""],
        ["owner", "notify:@alice:x.{n}@alice:1", "data:<id:uuid>"],
        { on: "owner!", sees: pushed({ id: "{id}", from: "@alice", key: "@alice:x.{n}@alice" }) },
        ["friend", "notify:@alice:fence.{n}@bob:1", "data:<uuid>"],
        { on: "owner!#2", sees: pushed({ key: "@alice:fence.{n}@bob" }) },
        { on: "owner!#2", unseen: 'notification: {<any>"key":"@alice:x.{n}@alice",<any>' },
        ["owner", "notify:status:{id}", "data:delivered"],
      ],
    },
    {
      id: "notify.unknown-recipient-is-queued",
      steps: [
        ["owner", "notify:@nobody:x.{n}@alice:1", "data:<id:uuid>"],
        ["owner", "notify:status:{id}", "data:<queued|errored>"],
      ],
    },
    { id: "notify.nothing", steps: [["owner", "notify:", badSyntax]] },
    { id: "notify.no-recipient", steps: [["owner", "notify:update:x.{n}@alice:1", badSyntax]] },
    {
      id: "notify.misspelt-type",
      from: "/ client-expectations.md §5 C",
      steps: [["owner", "notify:message_type:key:@bob:x.{n}@alice:1", "error:AT0003-<some>"]],
    },
    ...["messageType:picture", "priority:urgent", "strategy:some", "ttr:-2", "ttln:soon"].map((item) => ({
      id: `notify.bad-${item}`,
      steps: [["owner", `notify:${item}:@bob:x.{n}@alice:1`, "error:AT0003-<some>"]] as const,
    })),
    {
      id: "notify.peer",
      steps: [
        ["owner!", "monitor {n}", ""],
        [
          "peer",
          "notify:id:{n}-3:update:messageType:key:notifier:SYSTEM:ttln:900000:isEncrypted:true:@alice:x.{n}@bob:1",
          "data:success\n@bob@",
        ],
        { on: "owner!", sees: pushed({ id: "{n}-3", key: "@alice:x.{n}@bob" }) },
      ],
    },
    {
      id: "notify.peer-text",
      from: "/ wire.md §11",
      steps: [
        ["owner!", "monitor {n}", ""],
        [
          "peer",
          "notify:id:{n}-4:update:messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:false:@alice:hello{n}",
          "data:success",
        ],
        {
          on: "owner!",
          sees: pushed({ id: "{n}-4", key: "@alice:hello{n}", value: "null", type: "text", isEncrypted: false }),
        },
      ],
    },
    {
      id: "notify.peer-as-somebody-else",
      from: "[bug: enforce it]",
      steps: [
        ["peer", "notify:id:{n}-5:update:@alice:x.{n}@carol:1", "error:AT0009-Exception: <some>\n@"],
        ["owner", "notify:fetch:{n}-5", 'data:{"id":"{n}-5","notificationStatus":"NotificationStatus.expired"}'],
      ],
    },
    {
      id: "notify.peer-same-id",
      from: "/ notifications-and-sync.md §4",
      differs: "an id that was seen is dropped",
      steps: [
        ["owner!", "monitor {n}", ""],
        fromPeer("{n}-6", "@alice:x.{n}@bob:1"),
        fromPeer("{n}-6", "@alice:second.{n}@bob:2"),
        fromPeer("{n}-7", "@alice:fence.{n}@bob:3"),
        { on: "owner!", sees: pushed({ id: "{n}-7", key: "@alice:fence.{n}@bob", value: '"3"' }) },
        { on: "owner!", sees: pushed({ id: "{n}-6", key: "@alice:x.{n}@bob" }) },
        { on: "owner!", unseen: noted("{n}-6") },
      ],
    },
    {
      id: "notify.key-too-long",
      from: "/ keys.md §2",
      steps: [
        [
          "peer",
          "notify:id:{n}-8:update:ttr:10:@alice:{long(250)}@bob:1",
          "error:AT0016-Exception: notification key length <number> is greater than 255 chars\n@",
        ],
      ],
    },
  ]),
  ...rowsOf("verbs.md notify:all", [
    {
      id: "notify-all.one",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:all:update:@alice:x.{n}@bob:1", 'data: {"@alice":"<id:uuid>"}'],
        { on: "owner!", sees: pushed({ id: "{id}", key: "@alice:x.{n}@bob" }) },
      ],
    },
    {
      id: "notify-all.several",
      steps: [
        [
          "owner",
          "notify:all:update:messageType:key:@bob,@carol:x.{n}@alice:1",
          'data: {"@bob":"<uuid>","@carol":"<uuid>"}',
        ],
      ],
    },
    {
      id: "notify-all.metadata",
      steps: [
        [
          "owner",
          "notify:all:update:messageType:key:ttl:1000:ttb:0:ttr:60:ccd:true:@bob:x.{n}@alice:1",
          'data: {"@bob":"<uuid>"}',
        ],
      ],
    },
    {
      id: "notify-all.delete",
      steps: [
        ["owner!", "monitor {n}", ""],
        ["friend", "notify:all:delete:@alice:x.{n}@bob", 'data: {"@alice":"<id:uuid>"}'],
        { on: "owner!", sees: pushed({ id: "{id}", key: "@alice:x.{n}@bob", value: "null", operation: "delete" }) },
      ],
    },
    {
      id: "notify-all.as-somebody-else",
      steps: [["owner", "notify:all:@bob:x.{n}@carol:1", "error:AT0009-<some>"]],
    },
  ]),
  ...rowsOf("verbs.md notify:status", [
    { id: "notify-status.unknown", steps: [["owner", "notify:status:{n}", "data:null"]] },
    { id: "notify-status.nothing", steps: [["owner", "notify:status:", "error:AT0003-<some>"]] },
    {
      id: "notify-status.expired",
      steps: [
        ["owner", "notify:ttln:200:@nobody:x.{n}@alice:1", "data:<id:uuid>"],
        { on: "owner", until: "notify:status:{id}", is: "data:expired" },
      ],
    },
  ]),
  ...rowsOf("verbs.md notify:list", [
    {
      id: "notify-list.received",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        [
          "owner",
          "notify:list:{n}",
          'data:[{"id":"{n}-1","from":"@bob","to":"@alice","key":"@alice:x.{n}@bob","value":"1","operation":"update","epochMillis":<ms>,"messageType":"MessageType.key","isEncrypted":true,"metadata":{<any>}}]',
        ],
      ],
    },
    {
      id: "notify-list.not-sent",
      steps: [
        ["owner", "notify:@bob:x.{n}@alice:1", "data:<uuid>"],
        ["owner", "notify:list:{n}", "data:null"],
      ],
    },
    { id: "notify-list.none", steps: [["owner", "notify:list:none{n}", "data:null"]] },
    { id: "notify-list.all", steps: [["owner", "notify:list", "data:<any>"]] },
    {
      id: "notify-list.by-sender",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:list:^bob$", 'data:[<any>{"id":"{n}-1",<any>]'],
      ],
    },
    {
      id: "notify-list.from-date",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:list:{day(0)}:{n}", 'data:[{"id":"{n}-1",<any>]'],
        ["owner", "notify:list:{day(1)}:{n}", "data:null"],
      ],
    },
    {
      id: "notify-list.to-date-inclusive",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:list:{day(-1)}:{day(0)}:{n}", 'data:[{"id":"{n}-1",<any>]'],
        ["owner", "notify:list:{day(-2)}:{day(-1)}:{n}", "data:null"],
      ],
    },
    {
      id: "notify-list.to-before-from",
      steps: [
        [
          "owner",
          "notify:list:2026-02-02:2026-02-01",
          "error:AT0022-Illegal arguments : ToDate cannot be less than FromDate",
        ],
      ],
    },
    {
      id: "notify-list.bad-date",
      steps: [["owner", "notify:list:2026-13-45", "error:AT0022-Illegal arguments : Invalid date format"]],
    },
    {
      id: "notify-list.expired-gone",
      steps: [
        ["peer", "notify:id:{n}-1:update:ttln:200:@alice:x.{n}@bob:1", "data:success"],
        { on: "owner", until: "notify:list:{n}", is: "data:null" },
      ],
    },
    {
      id: "notify-list.app-by-namespace",
      steps: [
        fromPeer("{n}-1", "@alice:{n}.wavi@bob:1"),
        fromPeer("{n}-2", "@alice:{n}.buzz@bob:1"),
        ["app(wavi:r)", "notify:list:{n}", 'data:[{"id":"{n}-1",<a:any>"metadata":{<any>}}]'],
      ],
    },
  ]),
  ...rowsOf("verbs.md notify:fetch", [
    {
      id: "notify-fetch.received",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:fetch:{n}-1", "data:{<m:any>}"],
        {
          on: "owner",
          members: "m",
          are: {
            id: "{n}-1",
            fromAtSign: "@bob",
            toAtSign: "@alice",
            notification: "@alice:x.{n}@bob",
            type: "NotificationType.received",
            opType: "OperationType.update",
            messageType: "MessageType.key",
            priority: "NotificationPriority.low",
            notificationStatus: "NotificationStatus.delivered",
            atValue: "1",
          },
          have: [
            "notificationDateTime",
            "retryCount",
            "strategy",
            "depth",
            "notifier",
            "expiresAt",
            "atMetadata",
            "ttl",
          ],
        },
      ],
    },
    {
      id: "notify-fetch.null-is-text",
      steps: [
        ["peer", "notify:id:{n}-1:delete:ttln:900000:@alice:x.{n}@bob", "data:success"],
        ["owner", "notify:fetch:{n}-1", "data:{<m:any>}"],
        { on: "owner", members: "m", are: { atValue: "null", opType: "OperationType.delete" } },
      ],
    },
    {
      id: "notify-fetch.sent",
      steps: [
        ["owner", "notify:priority:high:@bob:x.{n}@alice:1", "data:<id:uuid>"],
        ["owner", "notify:fetch:{id}", "data:{<m:any>}"],
        {
          on: "owner",
          members: "m",
          are: { type: "NotificationType.sent", priority: "NotificationPriority.high", notifier: "SYSTEM" },
        },
      ],
    },
    {
      id: "notify-fetch.self",
      steps: [
        ["owner", "notify:@alice:x.{n}@alice:1", "data:<id:uuid>"],
        ["owner", "notify:fetch:{id}", "data:{<m:any>}"],
        { on: "owner", members: "m", are: { type: "NotificationType.self", fromAtSign: "@alice" } },
      ],
    },
    {
      id: "notify-fetch.unknown",
      steps: [["owner", "notify:fetch:{n}", 'data:{"id":"{n}","notificationStatus":"NotificationStatus.expired"}']],
    },
  ]),
  ...rowsOf("verbs.md notify:remove", [
    {
      id: "notify-remove.received",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:remove:{n}-1", "data:success"],
        ["owner", "notify:list:{n}", "data:null"],
      ],
    },
    { id: "notify-remove.unknown", steps: [["owner", "notify:remove:{n}", "data:success"]] },
    {
      id: "notify-remove.still-seen",
      from: "/ notifications-and-sync.md §4",
      differs: "an id stays known after its removal",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:remove:{n}-1", "data:success"],
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "notify:list:{n}", "data:null"],
      ],
    },
  ]),
];
