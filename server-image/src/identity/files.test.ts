import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { one, two } from "@atrium/runtime/tls-files.vectors.ts";
import { describe, expect, test } from "@jest/globals";
import { recordingLog } from "../testing/recording-log.ts";
import { openFileIdentity } from "./files.ts";

const files = { "certificate.pem": one.certificate, "key.pem": one.key, "trust.pem": two.certificate };

function scratch(content: Record<string, string> = files) {
  const path = mkdtempSync(join(tmpdir(), "identity-"));
  const write = (more: Record<string, string>) => {
    for (const [name, text] of Object.entries(more)) writeFileSync(join(path, name), text);
  };
  write(content);
  return { path, write, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const open = (directory: string, log = silent) => openFileIdentity({ directory, host: "one.test", log, periodMs: 5 });

describe("identity from files", () => {
  test("is one pair for both uses, or two", async () => {
    using directory = scratch();
    const own = { certificate: one.certificate, key: one.key };
    await using identity = await open(directory.path);
    expect(identity.current).toMatchObject({ serving: own, client: own, trust: two.certificate });
    directory.write({ "serving.pem": one.certificate, "serving-key.pem": one.key });
    await new Promise((resolve) => identity.onChange(resolve));
    expect(identity.current).toMatchObject({ serving: own, client: own });
  });

  test("waits until there is something good", async () => {
    using directory = scratch({ "certificate.pem": one.certificate });
    const { log, lines } = recordingLog();
    const opening = open(directory.path, log);
    directory.write(files);
    await using identity = await opening;
    expect(identity.current.client.key).toBe(one.key);
    expect(lines).toEqual([
      expect.objectContaining({ fields: expect.objectContaining({ problem: "key.pem is missing" }) }),
    ]);
  });

  test("stops waiting when told to", async () => {
    using directory = scratch({});
    await expect(
      openFileIdentity({ directory: directory.path, host: "one.test", log: silent, signal: AbortSignal.timeout(10) }),
    ).rejects.toThrow("aborted");
  });

  test.each([
    ["certificate.pem", two.certificate, "key.pem is not the key of certificate.pem"],
    ["certificate.pem", "", "certificate.pem has no certificate in PEM form"],
    ["key.pem", one.key.slice(0, 80), "key.pem cannot be parsed"],
    ["trust.pem", "nothing", "trust.pem has no certificate in PEM form"],
    ["serving.pem", one.certificate, "serving-key.pem is missing"],
  ])("keeps the last good one when %s becomes bad, and says so once", async (name, text, problem) => {
    using directory = scratch();
    const { log, lines } = recordingLog();
    await using identity = await open(directory.path, log);
    const { current } = identity;
    directory.write({ [name]: text });
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(identity.current).toBe(current);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  test("is refused for another host", async () => {
    using directory = scratch({ "certificate.pem": two.certificate, "key.pem": two.key, "trust.pem": one.certificate });
    const { log, lines } = recordingLog();
    await expect(
      openFileIdentity({ directory: directory.path, host: "one.test", log, signal: AbortSignal.timeout(10) }),
    ).rejects.toThrow();
    expect(lines[0]?.fields).toMatchObject({ problem: "certificate.pem is not for one.test" });
  });

  test("has an activation secret until it is told of the activation", async () => {
    using directory = scratch({ ...files, activation: "6b1f\n" });
    await using identity = await open(directory.path);
    expect(identity.activationSecret()).toBe("6b1f");
    await identity.activated();
    await identity.activated();
    expect(identity.activationSecret()).toBeUndefined();
    expect(existsSync(join(directory.path, "activation"))).toBe(false);
  });
});
