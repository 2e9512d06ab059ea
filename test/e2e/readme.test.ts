import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type LocalPlatform, startPlatform } from "../kit/platform.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** One `$ command` of a console block, with the lines that the README shows below it. */
interface Example {
  readonly command: string;
  readonly output: string;
}

function examples(): Example[] {
  const blocks = [...readme.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((entry) => {
        const [command = "", ...output] = entry.split("\n");
        return { command, output: output.join("\n") };
      }),
  );
}

const runsInTheTest = ({ command }: Example) => command.startsWith("npm run at -- ");

describe("README", () => {
  let platform: LocalPlatform;
  let home: string;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "atrium-readme-"));
    platform = await startPlatform({ atSigns: ["@alice", "@bob"] });
  }, 60_000);

  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  });

  /** The secrets in the README are shortened; the platform's own take their place. */
  function withSecret(command: string): string {
    return command.replace(/activate (@\w+) --secret \S+/, (_, atSign) => {
      return `activate ${atSign} --secret ${platform.secrets[atSign]}`;
    });
  }

  test.each(examples().filter(runsInTheTest))("$command", ({ command, output }) => {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", withSecret(command)], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, HOME: home, ATRIUM_PLATFORM: platform.file },
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    // npm prints two lines about the script before what the command prints.
    expect(stdout.replace(/^\n> .*\n> .*\n\n/, "")).toContain(output);
    if (output !== "") expect(stdout.endsWith(output)).toBe(true);
  });

  test("has no command that neither this test nor the platform's runs", () => {
    const others = examples().filter((example) => !runsInTheTest(example));
    // `npm start` is what startPlatform runs; `npm test` is what runs this.
    expect(others.map(({ command }) => command)).toEqual(["npm start", "npm test"]);
  });

  test("has a manifest that adds an Atsign", async () => {
    const [, manifest = ""] = /^```yaml\n(.*?)^```$/ms.exec(readme) ?? [];
    writeFileSync(join(platform.data, "atsigns", "carol.yaml"), manifest);
    await platform.until(({ atSigns }) => atSigns.some(({ atSign }) => atSign === "@carol"));
  });

  test.each([...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link = ""]) => link))("links to %s", (link) => {
    expect(existsSync(join(root, link))).toBe(true);
  });
});
