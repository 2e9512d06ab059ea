import { rowsOf } from "../row.ts";

/** scan: verbs.md. */
export const scanRows = rowsOf("verbs.md scan", [
  {
    id: "scan.owner-all-kinds",
    steps: [
      ["owner", "update:x.{n}@alice 1", "data:<int>"],
      ["owner", "update:public:x.{n}@alice 1", "data:<int>"],
      ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
      ["owner", "update:@bob:_x.{n}@alice 1", "data:<int>"],
      ["owner", "scan {n}", 'data:["<a:item>","<b:item>","<c:item>","<d:item>"]'],
      ["owner", "scan ^x.{n}", 'data:["x.{n}@alice"]'],
      ["owner", "scan ^public:x.{n}", 'data:["public:x.{n}@alice"]'],
      ["owner", "scan ^@bob:x.{n}", 'data:["@bob:x.{n}@alice"]'],
      ["owner", "scan ^@bob:_x.{n}", 'data:["@bob:_x.{n}@alice"]'],
    ],
  },
  {
    id: "scan.cached",
    steps: [
      ["friend", "update:ttr:1000:public:x.{n}@bob 1", "data:<int>"],
      ["owner", "plookup:x.{n}@bob", "data:1"],
      { on: "owner", until: "scan {n}", is: 'data:["cached:public:x.{n}@bob"]' },
    ],
  },
  {
    id: "scan.never-private",
    steps: [
      ["owner", "scan:showHidden:true ^private", "data:[]"],
      ["owner", "scan ^private", "data:[]"],
    ],
  },
  {
    id: "scan.hidden",
    steps: [
      ["owner", "update:public:__x.{n}@alice 1", "data:<int>"],
      ["owner", "update:_{n}.wavi@alice 1", "data:<int>"],
      ["owner", "scan {n}", "data:[]"],
      ["owner", "scan:showhidden:true ^public.*{n}", 'data:["public:__x.{n}@alice"]'],
      ["owner", "scan:showHidden:true ^_{n}", 'data:["_{n}.wavi@alice"]'],
      ["owner", "scan:showhidden:false {n}", "data:[]"],
    ],
  },
  {
    id: "scan.anyone",
    steps: [
      ["owner", "update:x.{n}@alice 1", "data:<int>"],
      ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
      ["owner", "update:public:p.{n}@alice 1", "data:<int>"],
      ["owner", "update:public:_{n}@alice 1", "data:-1"],
      ["owner", "update:public:__x.{n}@alice 1", "data:<int>"],
      ["anyone", "scan {n}", 'data:["p.{n}@alice"]'],
    ],
  },
  {
    id: "scan.anyone-shows-no-hidden",
    steps: [
      ["owner", "update:public:__x.{n}@alice 1", "data:<int>"],
      ["anyone", "scan:showHidden:true {n}", "data:[]"],
    ],
  },
  { id: "scan.anyone-signing-key", steps: [["anyone", "scan ^public:signing_", 'data:["signing_publickey@alice"]']] },
  {
    id: "scan.peer",
    steps: [
      ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
      ["owner", "update:public:p.{n}@alice 1", "data:<int>"],
      ["owner", "update:@carol:c.{n}@alice 1", "data:<int>"],
      ["peer", "scan {n}", 'data:["x.{n}@alice"]'],
    ],
  },
  {
    id: "scan.regex-on-whole-key",
    steps: [
      ["owner", "update:public:p.{n}@alice 1", "data:<int>"],
      ["anyone", "scan ^public:p.{n}@alice$", 'data:["p.{n}@alice"]'],
      ["anyone", "scan ^p.{n}", "data:[]"],
    ],
  },
  {
    id: "scan.regex-unanchored",
    steps: [
      ["owner", "update:abc.{n}@alice 1", "data:<int>"],
      ["owner", "scan bc.{n}", 'data:["abc.{n}@alice"]'],
    ],
  },
  {
    id: "scan.regex-case-sensitive",
    differs: "regexes are case-sensitive, never lower-cased with the command",
    steps: [
      ["owner", "update:abc.{n}@alice 1", "data:<int>"],
      ["owner", "scan ABC.{n}", "data:[]"],
      ["owner", "scan ABC|abc.{n}", 'data:["abc.{n}@alice"]'],
    ],
  },
  {
    id: "scan.regex-with-colon",
    from: "/ wire.md §3",
    differs: "the reference takes the blank away",
    steps: [
      ["owner", "update:@bob:x.{n}@alice 1", "data:<int>"],
      ["owner", "scan @bob:.*{n}", 'data:["@bob:x.{n}@alice"]'],
    ],
  },
  {
    id: "scan.regex-forms",
    steps: [
      ["owner", "update:a1.{n}@alice 1", "data:<int>"],
      ["owner", "update:a22.{n}@alice 1", "data:<int>"],
      ["owner", "scan ^a\\d{2}\\.{n}", 'data:["a22.{n}@alice"]'],
      ["owner", "scan ^a(1|3).{n}", 'data:["a1.{n}@alice"]'],
      ["owner", "scan ^a[13].{n}", 'data:["a1.{n}@alice"]'],
    ],
  },
  {
    id: "scan.regex-linear-time",
    from: "/ reference-pain.md",
    steps: [{ on: "owner", send: "scan (a+)+$|(a|aa)+b", is: "data:[<any>]", maxMs: 2_000 }],
  },
  {
    id: "scan.regex-bad",
    steps: [["anyone!", "scan (", "error:AT0011-Exception: <some>"], { on: "anyone!", closes: true }],
  },
  {
    id: "scan.regex-bad-owner",
    steps: [["owner!", "scan [a", "error:AT0011-Internal server exception : <some>"], { on: "owner!", closes: true }],
  },
  {
    id: "scan.regex-with-blank",
    steps: [["owner", "scan a b", "error:AT0003-Invalid syntax : <some>"]],
  },
  {
    id: "scan.page",
    steps: [
      ["owner", "update:x.{n}@alice 1", "data:<int>"],
      ["owner", "scan:page:2 {n}", 'data:["x.{n}@alice"]'],
    ],
  },
  { id: "scan.empty", steps: [["owner", "scan none{n}", "data:[]"]] },
  {
    id: "scan.expired",
    steps: [["owner", "update:ttl:150:x.{n}@alice 1", "data:<int>"], { on: "owner", until: "scan {n}", is: "data:[]" }],
  },
  {
    id: "scan.unborn",
    steps: [
      ["owner", "update:ttb:200:x.{n}@alice 1", "data:<int>"],
      ["owner", "scan {n}", "data:[]"],
      { on: "owner", until: "scan {n}", is: 'data:["x.{n}@alice"]' },
    ],
  },
  {
    id: "scan.other",
    steps: [
      ["friend", "update:@alice:x.{n}@bob 1", "data:<int>"],
      ["friend", "update:public:p.{n}@bob 1", "data:<int>"],
      ["owner", "scan:@bob {n}", 'data:["x.{n}@bob"]'],
    ],
  },
  {
    id: "scan.other-with-hidden",
    from: "/ client-expectations.md §5 Dart",
    steps: [
      ["friend", "update:@alice:x.{n}@bob 1", "data:<int>"],
      ["owner", "scan:showhidden:true:@bob {n}", 'data:["x.{n}@bob"]'],
    ],
  },
  { id: "scan.other-unknown", steps: [["owner", "scan:@nobody", "error:AT0007-Secondary server not found : <some>"]] },
  { id: "scan.bad-hidden", steps: [["owner", "scan:showHidden:maybe", "error:AT0003-Invalid syntax : <some>"]] },
  {
    id: "scan.commit-log",
    from: "[S] scan:cl",
    steps: [
      ["owner", "scan:cl", 'data:[{"atKey":"<any>","operation":"<any>","commitId":<int>,"opTime":"<any>"}<any>]'],
    ],
  },
]);
