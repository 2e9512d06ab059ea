import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { scratch } from "../testing/scratch.ts";
import { openLogFile } from "./log-file.ts";
import { startService } from "./process.ts";
import { supervise } from "./supervised.ts";

const entry = fileURLToPath(new URL("../testing/service.ts", import.meta.url));

function start(log: ReturnType<typeof openLogFile>, environment: Record<string, string> = {}, times = {}) {
  return startService({ entry, environment, log, ...times });
}

describe("a service", () => {
  test("tells where it listens, and ends when asked to", async () => {
    using home = scratch();
    using log = openLogFile(join(home.path, "a.log"));
    const service = start(log, { SERVICE_SAYS: "hello" });
    expect(await service.ready).toEqual({ main: { host: "127.0.0.1", port: service.pid } });
    await service.stop();
    expect(await service.ended).toEqual({ how: "exit code 143", code: 143 });
    expect(readFileSync(join(home.path, "a.log"), "utf8")).toBe("hello\n");
    await service.stop();
  });

  test("is made to end when it does not react", async () => {
    using home = scratch();
    using log = openLogFile(join(home.path, "a.log"));
    const service = start(log, { SERVICE_STUBBORN: "yes" }, { stopMs: 50 });
    await service.ready;
    await service.stop();
    expect((await service.ended).how).toBe("SIGKILL");
  });

  test("is given up, and made to end, when it is not ready in time", async () => {
    using home = scratch();
    using log = openLogFile(join(home.path, "a.log"));
    const service = start(log, { SERVICE_READY: "no" }, { readyMs: 300 });
    await expect(service.ready).rejects.toThrow("was not ready within 0.3 s");
    expect((await service.ended).how).toBe("SIGKILL");
  });

  test.each([
    [
      '{"level":"fatal","msg":"cannot run","error":"port in use"}\n{"level":"info","msg":"bye"}',
      "exit code 7: cannot run: port in use",
    ],
    ['{"level":"fatal","msg":"cannot run","err":{"message":"no file"}}', "exit code 7: cannot run: no file"],
    ['{"level":"fatal","msg":"cannot start","fault":"port in use"}', "exit code 7: cannot start: port in use"],
    [
      '{"level":"fatal","msg":"cannot run","faults":["X is not set","Y is wrong"]}',
      "exit code 7: cannot run: X is not set, Y is wrong",
    ],
    [
      '{"level":"fatal","msg":"cannot run","error":{"errno":-98,"code":"EADDRINUSE","syscall":"listen","address":"::1","port":1}}',
      "exit code 7: cannot run: listen EADDRINUSE ::1 1",
    ],
    ['{"level":"fatal","msg":"cannot run","error":{}}', "exit code 7: cannot run"],
    ["atserver: X is not set\natserver: Y is not set", "exit code 7: atserver: Y is not set"],
    ["Error: something\n    at there (file.ts:1:2)\n\nNode.js v24.0.0", "exit code 7: Error: something"],
    ['{"level":"info","msg":"fine"}', "exit code 7"],
    ['{"level":"error"', "exit code 7"],
  ])("says why it failed: %j", async (says, how) => {
    using home = scratch();
    using log = openLogFile(join(home.path, "a.log"));
    const environment = { SERVICE_SAYS: says, SERVICE_READY: "no", SERVICE_LIVES_MS: "0", SERVICE_EXIT: "7" };
    const service = start(log, environment);
    await expect(service.ready).rejects.toThrow(how);
    expect(await service.ended).toEqual({ how, code: 7 });
  });

  test("that cannot be started at all has ended", async () => {
    using home = scratch();
    using log = openLogFile(join(home.path, "a.log"));
    const service = startService({ entry: join(home.path, "nothing.ts"), environment: {}, log });
    await expect(service.ready).rejects.toThrow("exit code 1");
  });
});

describe("a supervised service", () => {
  /** Keeps what happens, and wakes who waits for it. */
  function events() {
    const seen: string[] = [];
    let wake = () => {};
    return {
      seen,
      add(event: string) {
        seen.push(event);
        wake();
      },
      async until(count: number) {
        while (seen.length < count) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
    };
  }

  test("is started again where it was, and no more once it shall end", async () => {
    using home = scratch();
    const { seen, add, until } = events();
    const before: (number | undefined)[] = [];
    const service = await supervise({
      name: "test",
      entry,
      logDirectory: home.path,
      environment(addresses) {
        before.push(addresses.main?.port);
        return {};
      },
      onUp: () => add("up"),
      onDown: (how) => add(`down ${how}`),
    });
    const first = service.addresses.main?.port ?? 0;
    process.kill(first, "SIGKILL");
    await until(2);
    expect(seen).toEqual(["down SIGKILL", "up"]);
    expect(before).toEqual([undefined, first]);
    const second = service.addresses.main?.port ?? 0;
    expect(second).not.toBe(first);
    await Promise.all([service.end(), service.end()]);
    expect(() => process.kill(second, 0)).toThrow("ESRCH");
    expect(seen).toHaveLength(2);
  });

  test("is tried again later and later, when it does not come up", async () => {
    using home = scratch();
    const { seen, add, until } = events();
    let broken = false;
    await using service = await supervise({
      name: "test",
      entry,
      logDirectory: home.path,
      environment: () => (broken ? { SERVICE_READY: "no", SERVICE_LIVES_MS: "0", SERVICE_EXIT: "7" } : {}),
      onUp: () => add("up"),
      onDown: (how) => add(`down ${how}`),
    });
    broken = true;
    process.kill(service.addresses.main?.port ?? 0, "SIGKILL");
    await until(3);
    expect(seen).toEqual(["down SIGKILL", "down exit code 7", "down exit code 7"]);
    broken = false;
    await until(4);
    expect(seen[3]).toBe("up");
  });

  test("ends while it is waiting to be started again", async () => {
    using home = scratch();
    const { add, until } = events();
    let starts = 0;
    const service = await supervise({
      name: "test",
      entry,
      logDirectory: home.path,
      environment() {
        starts += 1;
        return {};
      },
      onUp: () => add("up"),
      onDown: (how) => add(how),
    });
    process.kill(service.addresses.main?.port ?? 0, "SIGKILL");
    await until(1);
    await service.end();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(starts).toBe(1);
  });

  test("does not come at all when its first start fails", async () => {
    using home = scratch();
    const options = { name: "test", entry, logDirectory: home.path, onUp: () => {}, onDown: () => {} };
    const environment = () => ({ SERVICE_READY: "no", SERVICE_LIVES_MS: "0", SERVICE_EXIT: "7" });
    await expect(supervise({ ...options, environment })).rejects.toThrow("exit code 7");
  });
});
