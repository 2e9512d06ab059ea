import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type LocalPlatform, startPlatform } from "../kit/platform.ts";

const cli = resolve(fileURLToPath(import.meta.url), "../../../sdk/src/cli.ts");

let platform: LocalPlatform;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "atrium-at-"));
  platform = await startPlatform({ atSigns: ["@alice", "@bob", "@carol", "@dave"] });
}, 60_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `at` as a user does, on the platform of these tests unless the environment says otherwise. */
async function at(
  args: string[],
  { input = "", environment = {} }: { input?: string; environment?: object } = {},
): Promise<Run> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", cli, ...args], {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, ATRIUM_PLATFORM: platform.file, ...environment },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

function keyFile(name: string): string {
  return join(home, ".atsign", "keys", `@${name}_key.atKeys`);
}

function secretOf(atSign: `@${string}`): string {
  return platform.secrets[atSign] ?? "";
}

const done = { code: 0, stdout: "", stderr: "" };

describe("before its activation", () => {
  test("an atSign says that it waits for it", async () => {
    const { code, stdout } = await at(["info", "@alice"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^@alice +\S+:\d+ +not activated\n/);
    const { stdout: json } = await at(["info", "@alice", "--json"]);
    expect(JSON.parse(json)).toMatchObject({
      atSign: "@alice",
      activated: false,
      address: { port: expect.any(Number) },
    });
  });

  test("an atSign cannot be used, for want of keys", async () => {
    const { code, stdout, stderr } = await at(["get", "@alice", "phone.demo"]);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toContain(`there is no key file ${keyFile("alice")}`);
  });

  test("an atSign does not accept a wrong secret, and no key file is written", async () => {
    const { code, stdout, stderr } = await at(["activate", "@alice", "--secret", "wrong"]);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toContain("does not accept this activation secret");
    expect(existsSync(keyFile("alice"))).toBe(false);
  });
});

describe("activation", () => {
  test("writes the keys for their owner only", async () => {
    const { code, stdout, stderr } = await at(["activate", "@alice", "--secret", secretOf("@alice")]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain(`@alice is yours. Its keys are in ${keyFile("alice")}`);
    expect(statSync(keyFile("alice")).mode & 0o777).toBe(0o600);
    expect((await at(["info", "alice"])).stdout).toMatch(/ activated\n/);
  });

  test("takes the secret from a file, from standard input or from the environment", async () => {
    const file = join(home, "secret");
    writeFileSync(file, `${secretOf("@bob")}\n`);
    expect(await at(["activate", "@bob", "--secret-file", file, "--quiet"])).toEqual(done);
    const keys = join(home, "carol.atKeys");
    const fromInput = await at(["activate", "@carol", "--secret", "-", "--keys", keys, "--json"], {
      input: secretOf("@carol"),
    });
    expect(fromInput).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(fromInput.stdout)).toEqual({ atSign: "@carol", keys });
    const environment = { ATRIUM_SECRET: secretOf("@dave") };
    expect(await at(["activate", "@dave", "--quiet"], { environment })).toEqual(done);
  });

  test("is done once: a second one is refused, here and elsewhere", async () => {
    const before = readFileSync(keyFile("alice"), "utf8");
    const again = await at(["activate", "@alice", "--secret", secretOf("@alice")]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("@alice is activated already");
    expect(again.stderr).toContain("nothing is left to do");
    const elsewhere = await at(["activate", "@alice", "--secret", secretOf("@alice"), "--keys", join(home, "other")]);
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toContain("@alice is activated already, with other keys");
    expect(existsSync(join(home, "other"))).toBe(false);
    expect(readFileSync(keyFile("alice"), "utf8")).toBe(before);
  });
});

describe("records", () => {
  test("of one's own come back", async () => {
    expect(await at(["put", "@alice", "phone.demo", "+1 555 0100"])).toEqual(done);
    expect(await at(["put", "@alice", "public:nick.demo", "Al"])).toEqual(done);
    expect(await at(["get", "@alice", "phone.demo"])).toEqual({ ...done, stdout: "+1 555 0100\n" });
    expect(await at(["get", "@alice", "public:nick.demo"])).toEqual({ ...done, stdout: "Al\n" });
    expect(await at(["scan", "@alice", "\\.demo@"])).toEqual({
      ...done,
      stdout: "phone.demo@alice\npublic:nick.demo@alice\n",
    });
  });

  test("of the protocol itself are shown when asked for", async () => {
    expect((await at(["scan", "@alice"])).stdout).not.toContain("publickey");
    expect((await at(["scan", "@alice", "--all"])).stdout).toContain("public:publickey@alice\n");
  });

  test("that are public come to others", async () => {
    expect(await at(["get", "@bob", "public:nick.demo@alice"])).toEqual({ ...done, stdout: "Al\n" });
    const { stdout } = await at(["get", "@bob", "public:nick.demo@alice", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ key: "public:nick.demo@alice", value: "Al", signed: true });
  });

  test.each([
    ["several lines", "a\nb\r\nc"],
    ["blanks at the ends", "  x  "],
    ["any letters", "grüße 💚 \u0000 \u2028"],
    ["a line that looks like a command", "x\ndelete:public:nick.demo@alice"],
    ["100 kB", "0123456789".repeat(10_000)],
  ])("may hold %s", async (_what, value) => {
    for (const key of ["text.demo", "public:text.demo"]) {
      expect(await at(["put", "@alice", key, "-"], { input: `${value}\n` })).toEqual(done);
      expect(await at(["get", "@alice", key])).toEqual({ ...done, stdout: `${value}\n` });
    }
    expect(await at(["get", "@bob", "public:text.demo@alice"])).toEqual({ ...done, stdout: `${value}\n` });
  });

  test("may be replaced by one of another form", async () => {
    await at(["put", "@alice", "public:form.demo", "two\nlines"]);
    expect(await at(["put", "@alice", "public:form.demo", "QUJD"])).toEqual(done);
    expect(await at(["get", "@alice", "public:form.demo"])).toEqual({ ...done, stdout: "QUJD\n" });
  });

  test("are stored encrypted, by nobody's knowledge but the owner's", async () => {
    expect(await at(["put", "@alice", "plain.demo", "readable"])).toEqual(done);
    const { stdout } = await at(["get", "@alice", "plain.demo", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      value: "readable",
      metadata: { isEncrypted: true, ivNonce: expect.stringMatching(/^.{22}==$/) },
    });
    expect((await at(["get", "@bob", "public:plain.demo@alice"])).code).toBe(3);
  });

  test("are gone when deleted, however often", async () => {
    await at(["put", "@alice", "gone.demo", "x"]);
    expect(await at(["delete", "@alice", "gone.demo"])).toEqual(done);
    expect(await at(["delete", "@alice", "gone.demo"])).toEqual(done);
    const { code, stdout, stderr } = await at(["get", "@alice", "gone.demo"]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr).toContain("there is no record gone.demo@alice");
  });

  test("have a life as long as they are given", async () => {
    expect(await at(["put", "@alice", "short.demo", "x", "--ttl", "50ms"])).toEqual(done);
    expect((await at(["get", "@alice", "short.demo"])).code).toBe(3);
    expect(await at(["put", "@alice", "unborn.demo", "x", "--ttb", "1h"])).toEqual(done);
    expect((await at(["get", "@alice", "unborn.demo"])).code).toBe(3);
    expect((await at(["scan", "@alice", "(short|unborn)"])).stdout).toBe("");
  });

  test("are told in JSON, one object in each line", async () => {
    const { stdout } = await at(["put", "@alice", "json.demo", "x", "--json"]);
    expect(JSON.parse(stdout)).toEqual({ key: "json.demo@alice", commitId: expect.any(Number) });
    const lines = (await at(["scan", "@alice", "^(json|phone)\\.demo", "--json"])).stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([{ key: "json.demo@alice" }, { key: "phone.demo@alice" }]);
  });
});

describe("a refusal", () => {
  test.each<[string[], number, string]>([
    [["get", "@alice", "public:nick.demo@nobody"], 3, "nobody"],
    [["info", "@nobody"], 3, "does not know @nobody"],
    [["put", "@alice", "public:nick.demo@bob", "x"], 2, "belongs to @bob"],
    [["put", "@alice", "public:publickey", "x"], 2, "has a meaning of its own"],
    [["put", "@alice", "public:empty.demo", ""], 2, "cannot be empty"],
    [["delete", "@alice", "public:publickey"], 1, "AT0009"],
    [["scan", "@alice", "("], 2, "no regular expression"],
    [["scan", "@alice", "a b"], 2, "white space"],
    [["put", "@alice", `${"a".repeat(300)}.demo`, "x"], 2, "no key of a record"],
  ])("%j is explained", async (args, code, message) => {
    const run = await at(args);
    expect(run).toMatchObject({ code, stdout: "" });
    expect(run.stderr).toContain(message);
  });

  test("is told in JSON with the error of the protocol", async () => {
    const { code, stdout, stderr } = await at(["get", "@alice", "nothing.demo", "--json"]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: {
        reason: "not_found",
        code: "AT0015",
        message: "there is no record nothing.demo@alice",
        step: "reading nothing.demo@alice",
        advice: expect.any(String),
      },
    });
  });

  test("of the keys of somebody else", async () => {
    const { code, stderr } = await at(["get", "@alice", "phone.demo", "--keys", keyFile("bob")]);
    expect(code).toBe(4);
    expect(stderr).toContain("holds the keys of @bob");
    // A file that does not say whose it is gets as far as the login.
    const anonymous = join(home, "anonymous");
    const { "@bob": _bob, ...members } = JSON.parse(readFileSync(keyFile("bob"), "utf8"));
    writeFileSync(anonymous, JSON.stringify(members));
    const login = await at(["get", "@alice", "phone.demo", "--keys", anonymous]);
    expect(login.code).toBe(4);
    expect(login.stderr).toContain("AT0401");
    expect(login.stderr).toContain("while logging in as @alice");
  });
});

describe("the platform", () => {
  interface PlatformFile {
    directory: { host: string; port: number };
    ca: string;
  }
  let description: PlatformFile;
  let ca: string;

  beforeAll(() => {
    description = JSON.parse(readFileSync(platform.file, "utf8"));
    ca = join(home, "ca.pem");
    if (description.ca.includes("BEGIN")) writeFileSync(ca, description.ca);
    else copyFileSync(resolve(platform.file, "..", description.ca), ca);
  });

  test("may be named by its directory", async () => {
    const { host, port } = description.directory;
    const { code, stdout } = await at(["info", "@alice", "--directory", `${host}:${port}`, "--ca", ca], {
      environment: { ATRIUM_PLATFORM: "" },
    });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("@alice") });
  });

  test("is not trusted without its CA", async () => {
    const { host, port } = description.directory;
    const { code, stderr } = await at(["info", "@alice", "--directory", `${host}:${port}`], {
      environment: { ATRIUM_PLATFORM: "" },
    });
    expect(code).toBe(6);
    expect(stderr).toContain("cannot be trusted");
    expect(stderr).toContain("--ca FILE");
  });

  test("is not trusted under another name", async () => {
    const { code, stderr } = await at([
      "info",
      "@alice",
      "--directory",
      `127.0.0.1:${description.directory.port}`,
      "--ca",
      ca,
    ]);
    expect(code).toBe(6);
    expect(stderr).toContain("127.0.0.1");
  });

  test("may be away", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    const { code, stderr } = await at(["info", "@alice", "--directory", `127.0.0.1:${port}`, "--ca", ca]);
    expect(code).toBe(5);
    expect(stderr).toContain("nothing listens there");
  });

  test("may be silent", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { code, stderr } = await at(["info", "@alice", "--directory", `127.0.0.1:${port}`, "--timeout", "0.3"]);
    server.close();
    expect(code).toBe(5);
    expect(stderr).toContain("did not accept the connection within 0.3 s");
  });
});
