import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type LocalPlatform, startPlatform } from "../kit/platform.ts";
import { chartDirectory } from "./helm.ts";

/** What `helm test` runs in the cluster, with a platform of this machine. */
let platform: LocalPlatform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(async () => platform[Symbol.asyncDispose]());

function ask(overridden: Readonly<Record<string, string>> = {}) {
  const { directory, gateway, zone, ca } = platform.read();
  const env = {
    DIRECTORY: `127.0.0.1:${directory.port}`,
    DIRECTORY_NAME: directory.host,
    GATEWAY: `127.0.0.1:${gateway.port}`,
    ZONE: zone,
    CA_FILE: ca,
    WAIT_MS: "0",
    ...overridden,
  };
  return spawnSync(process.execPath, [join(chartDirectory, "files/ask.mjs")], {
    encoding: "utf8",
    env,
    timeout: 20_000,
  });
}

test("helm test is content with a directory and a gateway that know nobody of that name", () => {
  const { status, stdout } = ask();
  expect(stdout).toBe("directory answers: null\ngateway answers: no such host\n");
  expect(status).toBe(0);
});

test("helm test fails where there is no gateway", () => {
  const { directory } = platform.read();
  const { status, stdout } = ask({ GATEWAY: `127.0.0.1:${directory.port}` });
  expect(stdout).toMatch(/^gateway: /m);
  expect(status).toBe(1);
});

test("helm test fails where the directory has a certificate of somebody else", () => {
  const { status, stdout } = ask({ DIRECTORY_NAME: "directory.example.org" });
  expect(stdout).toMatch(/^directory: .*does not match certificate/);
  expect(status).toBe(1);
});
