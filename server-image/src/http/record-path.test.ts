import { describe, expect, test } from "@jest/globals";
import { contentType, keyOfPath } from "./record-path.ts";

describe("a path", () => {
  test.each([
    ["/phone.wavi", "public:phone.wavi@alice"],
    ["/wavi/phone", "public:phone.wavi@alice"],
    ["/blog/demo/index.html", "public:index.html.demo.blog@alice"],
    ["/@alice/wavi/phone", "public:phone.wavi@alice"],
    ["//@ALICE//wavi//Phone/", "public:phone.wavi@alice"],
    ["/public:phone.wavi@alice", "public:phone.wavi@alice"],
    ["/@alice/public:phone.wavi@alice", "public:phone.wavi@alice"],
    ["/%40alice/wavi/phone", "public:phone.wavi@alice"],
    ["/wavi%2Fphone", "public:phone.wavi@alice"],
    ["/%F0%9F%9A%80.wavi", "public:🚀.wavi@alice"],
    ["/", "public:@alice"],
    ["/@bob/phone.wavi", "public:phone.wavi.@bob@alice"],
    ["/private:x@alice", "public:private:x@alice"],
    ["/x@bob", "public:x@bob@alice"],
  ])("%s names %s", (path, key) => {
    expect(keyOfPath(path, "@alice")).toBe(key);
  });

  test.each(["/%", "/%ff", "/%C3%28"])("%s names nothing", (path) => {
    expect(keyOfPath(path, "@alice")).toBeUndefined();
  });
});

describe("a content type", () => {
  test.each([
    ["public:phone.wavi@alice", false, null, "text/plain; charset=utf-8"],
    ["public:phone@alice", false, null, "text/plain; charset=utf-8"],
    ["public:index.html.demo.blog@alice", false, null, "text/html; charset=utf-8"],
    ["public:index.demo.html@alice", false, null, "text/plain; charset=utf-8"],
    ["public:me.jpg.wavi@alice", true, null, "image/jpeg"],
    ["public:page.html.wavi@alice", true, null, "text/html; charset=utf-8"],
    ["public:me.wavi@alice", true, null, "application/octet-stream"],
    ["public:me.wavi@alice", true, "image/png", "image/png"],
    ["public:me.wavi@alice", false, "TEXT/HTML; charset=utf-16", "text/html; charset=utf-8"],
    ["public:me.wavi@alice", false, "text/html\r\nset-cookie: a=b", "text/plain; charset=utf-8"],
    ["public:me.wavi@alice", false, "html", "text/plain; charset=utf-8"],
    ["public:me.constructor@alice", false, null, "text/plain; charset=utf-8"],
  ])("of %s, binary: %s, asked for %j", (key, isBinary, asked, type) => {
    expect(contentType(key, { isBinary, asked })).toBe(type);
  });
});
