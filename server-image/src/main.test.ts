import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { fileURLToPath, pathToFileURL } from "node:url";
import { cramDigest } from "@atrium/protocol";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { one } from "@atrium/runtime/tls-files.vectors.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

const entry = fileURLToPath(new URL("main.ts", import.meta.url));
const children = new Set<ChildProcess>();
let scratch = "";

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "atserver-"));
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true });
});

function environment(name: string, more: Record<string, string> = {}): Record<string, string> {
  const identity = join(scratch, name, "identity");
  if (!existsSync(identity)) {
    mkdirSync(identity, { recursive: true });
    const files = {
      "certificate.pem": one.certificate,
      "key.pem": one.key,
      "trust.pem": one.certificate,
      activation: "s",
    };
    for (const [file, text] of Object.entries(files)) writeFileSync(join(identity, file), text);
  }
  return {
    ATSERVER_ATSIGN: "@alice",
    ATSERVER_HOST: "one.test",
    ATSERVER_PORT: "443",
    ATSERVER_DATA: join(scratch, name, "data"),
    ATSERVER_EPOCH: "1000",
    ATSERVER_IDENTITY: pathToFileURL(identity).href,
    ATSERVER_DIRECTORY: "127.0.0.1:9",
    ATSERVER_LISTEN: "127.0.0.1:0",
    ATSERVER_HEALTH_LISTEN: "127.0.0.1:0",
    ...more,
  };
}

function start(env: Record<string, string>) {
  const child = fork(entry, { env, silent: true, execArgv: ["--disable-warning=ExperimentalWarning"] });
  children.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data) => {
      output += data;
    });
  }
  const ended = once(child, "close").then(([code]) => {
    children.delete(child);
    return { code: code as number, output };
  });
  const ready = Promise.race([
    once(child, "message").then(([message]) => message as Ready),
    ended.then(({ code, output }) => Promise.reject(new Error(`ended with ${code}: ${output}`))),
  ]);
  ready.catch(() => undefined);
  return { child, ended, ready };
}

async function open(ready: Promise<Ready>): Promise<TLSSocket> {
  const { host, port } = (await ready).addresses.main ?? { host: "", port: 0 };
  const socket = connect({ host, port, ca: one.certificate, servername: "one.test" });
  socket.on("error", () => undefined);
  await once(socket, "data");
  return socket;
}

async function ask(socket: TLSSocket, line: string): Promise<string> {
  socket.write(`${line}\n`);
  const [reply] = await once(socket, "data");
  return String(reply);
}

async function login(socket: TLSSocket): Promise<string> {
  const challenge = /^data:(\S+)/.exec(await ask(socket, "from:@alice"))?.[1] ?? "";
  return await ask(socket, `cram:${cramDigest("s", challenge)}`);
}

async function health(ready: Promise<Ready>, path: string): Promise<string> {
  const { host, port } = (await ready).addresses.health ?? { host: "", port: 0 };
  const response = await fetch(`http://${host}:${port}${path}`);
  return `${response.status} ${await response.text()}`;
}

describe("the process", () => {
  test("names every wrong setting and ends", async () => {
    const { ended } = start({ ...environment("settings"), ATSERVER_PORT: "no", ATSERVER_EPOCH: "" });
    const { code, output } = await ended;
    expect(code).toBe(78);
    expect(output).toBe(
      "atserver: ATSERVER_PORT must be a whole number from 1 to 65535\natserver: ATSERVER_EPOCH is not set\n",
    );
  });

  test("serves, keeps what it acknowledged, and ends with 143 when told to", async () => {
    const env = environment("serves");
    const first = start(env);
    const socket = await open(first.ready);
    expect(await login(socket)).toBe("data:success\n@alice@");
    expect(await ask(socket, "update:public:a.b@alice v")).toBe("data:2\n@alice@");
    expect(await ask(socket, "delete:privatekey:at_secret")).toBe("data:-1\n@alice@");
    expect(await health(first.ready, "/livez")).toBe("200 ok\n");
    expect(await health(first.ready, "/readyz")).toBe("200 ok\n");
    const metrics = await health(first.ready, "/metrics");
    expect(metrics).toContain('atserver_commands_total{verb="update"} 1\n');
    expect(metrics).toContain("atserver_inbound_connections 1\n");
    expect(metrics).toContain("atserver_last_commit_id 2\n");
    expect(await health(first.ready, "/metrics")).toContain('atserver_commands_total{verb="update"} 1\n');
    first.child.kill("SIGTERM");
    await once(socket, "close");
    const { code, output } = await first.ended;
    expect(code).toBe(143);
    expect(output).not.toContain("a.b@alice");

    const second = start({ ...env, ATSERVER_EPOCH: "1001" });
    const again = await open(second.ready);
    expect(await ask(again, "lookup:a.b@alice")).toBe("data:v\n@");
    expect(await login(again)).toBe("error:AT0015-Exception: privatekey:at_secret does not exist in keystore\n@");
    const exited = once(second.child, "exit");
    second.child.disconnect();
    expect((await exited)[0]).toBe(143);
    again.destroy();
  });

  test("stops at once when a newer process owns the data, before or after its start", async () => {
    const env = environment("stale");
    const older = start(env);
    const socket = await open(older.ready);
    await login(socket);
    const newer = start({ ...env, ATSERVER_EPOCH: "2000" });
    await newer.ready;
    socket.write("update:a.b@alice v\n");
    const { code, output } = await older.ended;
    expect(code).toBe(76);
    expect(output).toContain("another process has taken over the data");
    expect((await start(env).ended).code).toBe(76);
    newer.child.kill("SIGTERM");
    await newer.ended;
  });

  test("waits for its identity, not ready, and can be told to end meanwhile", async () => {
    const env = environment("waiting");
    rmSync(join(scratch, "waiting", "identity", "key.pem"));
    const { child, ended } = start(env);
    child.stdout?.on("data", (data) => {
      if (String(data).includes("waiting for an identity")) child.kill("SIGTERM");
    });
    const { code, output } = await ended;
    expect(code).toBe(143);
    expect(output).toContain("key.pem is missing");
  });
});
