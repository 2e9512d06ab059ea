import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type LocalPlatform, startPlatform } from "../kit/platform.ts";

const cli = resolve(fileURLToPath(import.meta.url), "../../../sdk/src/cli.ts");

let platform: LocalPlatform;
let home: string;
let other: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "atrium-enroll-"));
  other = join(home, "other.atKeys");
  platform = await startPlatform({ atSigns: ["@alice"] });
  await owner("activate", "@alice", "--secret", platform.secrets["@alice"] ?? "");
}, 60_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** Runs `at` as a user does. */
async function at(...args: string[]) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", cli, ...args], {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, ATRIUM_PLATFORM: platform.file },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

async function owner(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await at(...args);
  if (code !== 0) throw new Error(`at ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** @returns the id of the request that waits for a decision, once there is one */
async function waiting(): Promise<string> {
  for (;;) {
    const id = (await owner("enroll", "list", "@alice", "--pending")).split(" ", 1)[0];
    if (id) return id;
    await delay(100);
  }
}

const ask = (passcode: string, device: string, ...more: string[]) => {
  return at("enroll", "request", "@alice", "--otp", passcode, "--device", device, "--keys", other, ...more);
};

test("a second device is let in within its namespaces, and shut out again", async () => {
  await owner("put", "@alice", "phone.demo", "+1 555 0100");
  await owner("put", "@alice", "door.home", "4711");
  const passcode = (await owner("otp", "@alice")).trim();
  const asked = ask(passcode, "second", "--namespace", "demo:rw", "--namespace", "notes:r");
  const id = await waiting();
  expect(await owner("enroll", "list", "@alice")).toBe(`${id}   pending   at   second   demo:rw notes:r\n`);
  expect(existsSync(other)).toBe(false);
  await owner("enroll", "approve", "@alice", id);
  const { code, stderr } = await asked;
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(`at enroll approve @alice ${id}`) });
  expect(statSync(other).mode & 0o777).toBe(0o600);

  const second = (...args: string[]) => at(...args, "--keys", other);
  expect(await second("get", "@alice", "phone.demo")).toMatchObject({ code: 0, stdout: "+1 555 0100\n" });
  expect(await second("put", "@alice", "mail.demo", "a@b")).toMatchObject({ code: 0 });
  expect(await owner("get", "@alice", "mail.demo")).toBe("a@b\n");
  for (const args of [
    ["get", "@alice", "door.home"],
    ["put", "@alice", "a.notes", "x"],
    ["enroll", "approve", "@alice", id],
  ]) {
    expect(await second(...args)).toMatchObject({ code: 1, stdout: "" });
  }
  expect(await owner("enroll", "list", "@alice")).toMatch(/ approved /);
  await owner("enroll", "revoke", "@alice", id);
  expect(await second("get", "@alice", "phone.demo")).toMatchObject({ code: 4, stdout: "" });
  rmSync(other);
}, 60_000);

test("an app that is denied, comes too late or has no passcode gets no keys", async () => {
  const denied = ask((await owner("otp", "@alice")).trim(), "denied", "--namespace", "demo:rw");
  await owner("enroll", "deny", "@alice", await waiting());
  expect(await denied).toMatchObject({ code: 1, stderr: expect.stringContaining("the owner of @alice denied it") });

  const late = ask((await owner("otp", "@alice")).trim(), "late", "--namespace", "demo:rw", "--wait", "100ms");
  expect(await late).toMatchObject({ code: 5, stderr: expect.stringContaining("nobody has decided") });

  const guessed = ask("ABC123", "guessed", "--namespace", "demo:rw");
  expect(await guessed).toMatchObject({ code: 1, stderr: expect.stringContaining("invalid otp") });

  const nothing = ask("ABC123", "nothing");
  expect(await nothing).toMatchObject({ code: 2, stderr: expect.stringContaining("no namespace is asked for") });
  expect(existsSync(other)).toBe(false);
}, 60_000);
