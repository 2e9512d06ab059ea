import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { inspect, readPlatform } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { onPath } from "../kit/install.ts";
import { type LocalPlatform, startPlatform } from "../kit/platform.ts";

const run = promisify(execFile);

/** TLS to one of the platform's two doors, as clients of any kind have it: a name, the CA file, an address. */
function dial(platform: LocalPlatform, door: "directory" | "gateway", servername: string): TLSSocket {
  const { ca, [door]: at } = platform.read();
  return connect({ host: "127.0.0.1", port: at.port, servername, ca: readFileSync(ca) });
}

/** All that comes next from a server: some text, or the code of what went wrong, or that it closed. */
async function heard(socket: TLSSocket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const told = (chunk: Buffer) => resolve(`${chunk}`);
  const failed = (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message);
  const closed = () => resolve("closed");
  socket.once("data", told).once("error", failed).once("close", closed);
  const answer = await promise;
  socket.off("data", told).off("error", failed).off("close", closed);
  return answer;
}

/** What the directory says to a line, after its greeting. */
async function asked(platform: LocalPlatform, line: string, servername = "atrium.localhost"): Promise<string> {
  const socket = dial(platform, "directory", servername);
  const greeting = await heard(socket);
  if (greeting !== "@") return greeting;
  socket.write(`${line}\n`);
  const answer = await heard(socket);
  socket.destroy();
  return answer;
}

/** What a client that asks the gateway for a host gets: the greeting, or the code of what went wrong. */
async function doorOf(platform: LocalPlatform, host: string): Promise<string> {
  const socket = dial(platform, "gateway", host);
  const answer = await heard(socket);
  socket.destroy();
  return answer;
}

const unrecognizedName = "ERR_SSL_TLSV1_UNRECOGNIZED_NAME";

function manifest(platform: LocalPlatform, name: string, more = ""): string {
  const file = join(platform.data, "atsigns", `${name}.yaml`);
  const head = `apiVersion: atrium.dev/v1alpha1\nkind: AtSign\nmetadata: { name: ${name} }`;
  writeFileSync(file, `${head}\nspec: { atSign: "@${name}"${more} }\n`);
  return file;
}

const has = (platform: LocalPlatform, atSign: string) =>
  platform.until(({ atSigns }) => atSigns.some((each) => each.atSign === atSign));
const lost = (platform: LocalPlatform, atSign: string) =>
  platform.until(({ atSigns }) => atSigns.every((each) => each.atSign !== atSign));

describe("on the wire, a platform", () => {
  let platform: LocalPlatform;

  beforeAll(async () => {
    platform = await startPlatform({ atSigns: ["@alice"], args: ["--directory-name", "root.atsign.org"] });
  }, 60_000);

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  test.each(["atrium.localhost", "localhost", "root.atsign.org"])("answers as %s", async (name) => {
    const { port } = platform.read().gateway;
    expect(await asked(platform, "alice", name)).toBe(`alice.atrium.localhost:${port}\r\n@`);
    expect(await asked(platform, "nobody", name)).toBe("null\r\n@");
  });

  test("does not answer as anybody else", async () => {
    expect(await asked(platform, "alice", "example.org")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  // One more peer where it happens to be; OpenSSL itself is asked for elsewhere.
  if (onPath("python3"))
    test("is believed by Python's TLS, which is strict about certificates", async () => {
      const { ca, directory } = platform.read();
      const program = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(("127.0.0.1", int(sys.argv[2])), 10) as plain:
    with context.wrap_socket(plain, server_hostname=sys.argv[3]) as tls:
        print(tls.recv(1).decode())
`;
      const python = (name: string) => run("python3", ["-c", program, ca, `${directory.port}`, name]);
      expect((await python("root.atsign.org")).stdout).toBe("@\n");
      await expect(python("example.org")).rejects.toMatchObject({
        stderr: expect.stringContaining("CERTIFICATE_VERIFY"),
      });
    });

  test("greets for hosts that it has, and refuses others with an alert", async () => {
    expect(await doorOf(platform, "alice.atrium.localhost")).toBe("@");
    for (const host of ["nobody.atrium.localhost", "atrium.localhost", "alice.atrium.localhost.example.org"]) {
      expect([host, await doorOf(platform, host)]).toEqual([host, unrecognizedName]);
    }
  });

  test("knows where a suspended Atsign is, and lets nobody in", async () => {
    manifest(platform, "carol");
    await has(platform, "@carol");
    const host = "carol.atrium.localhost";
    const record = `${host}:${platform.read().gateway.port}\r\n@`;
    manifest(platform, "carol", ", runPolicy: Suspended");
    await lost(platform, "@carol");
    expect(await asked(platform, "carol")).toBe(record);
    expect(await doorOf(platform, host)).toBe(unrecognizedName);
    // A directory that comes new is told of it, too.
    process.kill(platform.services().directory ?? 0, "SIGKILL");
    await platform.printed(/^the directory runs again$/m);
    await expectSoon(() => asked(platform, "carol"), record);
  });

  test("has forgotten, on the wire, what was withdrawn", async () => {
    const file = manifest(platform, "carol");
    await has(platform, "@carol");
    rmSync(file);
    await platform.printed(/^@carol +withdrawn$/m);
    await expectSoon(() => asked(platform, "carol"), "null\r\n@");
    expect(await doorOf(platform, "carol.atrium.localhost")).toBe(unrecognizedName);
  });

  test("does not end because somebody damages what is in its data directory", async () => {
    rmSync(platform.read().ca);
    const identity = join(platform.data, "tenants", "alice", "identity");
    rmSync(join(identity, "activation"));
    mkdirSync(join(identity, "activation"));
    manifest(platform, "dave");
    await has(platform, "@dave");
    expect(await doorOf(platform, "dave.atrium.localhost")).toBe("@");
    expect(await inspect({ atSign: "@dave", platform: readPlatform(platform.file) })).toMatchObject({
      activated: false,
    });
  });
});

/** The directory answers nothing, rather than that a name is unknown, until it has been told every name. */
async function expectSoon(ask: () => Promise<string>, answer: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  let last = "";
  while (last !== answer && performance.now() < deadline) last = await ask();
  expect(last).toBe(answer);
}
