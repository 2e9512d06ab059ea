import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { pino } from "pino";
import { silent } from "./log.ts";
import { parseTlsFiles, watchTlsFiles } from "./tls-files.ts";

import { one, two } from "./tls-files.vectors.ts";

const valid = Date.parse("2027-01-01");

function scratch(
  files: Record<string, string> = {},
): Disposable & { path: string; write(files: Record<string, string>): void } {
  const path = mkdtempSync(join(tmpdir(), "tls-files-"));
  const write = (more: Record<string, string>) => {
    for (const [name, text] of Object.entries(more)) writeFileSync(join(path, name), text);
  };
  write(files);
  return { path, write, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const asFiles = ({ certificate, key }: typeof one) => ({ "certificate.pem": certificate, "key.pem": key });

/** A log whose lines are kept. */
function recorder() {
  const lines: { msg: string; problem?: string }[] = [];
  return { lines, log: pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }) };
}

describe("parseTlsFiles", () => {
  test("takes a pair, with a chain and a bundle", () => {
    const certificate = one.certificate + two.certificate;
    expect(parseTlsFiles({ ...one, certificate, trust: two.certificate + one.certificate }, valid)).toMatchObject({
      certificate,
      key: one.key,
      expiresAtMs: expect.any(Number),
    });
  });

  test.each([
    ["a foreign key", { ...one, key: two.key }, "key.pem is not the key of certificate.pem"],
    ["half a key", { ...one, key: one.key.slice(0, 100) }, "key.pem cannot be parsed"],
    ["an empty certificate", { ...one, certificate: "" }, "certificate.pem has no certificate in PEM form"],
    [
      "half a certificate",
      { ...one, certificate: one.certificate.slice(0, 300) },
      "certificate.pem has no certificate",
    ],
    [
      "a damaged chain",
      { ...one, certificate: `${one.certificate}${one.certificate.replaceAll("M", "A")}` },
      "certificate.pem cannot be parsed",
    ],
    ["an empty bundle", { ...one, trust: "" }, "trust.pem has no certificate in PEM form"],
  ])("refuses %s", (_name, files, message) => {
    expect(() => parseTlsFiles(files, valid)).toThrow(message);
  });

  test("refuses what has expired or is not valid yet", () => {
    expect(() => parseTlsFiles(one, Date.parse("2200-01-01"))).toThrow("certificate.pem expired at");
    expect(() => parseTlsFiles(one, Date.parse("2001-01-01"))).toThrow("certificate.pem is not valid before");
  });
});

describe("watchTlsFiles", () => {
  const now = () => valid;

  test("throws when there is nothing good to begin with", () => {
    using directory = scratch();
    expect(() => watchTlsFiles({ directory: directory.path, log: silent, now })).toThrow("certificate.pem");
  });

  test("takes up a change once it is whole, and tells its listeners", async () => {
    using directory = scratch(asFiles(one));
    const { lines, log } = recorder();
    await using files = watchTlsFiles({ directory: directory.path, log, now });
    const told: string[] = [];
    files.onChange(() => {
      throw new Error("a listener with a fault of its own");
    });
    files.onChange(({ certificate }) => told.push(certificate));

    directory.write({ "certificate.pem": two.certificate }); // the key is still to come
    files.check();
    files.check();
    expect(files.current.certificate).toBe(one.certificate);
    expect(lines.map(({ problem }) => problem)).toEqual(["key.pem is not the key of certificate.pem"]);

    directory.write({ "key.pem": two.key });
    files.check();
    files.check();
    expect(files.current).toMatchObject(two);
    expect(told).toEqual([two.certificate]);
  });

  test("keeps the last good content while files are gone, and says each fault once", async () => {
    using directory = scratch(asFiles(one));
    const { lines, log } = recorder();
    await using files = watchTlsFiles({ directory: directory.path, log, now });
    rmSync(join(directory.path, "key.pem"));
    files.check();
    files.check();
    directory.write(asFiles(one));
    files.check();
    rmSync(join(directory.path, "key.pem"));
    files.check();
    expect(files.current).toMatchObject(one);
    expect(lines.map(({ msg }) => msg)).toEqual(["TLS files not taken up", "TLS files not taken up"]);
  });

  test("takes up what the kubelet mounts, all of one generation", async () => {
    using directory = scratch();
    // As kubelet's atomic writer: a directory per generation, `..data` names the present one, the files go through it.
    const mount = (generation: string, pair: typeof one) => {
      const path = join(directory.path, generation);
      mkdirSync(path);
      for (const [name, text] of Object.entries(asFiles(pair))) writeFileSync(join(path, name), text);
      symlinkSync(generation, join(directory.path, "..data_tmp"));
      renameSync(join(directory.path, "..data_tmp"), join(directory.path, "..data"));
    };
    mount("..2026_1", one);
    for (const name of Object.keys(asFiles(one))) symlinkSync(`..data/${name}`, join(directory.path, name));
    const { lines, log } = recorder();
    await using files = watchTlsFiles({ directory: directory.path, log, now });
    expect(files.current).toMatchObject(one);
    mount("..2026_2", two);
    rmSync(join(directory.path, "..2026_1"), { recursive: true });
    // Whatever else lies there: of one generation or nothing.
    rmSync(join(directory.path, "key.pem"));
    files.check();
    expect(files.current).toMatchObject(two);
    expect(lines.map(({ msg }) => msg)).toEqual(["TLS files taken up"]);
  });

  test("looks by itself, and no longer once disposed", async () => {
    using directory = scratch(asFiles(one));
    const files = watchTlsFiles({ directory: directory.path, log: silent, now, periodMs: 5 });
    const changed = new Promise<void>((resolve) => files.onChange(() => resolve()));
    directory.write({ ...asFiles(one), "trust.pem": two.certificate });
    await changed;
    expect(files.current.trust).toBe(two.certificate);
    await files[Symbol.asyncDispose]();
    directory.write(asFiles(two));
    await new Promise((resolve) => setTimeout(resolve, 25));
    expect(files.current.certificate).toBe(one.certificate);
  });
});
