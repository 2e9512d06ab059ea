import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { AtServerHome } from "../soak/atserver-process.ts";

/** The exit code that says: a newer process owns the data. */
const takenOver = 76;

let scratch = "";
let home: AtServerHome;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "atrium-takeover-"));
  home = new AtServerHome({ directory: scratch });
});

afterEach(() => rmSync(scratch, { recursive: true }));

describe("an older process that stood still while a newer one took over", () => {
  test("writes nothing when it goes on, and ends", async () => {
    await using older = home.start();
    using client = await older.login();
    expect(await client.ask("update:a.test@alice older")).toBe("data:2");
    older.stop();
    const late = ["update:a.test@alice late", "update:b.test@alice late", "delete:a.test@alice"].map((command) =>
      client.ask(command).catch((error: Error) => error.message),
    );

    await using newer = home.start();
    using other = await newer.login();
    expect(await other.ask("update:a.test@alice newer")).toBe("data:3");
    older.continue();
    const { code, output } = await older.ended;
    expect(code).toBe(takenOver);
    expect(output).toContain("another process has taken over the data");
    for (const reply of await Promise.all(late)) expect(reply).not.toMatch(/^data:/);
    expect(await other.ask("llookup:a.test@alice")).toBe("data:newer");
    expect(await other.ask("llookup:b.test@alice")).toMatch(/^error:AT0015/);
    expect(await other.ask("update:a.test@alice newer still")).toBe("data:4");
  });

  test("reads nothing either: it may have changed", async () => {
    await using older = home.start();
    using client = await older.login();
    expect(await client.ask("update:a.test@alice older")).toBe("data:2");
    await using newer = home.start();
    using other = await newer.login();
    expect(await other.ask("update:a.test@alice newer")).toBe("data:3");
    const late = await client.ask("llookup:a.test@alice").catch((error: Error) => error.message);
    expect(late).not.toMatch(/^data:/);
    expect((await older.ended).code).toBe(takenOver);
  });

  test("ends when nobody asks it for anything, and nobody probes it", async () => {
    await using older = home.start();
    await older.ready;
    await using newer = home.start();
    await newer.ready;
    expect((await older.ended).code).toBe(takenOver);
  });

  test("ends at the next probe when nobody asks it to write", async () => {
    await using older = home.start();
    await older.ready;
    older.stop();
    await using newer = home.start();
    await newer.ready;
    older.continue();
    // It may end under the answer.
    await older.get("/livez").catch((error: Error) => expect(error.message).toBe("fetch failed"));
    expect((await older.ended).code).toBe(takenOver);
  });
});
