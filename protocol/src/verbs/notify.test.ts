import { expect, test } from "@jest/globals";
import { ProtocolError } from "../errors.ts";
import { monitor } from "./monitor.ts";
import { notify } from "./notify.ts";
import { notifyAll } from "./notify-all.ts";
import { notifyFetch, notifyRemove, notifyStatus } from "./notify-id.ts";
import { notifyList } from "./notify-list.ts";

const plain = { operation: "update", messageType: "key", metadata: {} };
const day = Date.UTC(2026, 0, 2);

test.each([
  [notify, "notify:@bob:phone.wavi@alice", { ...plain, to: "@bob", name: "phone.wavi", owner: "@alice" }],
  [notify, "notify:@bob:phone.wavi", { ...plain, to: "@bob", name: "phone.wavi" }],
  [
    notify,
    "notify:@bob:Phone.Wavi@Alice:V : @x",
    { ...plain, to: "@bob", name: "Phone.Wavi", owner: "@alice", value: "V : @x" },
  ],
  [notify, "notify:@bob:phone:me@x", { ...plain, to: "@bob", name: "phone", value: "me@x" }],
  [notify, "notify:public:phone.wavi@alice", { ...plain, name: "phone.wavi", owner: "@alice" }],
  // As Python sends it.
  [
    notify,
    "notify:id:aaaa-1:update:isEncrypted:true:ivNonce:ab+/c==:@bob:n1.ns@alice:v=",
    {
      ...plain,
      id: "aaaa-1",
      metadata: { isEncrypted: true, ivNonce: "ab+/c==" },
      to: "@bob",
      name: "n1.ns",
      owner: "@alice",
      value: "v=",
    },
  ],
  [
    notify,
    "notify:update:ttl:5:ttln:60000:ttr:-1:ccd:True:@bob:n1.ns@alice:v",
    {
      ...plain,
      ttln: 60000,
      metadata: { ttl: 5, ttr: -1, ccd: true },
      to: "@bob",
      name: "n1.ns",
      owner: "@alice",
      value: "v",
    },
  ],
  // As C sends it.
  [
    notify,
    "notify:update:ivNonce:ab==:@bob:cnote.ns@alice:v\r",
    { ...plain, metadata: { ivNonce: "ab==" }, to: "@bob", name: "cnote.ns", owner: "@alice", value: "v" },
  ],
  // As other atServers send it.
  [
    notify,
    "notify:id:1-2:update:messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:false:@alice:hello",
    {
      id: "1-2",
      operation: "update",
      messageType: "text",
      notifier: "SYSTEM",
      ttln: 900000,
      metadata: { isEncrypted: false },
      to: "@alice",
      name: "hello",
    },
  ],
  [
    notify,
    "NOTIFY:Delete:messagetype:KEY:PRIORITY:High:strategy:LATEST:latestn:3:notifier:My.App:ttln:0:@bob:x.y@alice",
    {
      operation: "delete",
      messageType: "key",
      priority: "high",
      strategy: "latest",
      latestN: 3,
      notifier: "My.App",
      ttln: 0,
      metadata: {},
      to: "@bob",
      name: "x.y",
      owner: "@alice",
    },
  ],
  [
    notify,
    "notify:messageType:text:@bob:Hello: it is me@alice",
    { ...plain, messageType: "text", to: "@bob", name: "Hello: it is me", owner: "@alice" },
  ],
  [
    notify,
    "notify:messageType:text:@bob:to a@b and c@d",
    { ...plain, messageType: "text", to: "@bob", name: "to a@b and c@d" },
  ],
  [
    notify,
    `notify:id:${"x".repeat(248)}:@bob:a@alice`,
    { ...plain, id: "x".repeat(248), to: "@bob", name: "a", owner: "@alice" },
  ],
  [
    notifyAll,
    "notify:all:@bob,@Carol,@bob:a.b@alice:v",
    { ...plain, to: ["@bob", "@carol"], name: "a.b", owner: "@alice", value: "v" },
  ],
  [
    notifyAll,
    "notify:all:delete:messageType:text:ttl:1:ttb:2:ttr:3:ccd:false:@bob:hi",
    {
      operation: "delete",
      messageType: "text",
      metadata: { ttl: 1, ttb: 2, ttr: 3, ccd: false },
      to: ["@bob"],
      name: "hi",
    },
  ],
  [notifyStatus, "notify:status:a-1_B", { id: "a-1_B" }],
  [notifyFetch, "Notify:Fetch:a-1", { id: "a-1" }],
  [notifyRemove, "notify:remove:a-1", { id: "a-1" }],
  [notifyList, "notify:list", {}],
  [notifyList, "notify:list:.wavi", { regex: ".wavi" }],
  [notifyList, "notify:list:2026-01-02", { from: day }],
  [notifyList, "notify:list:2026-01-02:2026-01-02:a:b", { from: day, until: day + 86_400_000, regex: "a:b" }],
  [notifyList, "notify:list:2026-01-02:.wavi@bob", { from: day, regex: ".wavi@bob" }],
  [monitor, "monitor", {}],
  [monitor, "monitor .*", { regex: ".*" }],
  [monitor, "monitor:0 .*", { after: 0, regex: ".*" }],
  [monitor, "monitor:selfNotifications", { selfNotifications: true }],
  [
    monitor,
    "monitor:selfNotifications:1700000000000 .Wavi|X y",
    { selfNotifications: true, after: 1_700_000_000_000, regex: ".Wavi|X y" },
  ],
  [
    monitor,
    "MONITOR:Strict:SELFNOTIFICATIONS:multiplexed:5",
    { strict: true, selfNotifications: true, multiplexed: true, after: 5 },
  ],
  [monitor, "monitor @bob:x", { regex: "@bob:x" }],
])("%# $verb reads %s", (syntax, line, params) => {
  expect(syntax.parse(line)).toEqual(params);
});

test.each([
  [notify, "notify"],
  [notify, "notify:"],
  [notify, "notify:@bob"],
  [notify, "notify:@bob:"],
  [notify, "notify:phone@alice"],
  [notify, "notify:@bob:two words@alice"],
  [notify, "notify:@bob:a@alice:"],
  [notify, "notify:id::@bob:a@alice"],
  [notify, "notify:id:a b:@bob:a@alice"],
  [notify, `notify:id:${"x".repeat(249)}:@bob:a@alice`],
  [notify, "notify:message_type:key:@bob:a@alice"],
  [notify, "notify:messageType:image:@bob:a@alice"],
  [notify, "notify:update:delete:@bob:a@alice"],
  [notify, "notify:ttln:5:ttl:1:ttln:6:@bob:a@alice"],
  [notify, "notify:ttl:1:ttln:6:ttl:2:@bob:a@alice"],
  [notify, "notify:ttln:-5:@bob:a@alice"],
  [notify, "notify:ttl:-5:@bob:a@alice"],
  [notifyAll, "notify:all:id:1:@bob:a@alice"],
  [notifyAll, "notify:all:@bob"],
  [notifyAll, "notify:all:bob:a@alice"],
  [notifyAll, "notify:all:@bob,:a@alice"],
  [notifyStatus, "notify:status:"],
  [notifyStatus, "notify:status:a b"],
  [notifyFetch, "notify:fetch"],
  [notifyRemove, `notify:remove:${"x".repeat(249)}`],
  [notifyList, "notify:list:"],
  [monitor, "monitor:"],
  [monitor, "monitor:x"],
  [monitor, "monitor:-1"],
])("%# $verb refuses %s", (syntax, line) => {
  expect(() => syntax.parse(line)).toThrow(ProtocolError);
  expect(() => syntax.parse(line)).toThrow(expect.objectContaining({ error: "invalid_syntax" }));
});

test.each([
  [notify, "notify:strategy:latest:@bob:a@alice", "For Strategy latest, notifier cannot be null"],
  [notifyList, "notify:list:2026-13-01", "Invalid date format"],
  [notifyList, "notify:list:2026-02-30", "Invalid date format"],
  [notifyList, "notify:list:2026-1-1", "Invalid date format"],
  [notifyList, "notify:list:2026-01-02:2026-01-01", "ToDate cannot be less than FromDate"],
])("%# $verb says why it refuses %s", (syntax, line, message) => {
  expect(() => syntax.parse(line)).toThrow(message);
});

test("writes a notification in the order that older atServers want", () => {
  expect(
    notify.format({
      metadata: { ivNonce: "n==", isEncrypted: true, ttl: 5 },
      notifier: "SYSTEM",
      ttln: 900_000,
      id: "1-2",
      operation: "update",
      messageType: "key",
      to: "@bob",
      name: "phone.wavi",
      owner: "@alice",
      value: "v",
    }),
  ).toBe(
    "notify:id:1-2:update:messageType:key:notifier:SYSTEM:ttln:900000:ttl:5:isEncrypted:true:ivNonce:n==:@bob:phone.wavi@alice:v",
  );
});
