import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { need } from "../../kit/need.ts";
import { type LocalPlatform, startPlatform } from "../../kit/platform.ts";
import { pythonWithSdk } from "./venv.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const missing = need("python3");
const jobMs = 150_000;

interface Step {
  readonly step: string;
  readonly value: unknown;
}

(missing ? describe.skip : describe)("the official Python SDK", () => {
  let platform: LocalPlatform;
  let home: string;
  let python: string;

  beforeAll(async () => {
    python = pythonWithSdk();
    home = mkdtempSync(join(tmpdir(), "atrium-python-"));
    platform = await startPlatform({ atSigns: ["@alice", "@bob"] });
  }, 400_000);

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
    if (home !== undefined) rmSync(home, { recursive: true, force: true });
  });

  /** @returns what the job reached, step by step */
  async function run(task: string, input = ""): Promise<Record<string, unknown>> {
    const { directory } = platform.read();
    const child = spawn(python, [here("job.py"), directory.host, String(directory.port), task], {
      cwd: home,
      env: {
        PATH: process.env.PATH,
        HOME: home,
        PYTHONPATH: here("site"),
        PYTHONUNBUFFERED: "1",
        PYTHONDONTWRITEBYTECODE: "1",
        SSL_CERT_FILE: join(platform.data, "ca.pem"),
      },
      timeout: jobMs,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.stdin.end(input);
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`the job ended with ${code}:\n${output.slice(-4_000)}`);
    const steps = [...output.matchAll(/^STEP (.*)$/gm)].map(([, json = ""]): Step => JSON.parse(json));
    return Object.fromEntries(steps.map(({ step, value }) => [step, value]));
  }

  test(
    "activates, stores, shares, lists, deletes, notifies, and keeps a monitor alive by heartbeats",
    async () => {
      const steps = await run("activate", JSON.stringify(platform.secrets));
      expect(steps).toEqual({
        "activate @alice": null,
        "activate @bob": null,
        self: "for myself: grüße",
        large: 100_000,
        public: "for everybody",
        "shared to bob, read by its owner": "to bob",
        "shared to bob": "to bob",
        "shared to alice, read by its owner": "to alice",
        "shared to alice": "to alice",
        scan: expect.arrayContaining([
          expect.stringContaining("self1.interop@alice"),
          expect.stringContaining("public:pub1.interop@alice"),
          expect.stringContaining("@bob:shared1.interop@alice"),
        ]),
        deleted: expect.stringMatching(/NotFound/),
        expiring: "soon gone",
        // The monitor asks for all that is stored: what was shared is the first.
        notifications: ["to bob", "note 0", "note 1", "note 2", "after the heartbeats"],
        heartbeats: 2,
      });
    },
    jobMs,
  );

  test(
    "reads what is there with the key files of before",
    async () => {
      expect(await run("again")).toEqual({
        "shared, with the saved key file": "to bob",
        "public, with the saved key file": "for everybody",
      });
    },
    jobMs,
  );
});
