import { rowsOf } from "../row.ts";

const known = "<host:some>:<number>\r\n@";
const unknown = "null\r\n@";

/** The directory, as clients find it: client-expectations.md §2.2, directory.md §1. */
export const directoryRows = rowsOf("directory.md §1", [
  ...["alice\n", "alice\r\n", "@alice\n", "{upper(name)}\n"].map((line) => ({
    id: `directory.known.${JSON.stringify(line).slice(1, -1)}`,
    steps: [{ on: "directory!", bytes: line, gives: known, atOnce: true }] as const,
  })),
  {
    id: "directory.dots-removed",
    differs: "dots are removed as everywhere else, the reference looks the name up verbatim",
    steps: [{ on: "directory!", bytes: "{dotted(name)}\n", gives: known, atOnce: true }],
  },
  {
    id: "directory.unknown",
    steps: [{ on: "directory!", bytes: "nobody-{n}\n", gives: unknown, atOnce: true }],
  },
  {
    id: "directory.blank-line-then-name",
    from: "/ client-expectations.md §2.2 C",
    steps: [
      { on: "directory!", bytes: "\r\n", gives: unknown, atOnce: true },
      { on: "directory!", bytes: "alice\r\n", gives: known, atOnce: true },
    ],
  },
  {
    id: "directory.many-lookups",
    from: "/ client-expectations.md §10",
    steps: [
      { on: "directory!", bytes: "alice\n", gives: known, atOnce: true },
      { on: "directory!", bytes: "bob\n", gives: known, atOnce: true },
      { on: "directory!", bytes: "alice\n", gives: known, atOnce: true },
    ],
  },
  {
    id: "directory.several-lines-in-one-chunk",
    differs: "each line is answered, the reference takes them for one name",
    steps: [{ on: "directory!", bytes: "alice\nbob\n", gives: `<some>:<number>\r\n@${known}` }],
  },
  {
    id: "directory.in-chunks",
    steps: [{ on: "directory!", bytes: ["alice", "\n"], gives: known, atOnce: true }],
  },
  {
    id: "directory.exit",
    steps: [
      { on: "directory!", bytes: "@exit\n", gives: null },
      { on: "directory!", closes: true },
    ],
  },
  {
    id: "directory.exit-without-newline",
    steps: [
      { on: "directory!", bytes: "@exit", gives: null },
      { on: "directory!", closes: true },
    ],
  },
  {
    id: "directory.too-long",
    steps: [
      { on: "directory!", bytes: "{long(256)}", gives: null },
      { on: "directory!", closes: true },
    ],
  },
  {
    id: "directory.invalid-utf8",
    steps: [
      { on: "directory!", bytes: Buffer.from([0xff, 0xfe, 0x0a]), gives: null },
      { on: "directory!", closes: true },
    ],
  },
  {
    id: "directory.gives-a-dns-name",
    from: "/ client-expectations.md §2.1",
    steps: [{ on: "directory!", bytes: "alice\n", gives: "<dns>:<number>\r\n@" }],
  },
]);
