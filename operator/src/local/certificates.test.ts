import { X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silent } from "@atrium/runtime/log.ts";
import { parseTlsFiles } from "@atrium/runtime/tls-files.ts";
import { describe, expect, test } from "@jest/globals";
import { leafLifeMs } from "../identity/certificate-authority.ts";
import { scratch } from "../testing/scratch.ts";
import { openCertificates } from "./certificates.ts";

const alice = { dnsNames: ["alice.at.test"], client: true };

function open(data: string, { permitted = ["at.test"], now = Date.now(), checkMs = 60_000 } = {}) {
  return openCertificates({ data, permitted, log: silent, now: () => now, checkMs });
}

/** What a service reads there; throws when it does not fit together. */
function read(directory: string, now = Date.now()) {
  const file = (name: string) => readFileSync(join(directory, name), "utf8");
  const content = { certificate: file("certificate.pem"), key: file("key.pem"), trust: file("trust.pem") };
  return parseTlsFiles(content, now);
}

describe("certificates of a platform", () => {
  test("are kept while they are good", async () => {
    using home = scratch();
    const directory = join(home.path, "alice");
    using first = await open(home.path);
    await first.provide(directory, alice);
    const before = read(directory);
    expect(before.trust).toBe(readFileSync(first.caFile, "utf8"));
    for (const name of ["key.pem", "certificate.pem", "../ca-key.json"]) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
    using second = await open(home.path, { permitted: ["at.test", "at.test"] });
    expect(second.isNew).toBe(false);
    await second.provide(directory, alice);
    expect(read(directory)).toEqual(before);
    expect(second.read(directory).certificate).toBe(before.certificate);
  });

  test.each<[string, (directory: string) => void]>([
    [
      "its key is another one",
      (directory) => writeFileSync(join(directory, "key.pem"), readFileSync(join(directory, "../bob/key.pem"))),
    ],
    ["its key is damaged", (directory) => writeFileSync(join(directory, "key.pem"), "")],
    ["it is damaged", (directory) => writeFileSync(join(directory, "certificate.pem"), "-----BEGIN CERTIFICATE-----")],
    ["its root is another one", (directory) => writeFileSync(join(directory, "trust.pem"), "")],
  ])("are made anew when %s", async (_what, damage) => {
    using home = scratch();
    const directory = join(home.path, "alice");
    using certificates = await open(home.path);
    await certificates.provide(join(home.path, "bob"), alice);
    await certificates.provide(directory, alice);
    const before = read(directory);
    damage(directory);
    await certificates.provide(directory, alice);
    expect(read(directory).certificate).not.toBe(before.certificate);
  });

  test("are made anew for other names", async () => {
    using home = scratch();
    const directory = join(home.path, "alice");
    using certificates = await open(home.path);
    await certificates.provide(directory, alice);
    await certificates.provide(directory, { ...alice, dnsNames: ["bob.at.test"] });
    expect(new X509Certificate(read(directory).certificate).subjectAltName).toBe("DNS:bob.at.test");
  });

  test("are renewed when two thirds of their life are over, and not before", async () => {
    using home = scratch();
    const directory = join(home.path, "alice");
    const now = Date.now();
    {
      using certificates = await open(home.path, { now });
      await certificates.provide(directory, alice);
    }
    const before = read(directory);
    {
      using certificates = await open(home.path, { now: now + leafLifeMs * 0.6 });
      await certificates.provide(directory, alice);
      expect(read(directory)).toEqual(before);
    }
    using later = await open(home.path, { now: now + leafLifeMs * 0.7, checkMs: 10 });
    await later.provide(directory, alice);
    expect(read(directory, now + leafLifeMs * 0.7).expiresAtMs).toBeGreaterThan(before.expiresAtMs);
  });

  test("are renewed while the platform runs, until they are forgotten", async () => {
    using home = scratch();
    const directory = join(home.path, "alice");
    let now = Date.now();
    using certificates = await openCertificates({
      data: home.path,
      permitted: ["at.test"],
      log: silent,
      now: () => now,
      checkMs: 10,
    });
    const renewed = Promise.withResolvers<void>();
    await certificates.provide(directory, alice, renewed.resolve);
    const before = read(directory);
    now += leafLifeMs * 0.7;
    await renewed.promise;
    const after = read(directory, now);
    expect(after.expiresAtMs).toBeGreaterThan(before.expiresAtMs);
    certificates.forget(directory);
    now += leafLifeMs;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read(directory, now - leafLifeMs)).toEqual(after);
  });

  test("have a new root when it must speak for other names", async () => {
    using home = scratch();
    const directory = join(home.path, "alice");
    using first = await open(home.path);
    await first.provide(directory, alice);
    const before = readFileSync(first.caFile, "utf8");
    expect(first.isNew).toBe(false);
    using second = await open(home.path, { permitted: ["at.test", "root.atsign.org"] });
    expect(second.isNew).toBe(true);
    await second.provide(directory, alice);
    const { trust, certificate } = read(directory);
    expect(trust).not.toBe(before);
    expect(new X509Certificate(certificate).verify(new X509Certificate(trust ?? "").publicKey)).toBe(true);
  });

  test("have a new root before the present one ends", async () => {
    using home = scratch();
    using first = await open(home.path);
    expect(first.isNew).toBe(false);
    const tenYearsMs = 3_650 * 86_400_000;
    using second = await open(home.path, { now: Date.now() + tenYearsMs - leafLifeMs });
    expect(second.isNew).toBe(true);
  });

  test.each(["", "{}", '{"names":["at.test"],"certificate":"x","key":"y"}'])(
    "say what to do about a root %j",
    async (text) => {
      using home = scratch();
      writeFileSync(join(home.path, "ca-key.json"), text);
      await expect(open(home.path)).rejects.toMatchObject({
        name: "StartError",
        message: expect.stringContaining("is damaged"),
      });
      expect(readFileSync(join(home.path, "ca-key.json"), "utf8")).toBe(text);
    },
  );
});
