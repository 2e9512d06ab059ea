import { one } from "@atrium/runtime/tls-files.vectors.ts";
import { expect, test } from "@jest/globals";
import { readConfig } from "./config.ts";
import { noNetworks } from "./outbound/dialable.ts";

const least = {
  ATSERVER_ATSIGN: "Alice",
  ATSERVER_HOST: "alice.at.example.org",
  ATSERVER_PORT: "443",
  ATSERVER_DATA: "/data",
  ATSERVER_EPOCH: "1795413600123",
  ATSERVER_IDENTITY: "file:///identity",
  ATSERVER_DIRECTORY: "directory.example.org:64",
};

test("settings have their values and fallbacks", () => {
  expect(readConfig(least)).toEqual({
    atSign: "@alice",
    host: "alice.at.example.org",
    port: 443,
    data: "/data",
    epoch: 1795413600123,
    identity: { kind: "files", directory: "/identity" },
    identityToken: undefined,
    platformCa: undefined,
    zones: [],
    privateAddresses: noNetworks,
    directory: { host: "directory.example.org", port: 64 },
    listen: { host: "0.0.0.0", port: 6464 },
    healthListen: { host: "0.0.0.0", port: 9464 },
    logLevel: "info",
    maxConnections: 200,
    maxLineBytes: 10_240_000,
    maxHeldBytes: 44_040_192,
  });
});

test("zones, certificates and limits are read", () => {
  const config = readConfig({
    ...least,
    ATSERVER_ZONES: "at.example.org=gateway:6464, b.example.org=10.0.0.1:443",
    ATSERVER_PLATFORM_CA: one.certificate,
    ATSERVER_PRIVATE_ADDRESSES: "10.1.0.0/16",
    ATSERVER_MAX_HELD_BYTES: "65536",
  });
  expect(config.zones).toEqual([
    { zone: "at.example.org", at: { host: "gateway", port: 6464 } },
    { zone: "b.example.org", at: { host: "10.0.0.1", port: 443 } },
  ]);
  expect(config.platformCa?.()).toBe(one.certificate);
  expect(config.privateAddresses.check("10.1.2.3")).toBe(true);
  expect(config.maxHeldBytes).toBe(65_536);
});

test("an identity service comes with a token and with the CA that it is checked by", () => {
  const service = { ...least, ATSERVER_IDENTITY: "https://atrium-operator.atrium-system.svc:8443" };
  const given = { ATSERVER_IDENTITY_TOKEN: "/token", ATSERVER_PLATFORM_CA: one.certificate };
  expect(readConfig({ ...service, ...given })).toMatchObject({
    identity: { kind: "service", url: new URL("https://atrium-operator.atrium-system.svc:8443") },
    identityToken: "/token",
  });
  expect(() => readConfig(service)).toThrow(
    expect.objectContaining({ faults: ["ATSERVER_IDENTITY_TOKEN is not set", "ATSERVER_PLATFORM_CA is not set"] }),
  );
});

test("every fault is named", () => {
  expect(() =>
    readConfig({
      ATSERVER_ATSIGN: "a!b",
      ATSERVER_HOST: "alice",
      ATSERVER_PORT: "0",
      ATSERVER_EPOCH: "now",
      ATSERVER_IDENTITY: "http://identity.atrium.internal",
      ATSERVER_DIRECTORY: "nowhere",
      ATSERVER_ZONES: "a.b",
      ATSERVER_PRIVATE_ADDRESSES: "10.0.0.0/99",
      ATSERVER_PLATFORM_CA: "/nonexistent/ca.pem",
    }),
  ).toThrow(
    expect.objectContaining({
      faults: [
        "ATSERVER_ATSIGN must be an atSign, for instance @alice",
        "ATSERVER_HOST must be a host name",
        "ATSERVER_PORT must be a whole number from 1 to 65535",
        "ATSERVER_DATA is not set",
        "ATSERVER_EPOCH must be a whole number from 1 to 9007199254740991",
        expect.stringMatching(/^ATSERVER_IDENTITY must be file:\/\/\/DIRECTORY .* or https:\/\/HOST:PORT/),
        "ATSERVER_PLATFORM_CA names a file that cannot be read: ENOENT",
        "ATSERVER_ZONES must be ZONE=HOST:PORT,…",
        "ATSERVER_PRIVATE_ADDRESSES must be ADDRESS/PREFIX,…",
        "ATSERVER_DIRECTORY must be HOST:PORT",
      ],
    }),
  );
});
