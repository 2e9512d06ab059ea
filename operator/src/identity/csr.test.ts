import "reflect-metadata"; // what the library asks for
import { describe, expect, test } from "@jest/globals";
import { ExtendedKeyUsage, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { keyOfRequest } from "./csr.ts";
import { csrFor } from "./testing/caller.ts";

const host = "alice.at.test";

/** DER of a PEM with one byte changed. */
function damaged(pem: string, at: number): string {
  const bytes = Buffer.from(pem.replace(/-----.*-----/g, ""), "base64");
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}

describe("a signing request", () => {
  test("for the host and nothing else is served", async () => {
    const key = await keyOfRequest(await csrFor({ dns: [host] }), host);
    expect(key.algorithm).toMatchObject({ name: "ECDSA", namedCurve: "P-256" });
  });

  const names = `the CSR must be for exactly one DNS name, ${host}`;
  const more = "the CSR must ask for an alternative name and nothing else";
  const alternative = (value: string) => new SubjectAlternativeNameExtension([{ type: "dns", value }]);
  test.each([
    ["another host", { dns: ["bob.at.test"] }, names],
    ["another host beside it", { dns: [host, "bob.at.test"] }, names],
    ["itself twice", { dns: [host, host] }, names],
    ["a wildcard", { dns: ["*.at.test"] }, names],
    ["its zone", { dns: ["at.test"] }, names],
    ["its host in capitals", { dns: ["ALICE.at.test"] }, names],
    ["its host with a dot", { dns: [`${host}.`] }, names],
    ["its host with a zero byte", { dns: [`${host}\0.example.org`] }, names],
    ["the operator", { dns: ["operator.atrium.internal"] }, names],
    ["an address", { ip: ["127.0.0.1"] }, names],
    ["an address beside it", { dns: [host], ip: ["127.0.0.1"] }, names],
    ["nothing", {}, more],
    ["its host in two extensions", { dns: [host], more: [alternative("bob.at.test")] }, more],
    ["a key usage", { dns: [host], more: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.codeSigning])] }, more],
    ["a subject", { dns: [host], subject: `CN=${host}` }, "the CSR has a subject"],
    ["a subject of another", { dns: [host], subject: "CN=bob.at.test" }, "the CSR has a subject"],
  ])("for %s is not", async (_what, asked, fault) => {
    await expect(keyOfRequest(await csrFor(asked), host)).rejects.toThrow(fault);
  });

  test.each([
    ["P-384", { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }],
    ["RSA of 2048 bits", rsa(2048)],
    ["RSA of 1024 bits", rsa(1024)],
    ["Ed25519", { name: "Ed25519", hash: "" }],
  ])("with a key of %s is not", async (_kind, algorithm) => {
    const csr = await csrFor({ dns: [host], algorithm });
    await expect(keyOfRequest(csr, host)).rejects.toThrow("the key of the CSR must be ECDSA P-256");
  });

  test("that is not signed with its own key is not", async () => {
    const csr = await csrFor({ dns: [host] });
    await expect(keyOfRequest(damaged(csr, -1), host)).rejects.toThrow("the CSR is not signed with its key");
  });

  test("that is damaged is not, or is served as what was signed", async () => {
    const csr = await csrFor({ dns: [host] });
    const key = (await keyOfRequest(csr, host)).toString("pem");
    const { length } = Buffer.from(csr.replace(/-----.*-----/g, ""), "base64");
    const outcomes = await Promise.all(
      Array.from({ length }, (_, at) =>
        keyOfRequest(damaged(csr, at), host).then(
          (served) => served.toString("pem"),
          (error: Error) => error.name,
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome !== "CsrError" && outcome !== key)).toEqual([]);
    expect(outcomes.filter((outcome) => outcome === "CsrError").length).toBeGreaterThan(length - 5);
  });

  test.each([
    ["nothing", ""],
    ["text", "alice"],
    ["a certificate", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"],
    ["an empty block", "-----BEGIN CERTIFICATE REQUEST-----\n\n-----END CERTIFICATE REQUEST-----"],
    ["too much", `-----BEGIN CERTIFICATE REQUEST-----\n${"A".repeat(5_000)}\n-----END CERTIFICATE REQUEST-----`],
  ])("that is %s is not", async (_what, text) => {
    await expect(keyOfRequest(text, host)).rejects.toMatchObject({ name: "CsrError" });
  });

  test("that comes twice is not", async () => {
    const csr = await csrFor({ dns: [host] });
    await expect(keyOfRequest(`${csr}\n${csr}`, host)).rejects.toThrow("one PEM block");
  });
});

function rsa(modulusLength: number) {
  const publicExponent = new Uint8Array([1, 0, 1]);
  return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength, publicExponent };
}
