import { type Row, rowsOf, type Step } from "../row.ts";

type Rights = "wavi:r" | "wavi:rw" | "buzz:rw" | "*:r" | "*:rw" | "__manage:rw" | "buzz:r,wavi:rw";

const reads: readonly Rights[] = ["wavi:r", "wavi:rw", "*:r", "*:rw", "buzz:r,wavi:rw"];
const writes: readonly Rights[] = ["wavi:rw", "*:rw", "buzz:r,wavi:rw"];
const all: readonly Rights[] = ["wavi:r", "wavi:rw", "buzz:rw", "*:r", "*:rw", "__manage:rw", "buzz:r,wavi:rw"];
const key = "{n}.wavi@alice";

/** Commands about a key of the namespace wavi, and who may send them. */
const commands: readonly {
  name: string;
  send: string;
  is: string;
  may: readonly Rights[];
  first?: Step;
  differs?: string;
}[] = [
  { name: "update", send: `update:${key} 1`, is: "data:<int>", may: writes },
  { name: "update-public", send: `update:public:${key} 1`, is: "data:<int>", may: writes },
  { name: "update-shared", send: `update:@bob:${key} 1`, is: "data:<int>", may: writes },
  {
    name: "update-meta",
    send: `update:meta:${key}:ttl:100000`,
    is: "data:<int>",
    may: writes,
    differs: "update:meta of an enrolled app is allowed with rw",
  },
  { name: "delete", send: `delete:${key}`, is: "data:<int>", may: writes },
  {
    name: "llookup",
    send: `llookup:${key}`,
    is: "data:1",
    may: reads,
    first: ["owner", `update:${key} 1`, "data:<int>"],
  },
  {
    name: "llookup-shared",
    send: `llookup:@bob:${key}`,
    is: "data:1",
    may: reads,
    first: ["owner", `update:@bob:${key} 1`, "data:<int>"],
  },
  {
    name: "lookup",
    send: `lookup:${key}`,
    is: "data:1",
    may: reads,
    first: ["owner", `update:@alice:${key} 1`, "data:<int>"],
  },
  {
    name: "llookup-public",
    send: `llookup:public:${key}`,
    is: "data:1",
    may: all,
    first: ["owner", `update:public:${key} 1`, "data:<int>"],
  },
  {
    name: "plookup",
    send: "plookup:{n}.wavi@bob",
    is: "data:1",
    may: all,
    first: ["friend", "update:public:{n}.wavi@bob 1", "data:<int>"],
  },
  { name: "notify", send: `notify:@bob:${key}:1`, is: "data:<uuid>", may: writes },
  { name: "notify-all", send: `notify:all:@bob:${key}:1`, is: 'data: {"@bob":"<uuid>"}', may: writes },
];

const denied = "error:AT0009-UnAuthorized client in request : <some>";

const matrix: readonly Row[] = rowsOf(
  "auth.md §6",
  commands.flatMap(({ name, send, is, may, first, differs }) =>
    all.map((rights) => {
      const on = `app(${rights})`;
      const allowed = may.includes(rights);
      const step: Step = [on, send, allowed ? is : denied];
      return {
        id: `rights.${name}.${rights}`,
        ...(differs !== undefined && allowed && { differs }),
        steps: first === undefined ? [step] : [first, step],
      };
    }),
  ),
);

const hidden = (...rights: readonly Rights[]) =>
  rights.map((each): Step => [`app(${each})`, "update:plain{n}@alice 1", denied]);

/** What an enrolled app may do: auth.md §6. */
export const rightsRows: readonly Row[] = [
  ...matrix,
  ...rowsOf("auth.md §6", [
    {
      id: "rights.denial-text",
      steps: [
        [
          "app(buzz:rw)",
          "update:{n}.wavi@alice 1",
          "error:AT0009-UnAuthorized client in request : Connection with enrollment ID <uuid> is not authorized to update key: {n}.wavi@alice",
        ],
        ["app(buzz:rw)", "noop:0", "data:ok"],
      ],
    },
    { id: "rights.no-namespace-denied", steps: hidden("wavi:rw", "wavi:r", "__manage:rw") },
    { id: "rights.no-namespace-all", steps: [["app(*:rw)", "update:plain{n}@alice 1", "data:<int>"]] },
    {
      id: "rights.reserved",
      steps: [
        ["app(wavi:rw)", "update:shared_key.x{n}@alice 1", "data:<int>"],
        ["app(wavi:r)", "llookup:shared_key.x{n}@alice", "data:1"],
      ],
    },
    {
      id: "rights.dotted-namespace",
      steps: [
        ["app(bar.wavi:rw)", "update:{n}.bar.wavi@alice 1", "data:<int>"],
        ["app(bar.wavi:rw)", "update:{n}.foo.buzz@alice 1", denied],
      ],
    },
    {
      id: "rights.last-segment-counts",
      steps: [
        ["app(wavi:rw)", "update:{n}.foo.wavi@alice 1", "data:<int>"],
        ["app(wavi:rw)", "update:{n}.wavi.foo@alice 1", denied],
      ],
    },
    {
      id: "rights.no-suffix-without-dot",
      steps: [["app(wavi:rw)", "update:{n}.mywavi@alice 1", denied]],
    },
    {
      id: "rights.manage-does-not-read-manage",
      steps: [
        ["app(__manage:rw)", "enroll:list", "data:{<any>}"],
        ["app(__manage:rw)", "llookup:x{n}.new.enrollments.__manage@alice", denied],
        ["app(__manage:rw)", "update:x{n}.new.enrollments.__manage@alice 1", denied],
      ],
    },
    {
      id: "rights.manage-may-make-passcodes",
      steps: [["app(__manage:rw)", "otp:get", "data:<otp>"]],
    },
    {
      id: "rights.all-does-not-write-manage",
      steps: [["app(*:rw)", "update:x{n}.new.enrollments.__manage@alice 1", denied]],
    },
    {
      id: "rights.notify-fetch",
      steps: [
        ["peer", "notify:id:{n}-1:update:ttln:900000:@alice:{n}.wavi@bob:1", "data:success"],
        ["app(wavi:r)", "notify:fetch:{n}-1", 'data:{"id":"{n}-1",<any>}'],
        ["app(buzz:rw)", "notify:fetch:{n}-1", denied],
      ],
    },
    {
      id: "rights.notify-remove",
      steps: [
        ["peer", "notify:id:{n}-1:update:ttln:900000:@alice:{n}.wavi@bob:1", "data:success"],
        ["app(wavi:r)", "notify:remove:{n}-1", denied],
        ["app(wavi:rw)", "notify:remove:{n}-1", "data:success"],
      ],
    },
    {
      id: "rights.lookup-of-others",
      steps: [
        ["friend", "update:@alice:{n}.wavi@bob 1", "data:<int>"],
        ["app(wavi:r)", "lookup:{n}.wavi@bob", "data:1"],
        ["app(buzz:rw)", "lookup:{n}.wavi@bob", denied],
      ],
    },
    {
      id: "rights.stats-3",
      from: "/ verbs.md stats",
      steps: [
        ["owner", "update:{n}.wavi@alice 1", "data:<id:int>"],
        ["owner", "update:{n}.buzz@alice 1", "data:<int>"],
        ["app(wavi:r)", "stats:3:{n}", 'data: [{"id":"3","name":"lastCommitID","value":"{id}"}]'],
      ],
    },
    {
      id: "rights.block-list-for-root-alone",
      from: "/ verbs.md config [S]",
      steps: [
        ["app(wavi:rw)", "config:block:add:@x{n}", denied],
        ["app(__manage:rw)", "config:block:add:@x{n}", denied],
        ["app(__manage:rw,*:rw)", "config:block:show", "data:<some>"],
      ],
    },
    {
      id: "rights.longer-namespace-is-not-its-end",
      from: "rule 3",
      differs: "an app for bar.wavi has bar.wavi alone, the reference gives it all of wavi",
      steps: [["app(bar.wavi:rw)", "update:{n}.wavi@alice 1", denied]],
    },
    {
      id: "rights.unfiltered",
      steps: [
        ["app(wavi:r)", "stats:1", 'data: [{"id":"1",<any>}]'],
        ["app(wavi:r)", "noop:0", "data:ok"],
      ],
    },
  ]),
  ...rowsOf("verbs.md scan", [
    {
      id: "rights.scan-namespace",
      steps: [
        ["owner", "update:{n}.wavi@alice 1", "data:<int>"],
        ["owner", "update:{n}.buzz@alice 1", "data:<int>"],
        ["owner", "update:plain{n}@alice 1", "data:<int>"],
        ["owner", "update:public:{n}.buzz@alice 1", "data:<int>"],
        ["app(wavi:r)", "scan ^[^:]*{n}", 'data:["{n}.wavi@alice"]'],
        ["app(wavi:r)", "scan ^public:{n}", 'data:["public:{n}.buzz@alice"]'],
        ["app(*:r)", "scan ^[^:]*{n}.wavi", 'data:["{n}.wavi@alice"]'],
        ["app(*:r)", "scan ^plain{n}", 'data:["plain{n}@alice"]'],
      ],
    },
    { id: "rights.scan-no-manage", steps: [["app(__manage:rw,wavi:rw)", "scan __manage", "data:[]"]] },
  ]),
];
