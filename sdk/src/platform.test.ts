import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { dialAddress, findPlatform, formatAddress, loopback, parseAddress, parsePlatform } from "./platform.ts";

const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const directory = { host: "atrium.localhost", port: 6400 };
const gateway = { host: "127.0.0.1", port: 6464 };
const place = mkdtempSync(join(tmpdir(), "platform-"));
const caFile = join(place, "ca.pem");
const file = join(place, "platform.json");
writeFileSync(caFile, pem);
writeFileSync(
  file,
  JSON.stringify({ zone: "Atrium.localhost", directory, gateway, ca: "ca.pem", kubectl: "k", atSigns: [] }),
);

afterAll(() => rmSync(place, { recursive: true }));

describe("the platform", () => {
  const fromFile = { zone: "atrium.localhost", directory, gateway, ca: pem };

  test("is the one in a platform file", () => {
    expect(findPlatform({ platform: file })).toEqual(fromFile);
    expect(findPlatform({ environment: { ATRIUM_PLATFORM: file, ATRIUM_DIRECTORY: "other:64" } })).toEqual(fromFile);
  });

  test("is the one of the current directory when nothing else is said", () => {
    const current = join(place, "current");
    mkdirSync(join(current, ".atrium"), { recursive: true });
    writeFileSync(join(current, ".atrium", "platform.json"), JSON.stringify({ directory, ca: pem }));
    expect(findPlatform({ currentDirectory: current })).toMatchObject({ directory, ca: pem });
    expect(findPlatform({ currentDirectory: current, platform: "../platform.json" })).toEqual(fromFile);
  });

  test("says where a directory is dialled whose name need not resolve", () => {
    const dialled = { host: "directory.example", port: 64, address: "192.0.2.1" };
    expect(parsePlatform(JSON.stringify({ directory: dialled }), "f", () => pem).directory).toEqual(dialled);
    const wrong = JSON.stringify({ directory: { ...dialled, address: 7 } });
    expect(() => parsePlatform(wrong, "f", () => pem)).toThrow("`directory.address` must be");
  });

  test("is a directory with a CA, or with those of the machine", () => {
    expect(findPlatform({ directory: "a.example:64", ca: caFile })).toEqual({
      directory: { host: "a.example", port: 64 },
      ca: pem,
    });
    expect(findPlatform({ directory: "a.example:64", environment: { ATRIUM_CA: caFile } }).ca).toBe(pem);
    const environment = { ATRIUM_DIRECTORY: "[::1]:64", ATRIUM_CA: caFile };
    expect(findPlatform({ environment })).toEqual({ directory: { host: "::1", port: 64 }, ca: pem });
    expect(findPlatform({ directory: "a.example:64" }).ca).toBeUndefined();
  });

  test.each([
    [{ platform: "p", directory: "d:1" }, "--platform goes without --directory and --ca"],
    [{ directory: "nowhere" }, '--directory must be HOST:PORT, not "nowhere"'],
    [{ directory: "a:0" }, "--directory must be HOST:PORT"],
    [{ environment: { ATRIUM_DIRECTORY: "a:65536" } }, "ATRIUM_DIRECTORY must be HOST:PORT"],
    [{ directory: "a:1", ca: file }, "holds no PEM certificate"],
    [{ directory: "a:1", ca: "/nowhere/ca.pem" }, "the CA file /nowhere/ca.pem does not exist"],
    [{ currentDirectory: "/nowhere" }, "the platform file /nowhere/.atrium/platform.json does not exist"],
    [{ platform: "/" }, "cannot be read (EISDIR)"],
  ])("cannot be %j", (sources, message) => {
    expect(() => findPlatform(sources)).toThrow(message);
  });

  test.each([
    ["{", "not JSON"],
    ["null", "not a JSON object"],
    ["[]", "not a JSON object"],
    ["{}", "`directory` must be { host, port }"],
    [{ directory: { host: "", port: 1 } }, "`directory` must be"],
    [{ directory: { host: "a", port: "1" } }, "`directory` must be"],
    [{ directory, zone: 7 }, "`zone` must be a name"],
    [{ directory, gateway: "a:1" }, "`gateway` must be { host, port }"],
    [{ directory, ca: ["x"] }, "`ca` must be a PEM text"],
  ])("cannot be read from %j", (json, message) => {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    expect(() => parsePlatform(text, "p.json", () => pem)).toThrow(`p.json: ${message}`);
  });
});

describe("a connection", () => {
  const platform = { zone: "at.example.org", gateway: { host: "10.0.0.1", port: 443 } };

  test.each([
    ["alice.at.example.org", "10.0.0.1", 443],
    ["ALICE.at.Example.org", "10.0.0.1", 443],
    ["at.example.org", "at.example.org", 7],
    ["alice.notat.example.org", "alice.notat.example.org", 7],
    ["alice.elsewhere.localhost", "127.0.0.1", 7],
  ])("to %s goes to %s:%i", (host, to, port) => {
    expect(dialAddress(platform, { host, port: 7 })).toEqual({ host: to, port });
  });

  test("goes to the host itself where there is no gateway", () => {
    expect(dialAddress({}, { host: "a.example", port: 7 })).toEqual({ host: "a.example", port: 7 });
    expect(dialAddress({ zone: "z.localhost" }, { host: "a.z.localhost", port: 7 })).toEqual({
      host: "127.0.0.1",
      port: 7,
    });
  });

  test("to a name under localhost stays on this machine", () => {
    expect(loopback({ host: "atrium.localhost", port: 1 }).host).toBe("127.0.0.1");
    expect(loopback({ host: "atrium.localhost.", port: 1 }).host).toBe("127.0.0.1");
    expect(loopback({ host: "notlocalhost", port: 1 }).host).toBe("notlocalhost");
  });
});

test.each(["a.example:64", "[::1]:65535", "10.0.0.1:1"])("%s is an address", (text) => {
  const address = parseAddress(text);
  expect(address && formatAddress(address)).toBe(text);
});

test.each(["", ":1", "a", "a:", "a:0", "a:65536", "a:b", "::1:64", "a b:1", "https://a:1", "a@b:1"])(
  "%j is none",
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);
