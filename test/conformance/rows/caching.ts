import { rowsOf } from "../row.ts";
import { fromPeer } from "./pushed.ts";

const anyStatistics = 'notification: {"id":"-1",<any>';

/** What a server keeps of what others tell it: notifications-and-sync.md §5. */
export const cachingRows = [
  ...rowsOf("notifications-and-sync.md §5", [
    {
      id: "caching.update-with-ttr",
      steps: [
        ["friend", "update:ttr:1000:ccd:true:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        ["owner", "llookup:meta:cached:@alice:x.{n}@bob", 'data:{<any>"ttr":1000,"ccd":true,<any>'],
      ],
    },
    {
      id: "caching.replaced-by-update",
      steps: [
        ["friend", "update:ttr:1000:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        ["friend", "update:ttr:1000:@alice:x.{n}@bob 2", "data:<int>"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:2" },
        ["owner", "lookup:x.{n}@bob", "data:2"],
      ],
    },
    {
      id: "caching.metadata-alone",
      steps: [
        ["friend", "update:ttr:1000:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        ["friend", "update:meta:@alice:x.{n}@bob:ttr:2000", "data:<int>"],
        {
          on: "owner",
          until: "llookup:all:cached:@alice:x.{n}@bob",
          is: 'data:{<any>"data":"1",<any>"ttr":2000,<any>',
        },
      ],
    },
    {
      id: "caching.metadata-alone-no-copy",
      steps: [
        fromPeer("{n}-1", "ttr:1000:@alice:x.{n}@bob"),
        ["owner", "llookup:cached:@alice:x.{n}@bob", "error:AT0015-<any>"],
      ],
    },
    {
      id: "caching.not-without-ttr",
      steps: [
        fromPeer("{n}-1", "@alice:x.{n}@bob:1"),
        ["owner", "llookup:cached:@alice:x.{n}@bob", "error:AT0015-<any>"],
      ],
    },
    {
      id: "caching.without-ttr-leaves-copy",
      steps: [
        fromPeer("{n}-1", "ttr:1000:@alice:x.{n}@bob:1"),
        ["owner", "llookup:cached:@alice:x.{n}@bob", "data:1"],
        fromPeer("{n}-2", "@alice:x.{n}@bob:2"),
        ["owner", "llookup:cached:@alice:x.{n}@bob", "data:1"],
      ],
    },
    {
      id: "caching.version-continued",
      from: "/ keys.md §3.2",
      steps: [
        fromPeer("{n}-1", "ttr:1000:@alice:x.{n}@bob:1"),
        ["owner", "llookup:meta:cached:@alice:x.{n}@bob", 'data:{<any>"createdAt":"<c:date>",<any>"version":0,<any>'],
        fromPeer("{n}-2", "ttr:1000:@alice:x.{n}@bob:2"),
        ["owner", "llookup:meta:cached:@alice:x.{n}@bob", 'data:{<any>"createdAt":"{c}",<any>"version":1,<any>'],
      ],
    },
    {
      id: "caching.delete-with-ccd",
      steps: [
        fromPeer("{n}-1", "ttr:1000:ccd:true:@alice:x.{n}@bob:1"),
        ["owner", "llookup:cached:@alice:x.{n}@bob", "data:1"],
        ["peer", "notify:id:{n}-2:delete:@alice:x.{n}@bob", "data:success"],
        ["owner", "llookup:cached:@alice:x.{n}@bob", "error:AT0015-<any>"],
      ],
    },
    {
      id: "caching.delete-without-ccd",
      steps: [
        fromPeer("{n}-1", "ttr:1000:@alice:x.{n}@bob:1"),
        ["peer", "notify:id:{n}-2:delete:@alice:x.{n}@bob", "data:success"],
        ["owner", "llookup:cached:@alice:x.{n}@bob", "data:1"],
      ],
    },
    {
      id: "caching.delete-end-to-end",
      steps: [
        ["friend", "update:ttr:1000:ccd:true:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "data:1" },
        ["friend", "delete:@alice:x.{n}@bob", "data:<int>"],
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "error:AT0015-<any>" },
      ],
    },
    {
      id: "caching.text-not",
      steps: [
        fromPeer("{n}-1", "messageType:text:ttr:1000:@alice:x{n}"),
        ["owner", "scan:showHidden:true x{n}", "data:[]"],
      ],
    },
    {
      id: "caching.is-committed",
      steps: [
        fromPeer("{n}-1", "ttr:1000:@alice:x.{n}@bob:1"),
        [
          "owner",
          "stats:15:{n}",
          'data: [{"id":"15","name":"LatestCommitEntryOfEachKey","value":"{\\"cached:@alice:x.{n}@bob\\":[<number>,\\"<any>\\"]}"}]',
        ],
      ],
    },
    {
      id: "caching.pushes-statistics",
      group: "alone",
      steps: [
        ["owner!", "monitor ^none{n}$", ""],
        { on: "owner!", sees: anyStatistics },
        fromPeer("{n}-1", "ttr:1000:@alice:x.{n}@bob:1"),
        { on: "owner!", sees: anyStatistics },
      ],
    },
    {
      id: "caching.expires",
      steps: [
        fromPeer("{n}-1", "ttl:150:ttr:1000:@alice:x.{n}@bob:1"),
        { on: "owner", until: "llookup:cached:@alice:x.{n}@bob", is: "error:AT0015-<any>" },
      ],
    },
    {
      id: "caching.stale-is-fetched",
      steps: [
        ["friend", "update:ttr:1:@alice:x.{n}@bob 1", "data:<int>"],
        { on: "owner", until: "lookup:all:x.{n}@bob", is: 'data:{"key":"cached:@alice:x.{n}@bob",<any>' },
        { on: "owner", until: "lookup:all:x.{n}@bob", is: 'data:{"key":"@alice:x.{n}@bob",<any>' },
      ],
    },
    {
      id: "caching.only-what-is-the-sender's",
      from: "[bug: verify]",
      steps: [
        ["peer", "notify:id:{n}-1:update:ttr:1000:@alice:x.{n}@carol:1", "error:AT0009-<some>\n@"],
        ["owner", "llookup:cached:@alice:x.{n}@carol", "error:AT0015-<any>"],
      ],
    },
  ]),
];
