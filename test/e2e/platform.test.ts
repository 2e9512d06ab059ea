import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type AtKeys, type AtSign, activate, Client, inspect, readPlatform } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { need } from "../kit/need.ts";
import { ended, isRunning, type LocalPlatform, servicesOf, startPlatform } from "../kit/platform.ts";

const root = resolve(fileURLToPath(import.meta.url), "../../..");

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-e2e-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let directories = 0;
function newDirectory(): string {
  directories += 1;
  return join(scratch, `${directories}`);
}

/** An owner of an atSign on a platform, with keys of their own. */
async function own(platform: LocalPlatform, atSign: AtSign): Promise<AtKeys> {
  const keyFile = join(newDirectory(), "keys.atKeys");
  const secret = platform.secrets[atSign] ?? "";
  return activate({ atSign, platform: readPlatform(platform.file), secret, keyFile });
}

async function as<T>(platform: LocalPlatform, atSign: AtSign, keys: AtKeys, work: (client: Client) => Promise<T>) {
  await using client = await Client.open({ atSign, platform: readPlatform(platform.file), keys });
  return await work(client);
}

/** Starts a platform that is not to come up. */
async function refused(options: Parameters<typeof startPlatform>[0]) {
  await using platform = await startPlatform({ ...options, wait: false });
  const [code] = await once(platform.child, "close");
  return { code, output: platform.output() };
}

function write(platform: LocalPlatform, file: string, spec: string, name = "carol"): void {
  const manifest = `apiVersion: atrium.dev/v1alpha1\nkind: AtSign\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  writeFileSync(join(platform.data, "atsigns", file), manifest);
}

function names(platform: LocalPlatform): string[] {
  return platform.read().atSigns.map(({ atSign }) => atSign);
}

describe("a platform that runs", () => {
  let platform: LocalPlatform;
  let keys: AtKeys;

  beforeAll(async () => {
    platform = await startPlatform();
    keys = await own(platform, "@alice");
    await as(platform, "@alice", keys, (alice) => alice.put("phone.demo", "+1 555 0100"));
  }, 60_000);

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  const phone = () => as(platform, "@alice", keys, async (alice) => (await alice.get("phone.demo")).value);

  test("has told where everything is", () => {
    const { directory, gateway, ca } = platform.read();
    const output = platform.output();
    expect(output).toContain(
      `Atrium is up      directory atrium.localhost:${directory.port}   gateway :${gateway.port}   CA ${ca}\n`,
    );
    expect(output).toContain(
      `@alice   alice.atrium.localhost:${gateway.port}   not activated   npm run at -- activate @alice --secret ${platform.secrets["@alice"]}\n`,
    );
    expect(output).toContain("\n  127.0.0.1 atrium.localhost alice.atrium.localhost bob.atrium.localhost\n");
    expect(output).toContain(platform.secrets["@bob"]);
    expect(platform.secrets["@bob"]).toMatch(/^[0-9a-f]{128}$/);
    expect(Object.keys(platform.services()).sort()).toEqual(["@alice", "@bob", "directory", "gateway"]);
  });

  (need("openssl") ? test.skip : test)("has certificates that stand a strict look", () => {
    const { directory, gateway, ca } = platform.read();
    for (const [port, name] of [
      [directory.port, "atrium.localhost"],
      [gateway.port, "alice.atrium.localhost"],
    ]) {
      const connect = ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", `${name}`, "-CAfile", ca];
      const verify = ["-verify_return_error", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", `${name}`];
      const { status, stdout, stderr } = spawnSync("openssl", [...connect, ...verify], { input: "", encoding: "utf8" });
      expect({ status, stderr }).toMatchObject({ status: 0 });
      expect(stdout).toContain("Verification: OK");
    }
  });

  test("has closed its secrets to others", () => {
    const mode = (...path: string[]) => (statSync(join(platform.data, ...path)).mode & 0o777).toString(8);
    for (const path of [["identity"], ["tenants"], ["tenants", "alice"], ["log"], ["atsigns"]]) {
      expect([path, mode(...path)]).toEqual([path, "700"]);
    }
    for (const path of [
      ["platform.json"],
      ["ca-key.json"],
      ["state.sqlite"],
      ["tenants", "bob", "identity", "activation"],
    ]) {
      expect([path, mode(...path)]).toEqual([path, "600"]);
    }
  });

  test("notices an activation", async () => {
    const { atSigns } = await platform.until(({ atSigns }) => atSigns.some(({ activated }) => activated));
    expect(atSigns.find(({ atSign }) => atSign === "@alice")).toEqual({
      atSign: "@alice",
      host: "alice.atrium.localhost",
      port: platform.read().gateway.port,
      activated: true,
    });
    await platform.printed(/^@alice +activated$/m);
  });

  test("keeps a second one from its data", async () => {
    const { code, output } = await refused({ data: platform.data });
    expect(code).toBe(1);
    expect(output).toMatch(/^Atrium: another Atrium is running on .*\. Stop it, or .*--data DIR\.\n$/);
    expect(await phone()).toBe("+1 555 0100");
  });

  test.each([["--directory-port"], ["--gateway-port"]])("keeps others from the port of %s", async (option) => {
    const { directory, gateway } = platform.read();
    const port = option === "--directory-port" ? directory.port : gateway.port;
    const data = newDirectory();
    const { code, output } = await refused({ data, args: [option, String(port)] });
    expect(code).toBe(1);
    expect(output).toBe(
      `Atrium: port ${port} is in use. Stop what uses it, or choose another one with ${option} PORT.\n`,
    );
    // It counts as no start: the next one is the first.
    await using later = await startPlatform({ data });
    expect(names(later)).toEqual(["@alice", "@bob"]);
  });

  test("starts an atServer again that was killed", async () => {
    const before = platform.services()["@alice"] ?? 0;
    process.kill(before, "SIGKILL");
    await platform.printed(/^@alice +ended \(SIGKILL\); it is started again$/m);
    await platform.printed(/^@alice +serves again$/m);
    expect(platform.services()["@alice"]).not.toBe(before);
    expect(await phone()).toBe("+1 555 0100");
  });

  test("starts the gateway again, where it was", async () => {
    process.kill(platform.services().gateway ?? 0, "SIGKILL");
    await platform.printed(/^the gateway runs again$/m);
    expect(await phone()).toBe("+1 555 0100");
  });

  test("starts the directory again, and tells it everything", async () => {
    process.kill(platform.services().directory ?? 0, "SIGKILL");
    await platform.printed(/^the directory runs again$/m);
    expect(await phone()).toBe("+1 555 0100");
    const nobody = inspect({ atSign: "@nobody", platform: readPlatform(platform.file) });
    await expect(nobody).rejects.toMatchObject({ reason: "not_found" });
  });

  test("serves while its directory cannot come back", async () => {
    const { port } = platform.read().directory;
    await using client = await Client.open({ atSign: "@alice", platform: readPlatform(platform.file), keys });
    process.kill(platform.services().directory ?? 0, "SIGKILL");
    const squatter = createServer();
    // Whoever is first: it is taken at the latest when the directory's next process is refused.
    await listening(squatter, port);
    await platform.printed(/^the directory ended \((?!SIGKILL).*\); it is started again$/m);
    expect((await client.get("phone.demo")).value).toBe("+1 555 0100");
    process.kill(platform.services()["@bob"] ?? 0, "SIGKILL");
    await platform.printed(/^@bob +serves again$/m);
    squatter.close();
    await platform.until(() => [...platform.output().matchAll(/^the directory runs again$/gm)].length === 2);
    expect(await phone()).toBe("+1 555 0100");
  });

  test("stops at Ctrl-C, and has it all at the next start", async () => {
    const pids = [...Object.values(platform.services()), platform.child.pid ?? 0];
    expect(await platform.end("SIGINT")).toBe(0);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(existsSync(platform.file)).toBe(false);

    await using again = await startPlatform({ data: platform.data });
    await again.printed(/^@alice .* activated$/m);
    const value = as(again, "@alice", keys, async (alice) => (await alice.get("phone.demo")).value);
    expect(await value).toBe("+1 555 0100");
  });
});

/** Listens on a port as soon as nobody else does. */
async function listening(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  for (;;) {
    const { promise, resolve: told } = Promise.withResolvers<boolean>();
    const [listens, fails] = [() => told(true), () => told(false)];
    server.once("listening", listens).once("error", fails).listen(port, "127.0.0.1");
    const isListening = await promise;
    server.off("listening", listens).off("error", fails);
    if (isListening) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("however it ends", () => {
  test("nothing is left running, and the next start has it all", async () => {
    const data = newDirectory();
    let port: { directory: number; gateway: number };
    let keys: AtKeys;
    {
      await using platform = await startPlatform({ data, atSigns: ["@alice"] });
      keys = await own(platform, "@alice");
      await as(platform, "@alice", keys, (alice) => alice.put("kept.demo", "yes"));
      const { directory, gateway } = platform.read();
      port = { directory: directory.port, gateway: gateway.port };
      const pids = Object.values(platform.services());
      expect(pids).toHaveLength(3);
      await platform.end("SIGKILL");
      await Promise.all(pids.map(ended));
    }
    const args = ["--directory-port", `${port.directory}`, "--gateway-port", `${port.gateway}`];
    await using platform = await startPlatform({ data, args });
    expect(await as(platform, "@alice", keys, async (alice) => (await alice.get("kept.demo")).value)).toBe("yes");

    // All at once, as in a power cut.
    const pids = Object.values(platform.services());
    for (const pid of [...pids, platform.child.pid ?? 0]) process.kill(pid, "SIGKILL");
    await Promise.all(pids.map(ended));
    await using last = await startPlatform({ data, args });
    expect(await as(last, "@alice", keys, async (alice) => (await alice.get("kept.demo")).value)).toBe("yes");
  });

  test("a second Ctrl-C does not wait", async () => {
    await using platform = await startPlatform({ atSigns: ["@alice"] });
    const { gateway = 0, directory = 0, "@alice": alice = 0 } = platform.services();
    // One that does not react would be waited for.
    process.kill(alice, "SIGSTOP");
    platform.child.kill("SIGINT");
    await platform.printed(/^stopping …$/m);
    expect(await platform.end("SIGINT")).toBe(130);
    await Promise.all([gateway, directory, alice].map(ended));
  });

  test("one that does not react is ended by force", async () => {
    await using platform = await startPlatform({ atSigns: ["@alice"] });
    const { "@alice": alice = 0 } = platform.services();
    process.kill(alice, "SIGSTOP");
    expect(await platform.end("SIGTERM")).toBe(143);
    expect(isRunning(alice)).toBe(false);
  });

  /** Starts a platform as npm does. @returns the process that was spawned, and those of the platform */
  async function startByNpm(command: (run: string) => [string, string[]]) {
    const args = ["--data", newDirectory(), "--directory-port", "0", "--gateway-port", "0", "--atsign", "@alice"];
    const run = [process.execPath, join(root, "run.js"), "operator/src/local/main.ts", ...args].join(" ");
    const child = spawn(...command(run), { env: { ...process.env, npm_lifecycle_event: "start" } });
    const { promise: up, resolve: isUp } = Promise.withResolvers<void>();
    child.stdout.on("data", (chunk) => {
      if (/^@alice /m.test(String(chunk))) isUp();
    });
    await up;
    let main = child.pid ?? 0;
    for (let pids = servicesOf(main); Object.keys(pids).length === 0; pids = servicesOf(main))
      [main = 0] = childrenOf(main);
    const services = servicesOf(main);
    expect(Object.keys(services).sort()).toEqual(["@alice", "directory", "gateway"]);
    return { child, services, all: [main, ...Object.values(services)] };
  }

  const directly = (run: string): [string, string[]] => ["sh", ["-c", `exec ${run}`]];

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("%s to what npm runs ends everything", async (signal) => {
    const { child, all } = await startByNpm(directly);
    child.kill(signal);
    const [code] = await once(child, "exit");
    expect(code).toBe({ SIGINT: 0, SIGTERM: 143, SIGKILL: null }[signal]);
    await Promise.all(all.map(ended));
  });

  test("a Ctrl-C that comes from terminal and npm is one", async () => {
    const { child, services, all } = await startByNpm(directly);
    process.kill(services["@alice"] ?? 0, "SIGSTOP");
    const stopping = once(child.stdout, "data");
    child.kill("SIGINT");
    child.kill("SIGINT");
    await stopping;
    process.kill(services["@alice"] ?? 0, "SIGCONT");
    expect(await once(child, "exit")).toEqual([0, null]);
    await Promise.all(all.map(ended));
  });

  test.each<[string, (run: string) => [string, string[]]]>([
    ["the shell between npm and it", (run) => ["sh", ["-c", `${run}; true`]]],
    ["npm", (run) => ["sh", ["-c", `sh -c '${run}; true'; true`]]],
  ])("a kill -9 of %s ends everything", async (_what, command) => {
    const { child, all } = await startByNpm(command);
    child.kill("SIGKILL");
    await Promise.all(all.map(ended));
  });
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

describe("a start that cannot be", () => {
  test("because a file is where the data directory should be", async () => {
    const data = newDirectory();
    writeFileSync(data, "");
    const { code, output } = await start(["--data", data]);
    expect(code).toBe(1);
    expect(output).toMatch(/^Atrium: .* cannot be used: .*--data DIR\.\n$/);
  });

  test("because what the data directory holds is none of ours", async () => {
    const data = newDirectory();
    mkdirSync(data);
    chmodSync(data, 0o755);
    writeFileSync(
      join(data, "state.sqlite"),
      "something else, and long enough to be read as a header of a database file".repeat(20),
    );
    const { code, output } = await start(["--data", data]);
    expect(code).toBe(1);
    expect(output).toMatch(/^Atrium: .* cannot be used: file is not a database.*\n$/);
    // Whoever shares it still can.
    expect(statSync(data).mode & 0o777).toBe(0o755);
  });

  test.each<[string[], RegExp]>([
    [["--atsign", "@a b"], /^Atrium: option '--atsign <@name>' argument '@a b' is invalid/],
    [["--zone", "-"], /domain name/],
    [["--gateway-port", "65536"], /whole number from 0 to 65535/],
    [["--listen", "localhost"], /IP address/],
    [["--listen", "192.0.2.1"], /names under localhost always mean 127\.0\.0\.1/],
    [["--listen", "192.0.2.1", "--zone", "at.test"], /cannot listen on 192\.0\.2\.1, port \d+: EADDRNOTAVAIL/],
    [["--directory-port", "7000", "--gateway-port", "7000"], /cannot both have port 7000/],
    [["--log-level", "loud"], /Allowed choices are trace, debug/],
    [["--nonsense"], /unknown option '--nonsense'/],
    [["surplus"], /too many arguments/],
  ])("because of %j", async (args, message) => {
    const { code, output } = await start(["--data", newDirectory(), ...args]);
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
  });

  test("but to be told how to", async () => {
    const data = newDirectory();
    const { code, output } = await start(["--data", data, "--help"]);
    expect(code).toBe(0);
    for (const option of ["atsign", "data", "zone", "directory-port", "directory-name", "gateway-port", "listen"]) {
      expect(output).toMatch(new RegExp(`^ +--${option} `, "m"));
    }
    expect(existsSync(data)).toBe(false);
  });

  async function start(args: string[]) {
    const child = spawn(process.execPath, [join(root, "operator/src/local/main.ts"), ...args]);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    const [code] = await once(child, "close");
    return { code, output };
  }
});

describe("manifests", () => {
  let platform: LocalPlatform;

  beforeAll(async () => {
    platform = await startPlatform({ atSigns: ["@alice"] });
  }, 60_000);

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  const has = (atSign: string) => platform.until(({ atSigns }) => atSigns.some((each) => each.atSign === atSign));
  const lost = (atSign: string) => platform.until(({ atSigns }) => atSigns.every((each) => each.atSign !== atSign));
  const at = (atSign: AtSign) => inspect({ atSign, platform: readPlatform(platform.file) });

  test("add an Atsign", async () => {
    write(platform, "carol.yaml", '{ atSign: "@Ca.Rol" }');
    const { atSigns } = await has("@carol");
    expect(atSigns.find(({ atSign }) => atSign === "@carol")?.activationSecret).toMatch(/^[0-9a-f]{128}$/);
    expect(await at("@carol")).toMatchObject({ activated: false });
    await platform.printed(/^@carol +carol\.atrium\.localhost:\d+ +not activated +npm run at/m);
  });

  test.each<[string, string, string]>([
    ["an unknown field", '{ atSign: "@carol", runpolicy: Suspended }', "unknown field spec.runpolicy"],
    ["a wrong value", '{ atSign: "@carol", runPolicy: Sometimes }', "spec.runPolicy"],
    ["another atSign", '{ atSign: "@dave" }', "spec.atSign cannot be changed from @carol"],
    ["half a document", '{ atSign: "@car', "is not YAML"],
  ])("that come to have %s leave everything as it was", async (_what, spec, message) => {
    write(platform, "carol.yaml", spec);
    await platform.printed(
      new RegExp(`carol\\.yaml: .*${message.replace(/[.]/g, "\\.")}.*; @carol stays as it was$`, "m"),
    );
    expect(await at("@carol")).toMatchObject({ activated: false });
    expect(names(platform)).toEqual(["@alice", "@carol"]);
  });

  test("that name an Atsign that another one names are refused, until that one goes", async () => {
    write(platform, "carol.yaml", '{ atSign: "@carol" }');
    write(platform, "second.yaml", '{ atSign: "@carol" }', "second");
    await platform.printed(/second\.yaml: @carol is already in carol\.yaml$/m);
    write(platform, "third.yaml", '{ atSign: "@dave" }', "carol");
    await platform.printed(/third\.yaml: the AtSign default\/carol is already in carol\.yaml$/m);
    expect(names(platform)).toEqual(["@alice", "@carol"]);
    for (const file of ["second.yaml", "third.yaml"]) rmSync(join(platform.data, "atsigns", file));
  });

  test("suspend an Atsign, and let it run again", async () => {
    const { "@carol": pid = 0 } = platform.services();
    write(platform, "carol.yaml", '{ atSign: "@carol", runPolicy: Suspended }');
    await lost("@carol");
    await ended(pid);
    await expect(at("@carol")).rejects.toMatchObject({ name: "ClientError" });
    // A gateway that comes new has the same table.
    process.kill(platform.services().gateway ?? 0, "SIGKILL");
    await platform.printed(/^the gateway runs again$/m);
    expect(await at("@alice")).toMatchObject({ activated: false });
    write(platform, "carol.yaml", '{ atSign: "@carol" }');
    await has("@carol");
    expect(await at("@carol")).toMatchObject({ activated: false });
  });

  test("withdraw an Atsign, whose data and name are kept for it", async () => {
    const secret = platform.read().atSigns.find(({ atSign }) => atSign === "@carol")?.activationSecret;
    rmSync(join(platform.data, "atsigns", "carol.yaml"));
    await lost("@carol");
    await platform.printed(/^@carol +withdrawn$/m);
    await expect(at("@carol")).rejects.toMatchObject({ reason: "not_found" });
    expect(existsSync(join(platform.data, "tenants", "carol", "data"))).toBe(true);

    write(platform, "other.yaml", '{ atSign: "@carol" }', "other");
    await platform.printed(/other\.yaml: @carol and its data are kept for the AtSign default\/carol/m);
    rmSync(join(platform.data, "atsigns", "other.yaml"));
    write(platform, "carol.yaml", '{ atSign: "@carol" }');
    const { atSigns } = await has("@carol");
    expect(atSigns.find(({ atSign }) => atSign === "@carol")?.activationSecret).toBe(secret);
  });

  test("delete an Atsign with its data when they say so", async () => {
    write(platform, "frank.yaml", '{ atSign: "@frank", deletionPolicy: Delete }', "frank");
    await has("@frank");
    const home = join(platform.data, "tenants", "frank");
    expect(existsSync(home)).toBe(true);
    rmSync(join(platform.data, "atsigns", "frank.yaml"));
    await platform.printed(/^@frank +is deleted, with its data$/m);
    expect(existsSync(home)).toBe(false);
    await expect(at("@frank")).rejects.toMatchObject({ reason: "not_found" });
    // Nobody has a right to the name any more.
    write(platform, "other.yaml", '{ atSign: "@frank" }', "other");
    await has("@frank");
    rmSync(join(platform.data, "atsigns", "other.yaml"));
    await lost("@frank");
  });

  test("that are damaged while nobody looks leave everything as it was", async () => {
    write(platform, "erin.yaml", '{ atSign: "@erin", deletionPolicy: Delete }', "erin");
    await has("@erin");
    await platform.end();
    write(platform, "erin.yaml", '{ atSign: "@erin", deletionPolicy: Perhaps }', "erin");
    mkdirSync(join(platform.data, "atsigns", "directory.yaml"));
    await using again = await startPlatform({ data: platform.data });
    expect(names(again)).toEqual(["@alice", "@carol", "@erin"]);
    expect(again.output()).toMatch(/erin\.yaml: spec\.deletionPolicy.*; @erin stays as it was$/m);
    expect(again.output()).toMatch(/directory\.yaml: is not a file$/m);
  });
});
