import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { scratch } from "../testing/scratch.ts";
import { inClusterCredentials, kubeconfigCredentials } from "./credentials.ts";

/** As the kubelet does it: a link to a directory is replaced by one to another. */
function mount(directory: string, version: string): void {
  const files = join(directory, `..${version}`);
  mkdirSync(files);
  writeFileSync(join(files, "token"), `token-${version}\n`);
  writeFileSync(join(files, "ca.crt"), `ca-${version}`);
  symlinkSync(`..${version}`, join(directory, "..next"));
  renameSync(join(directory, "..next"), join(directory, "..data"));
}

describe("credentials of a pod", () => {
  test("are read again while it runs", async () => {
    using directory = scratch();
    mount(directory.path, "1");
    for (const name of ["token", "ca.crt"]) symlinkSync(join("..data", name), join(directory.path, name));
    let nowMs = 0;
    const credentials = inClusterCredentials({
      ...{ host: "fd00::1", port: "443", directory: directory.path, monotonic: () => nowMs },
    });
    expect(credentials.getCurrentCluster()).toEqual({ server: "https://[fd00::1]:443" });
    const applied = async () => {
      const options: RequestOptions = { headers: { accept: "application/json" } };
      await credentials.applyToHTTPSOptions(options);
      return options;
    };
    const expected = (version: string) => ({
      headers: { accept: "application/json", authorization: `Bearer token-${version}` },
      ca: `ca-${version}`,
    });
    expect(await Promise.all([applied(), applied()])).toEqual([expected("1"), expected("1")]);
    mount(directory.path, "2");
    nowMs = 9_999;
    expect(await applied()).toEqual(expected("1"));
    nowMs = 10_000;
    expect(await applied()).toEqual(expected("2"));
    rmSync(join(directory.path, "..data"));
    nowMs = 20_000;
    await expect(applied()).rejects.toThrow("ENOENT");
    mount(directory.path, "3");
    expect(await applied()).toEqual(expected("3"));
  });
});

describe("credentials of a kubeconfig", () => {
  const config = (cluster: object, context: string) => ({
    ...{ apiVersion: "v1", kind: "Config", "current-context": context },
    clusters: [{ name: "one", cluster: { server: "https://127.0.0.1:6443", ...cluster } }],
    users: [{ name: "one", user: { token: "secret" } }],
    contexts: [{ name: "one", context: { cluster: "one", user: "one" } }],
  });

  test.each([
    ["proxy-url is not supported", config({ "proxy-url": "http://127.0.0.1:3128" }, "one")],
    ["no current context", config({}, "two")],
  ])("are refused: %s", (words, content) => {
    using directory = scratch();
    const file = join(directory.path, "config");
    writeFileSync(file, JSON.stringify(content));
    expect(() => kubeconfigCredentials(file)).toThrow(words);
  });

  test("are its token and its server", async () => {
    using directory = scratch();
    const file = join(directory.path, "config");
    writeFileSync(file, JSON.stringify(config({}, "one")));
    const credentials = kubeconfigCredentials(file);
    const options: RequestOptions = { headers: {} };
    await credentials.applyToHTTPSOptions(options);
    expect(options.headers).toEqual({ Authorization: "Bearer secret" });
    expect(credentials.getCurrentCluster()?.server).toBe("https://127.0.0.1:6443");
  });
});
