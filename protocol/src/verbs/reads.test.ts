import { describe, expect, test } from "@jest/globals";
import { llookup } from "./llookup.ts";
import { lookup } from "./lookup.ts";
import { plookup } from "./plookup.ts";
import { scan } from "./scan.ts";
import { stats } from "./stats.ts";

describe("llookup", () => {
  test.each([
    ["llookup:x.wavi@alice", { part: "value", key: "x.wavi@alice" }],
    ["llookup:public:x.wavi@alice", { part: "value", key: "public:x.wavi@alice" }],
    ["llookup:all:@bob:x.wavi@alice", { part: "all", key: "@bob:x.wavi@alice" }],
    ["llookup:meta:public:signing_publickey@alice", { part: "meta", key: "public:signing_publickey@alice" }],
    ["llookup:meta:shared_key.bob@alice", { part: "meta", key: "shared_key.bob@alice" }],
    ["llookup:all:cached:@alice:x@bob", { part: "all", key: "cached:@alice:x@bob" }],
    ["llookup:cached:public:x@bob", { part: "value", key: "cached:public:x@bob" }],
    ["LLOOKUP:ALL:Public:X.Wavi@Al.ice", { part: "all", key: "public:x.wavi@alice" }],
    ["llookup:meta@alice", { part: "value", key: "meta@alice" }],
    ["llookup:all:all@alice", { part: "all", key: "all@alice" }],
    ["llookup:private:x@alice", { part: "value", key: "private:x@alice" }],
  ])("%s", (line, params) => {
    expect(llookup.parse(line)).toEqual(params);
  });

  test.each([
    "llookup",
    "llookup:",
    "llookup:x",
    "llookup:@alice",
    "llookup::x@alice",
    "llookup:a::x@alice",
    "llookup:x y@alice",
    "llookup:x@alice@bob",
    "llookup:public:x",
    "llookup:meta:all:x@alice",
  ])("%s is wrong", (line) => {
    expect(() => llookup.parse(line)).toThrow(expect.objectContaining({ code: "AT0003" }));
  });
});

describe.each([
  ["lookup", lookup],
  ["plookup", plookup],
])("%s", (verb, syntax) => {
  test.each([
    [":publickey@alice", { part: "value", name: "publickey", owner: "@alice" }],
    [":all:X.Wavi@B.ob", { part: "all", name: "x.wavi", owner: "@bob" }],
    [":bypassCache:true:meta:x@bob", { bypassCache: true, part: "meta", name: "x", owner: "@bob" }],
    [":bypasscache:False:x@bob", { part: "value", name: "x", owner: "@bob" }],
    [":a:b@bob", { part: "value", name: "a:b", owner: "@bob" }],
    [":_6f-1@alice", { part: "value", name: "_6f-1", owner: "@alice" }],
  ])("%s", (rest, params) => {
    expect(syntax.parse(verb + rest)).toEqual(params);
  });

  test.each(["", ":", ":x", ":@bob", "::x@bob", ":x y@bob", ":x@bob@bob", ":@alice:x@bob"])("%s is wrong", (rest) => {
    expect(() => syntax.parse(verb + rest)).toThrow(expect.objectContaining({ code: "AT0003" }));
  });
});

describe("scan", () => {
  test.each([
    ["scan", {}],
    ["scan .*", { regex: ".*" }],
    ["scan PHONE", { regex: "PHONE" }],
    ["SCAN @bob:.*", { regex: "@bob:.*" }],
    ["scan   x", { regex: "x" }],
    ["scan:showHidden:true .*", { showHidden: true, regex: ".*" }],
    ["scan:showhidden:true", { showHidden: true }],
    ["scan:showhidden:false", {}],
    ["scan:showhidden:true:@bob .*", { showHidden: true, atSign: "@bob", regex: ".*" }],
    ["scan:@Bob", { atSign: "@bob" }],
    ["scan:@bob:page:2 x:y", { atSign: "@bob", regex: "x:y" }],
    ["scan :showhidden:true", { showHidden: true }],
  ])("%s", (line, params) => {
    expect(scan.parse(line)).toEqual(params);
  });

  test.each(["scan:", "scan:x", "scan a b", "scan:showhidden:maybe", "scan:page:x", "scan:bob", "scan :x", "scan\r:x"])(
    "%s is wrong",
    (line) => {
      expect(() => scan.parse(line)).toThrow(expect.objectContaining({ code: "AT0003" }));
    },
  );
});

describe("stats", () => {
  test.each([
    ["stats", {}],
    ["stats:3", { ids: [3] }],
    ["stats:3,15,1", { ids: [3, 15, 1] }],
    ["stats:3:.*@alice:x y", { ids: [3], regex: ".*@alice:x y" }],
    ["stats:15:A", { ids: [15], regex: "A" }],
    ["stats:999", { ids: [999] }],
  ])("%s", (line, params) => {
    expect(stats.parse(line)).toEqual(params);
  });

  test.each([
    "stats:",
    "stats:0",
    "stats:x",
    "stats:3,",
    "stats:3:",
    "stats:4:x",
    "stats:3,15:x",
    `stats:${"1,".repeat(64)}1`,
  ])("%s is wrong", (line) => {
    expect(() => stats.parse(line)).toThrow(expect.objectContaining({ code: "AT0003" }));
  });
});

test.each(["", " ", "a b", ":a", "a\nb"])("nobody can scan for %j", (regex) => {
  expect(() => scan.format({ regex })).toThrow(expect.objectContaining({ code: "AT0003" }));
});
