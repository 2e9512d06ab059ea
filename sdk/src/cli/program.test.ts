import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { run } from "./program.ts";

const place = mkdtempSync(join(tmpdir(), "at-"));
const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
writeFileSync(join(place, "ca.pem"), pem);

afterAll(() => rmSync(place, { recursive: true }));

/** One call of `at`, without a process. */
async function at(args: string[], { environment = {}, input = "" } = {}) {
  let [stdout, stderr] = ["", ""];
  const code = await run(args, {
    stdin: (async function* () {
      yield Buffer.from(input);
    })(),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    interrupted: () => new AbortController().signal,
    environment: { HOME: place, ...environment },
    currentDirectory: place,
    version: "1.2.3",
  });
  return { code, stdout, stderr };
}

/** A port of this machine on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

describe("help", () => {
  test("is a result, and names commands, environment and exit codes", async () => {
    const { code, stdout, stderr } = await at(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const word of [
      "activate",
      "put",
      "get",
      "scan",
      "delete",
      "info",
      "ATRIUM_PLATFORM",
      "--json",
      "  5  not reached",
    ]) {
      expect(stdout).toContain(word);
    }
  });

  test.each([
    ["help", "put"],
    ["put", "--help"],
  ])("of a command shows its options and the common ones: %s %s", async (...args) => {
    const { code, stdout } = await at(args);
    expect(code).toBe(0);
    for (const word of ["--ttl", "--ttb", "--keys", "public:NAME.NAMESPACE"]) expect(stdout).toContain(word);
  });

  test("names the version", async () => {
    expect(await at(["--version"])).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" });
  });
});

describe("a wrong command line", () => {
  const where = ["--directory", "a:1"];
  test.each([
    [[], "no command was given"],
    [["fly"], "unknown command 'fly'"],
    [["get", "@alice"], "missing required argument 'key'"],
    [["get", "@alice", "a.b", "c"], "too many arguments"],
    [["get", "@alice", "a.b", "--loud"], "unknown option '--loud'"],
    [["get", "@alice", "a.b", "--timeout", "0"], "It must be a number of seconds"],
    [["put", "@alice", "a.b", "c", "--ttl", "10"], "It must be a duration like 500ms"],
    [["get", "@al ice", "a.b"], '"@al ice" is no atSign'],
    [["activate", "@alice", ...where], "there is no activation secret"],
    [["activate", "@alice", "--secret", "x", "--secret-file", "y", ...where], "cannot be given both"],
    [["info", "@alice", "--directory", "nowhere"], "--directory must be HOST:PORT"],
    [["info", "@alice", "--platform", "p", ...where], "--platform goes without"],
  ])("%j is explained", async (args, message) => {
    const { code, stdout, stderr } = await at(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`at: `);
    expect(stderr).toContain(message);
  });

  test("is explained in JSON where that was asked for", async () => {
    const { code, stdout, stderr } = await at(["get", "@alice", "--json"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: { reason: "invalid", message: "missing required argument 'key'", advice: expect.any(String) },
    });
  });
});

describe("what is missing on this machine", () => {
  test("a platform", async () => {
    const { code, stderr } = await at(["info", "@alice"]);
    expect(code).toBe(1);
    expect(stderr).toContain("platform.json does not exist");
    expect(stderr).toContain("npm start");
  });

  test("a key file", async () => {
    const { code, stderr } = await at(["get", "@alice", "a.b", "--directory", "a.example:64"]);
    expect(code).toBe(4);
    expect(stderr).toContain(`there is no key file ${join(place, ".atsign", "keys", "@alice_key.atKeys")}`);
    expect(stderr).toContain("Activate @alice first");
  });

  test("a secret file", async () => {
    const { code, stderr } = await at([
      "activate",
      "@alice",
      "--secret-file",
      "/nowhere",
      "--directory",
      "a.example:64",
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain("the secret file /nowhere cannot be read (ENOENT)");
  });
});

test("a directory that is not there is named, with the step and what to do", async () => {
  const address = `127.0.0.1:${await closedPort()}`;
  const { code, stdout, stderr } = await at(["info", "@alice", "--directory", address]);
  expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
  expect(stderr).toBe(
    [
      `at: the directory cannot be reached at ${address}: nothing listens there`,
      `    while looking up @alice in the directory at ${address}`,
      "    Is the platform running, and is the address right?",
      "",
    ].join("\n"),
  );
});

test.each([
  [["--secret", "-"], { input: "s3cret\n" }],
  [["--secret", "s3cret"], {}],
  [[], { environment: { ATRIUM_SECRET: "s3cret" } }],
])("a secret never shows up in a failure: %j %j", async (args, rest) => {
  const { code, stdout, stderr } = await at(
    ["activate", "@alice", ...args, "--directory", `127.0.0.1:${await closedPort()}`],
    rest,
  );
  expect(code).toBe(5);
  expect(stdout + stderr).not.toContain("s3cret");
});
