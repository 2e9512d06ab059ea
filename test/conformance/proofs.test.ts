import { expect, test } from "@jest/globals";
import { decrypted, digest } from "./proofs.ts";

test("a CRAM digest is that of the documents", () => {
  const challenge = "_11111111-2222-3333-4444-555555555555@alice:66666666-7777-8888-9999-000000000000";
  expect(digest("secret", challenge)).toBe(
    "ab546f9e653b6ec47ee56818b6f57c9b3e36475d77568804eab108f4e0026c913e1260fa4b4f5617f882f82a09d04dedfd7895439294296ba3dbafcd3bfbb0ca",
  );
});

test("a text is decrypted as the documents encrypt it", () => {
  expect(decrypted("mvVs2kVClNui+JFh1iV8iw==", "AAAAAAAAAAAAAAAAAAAAAA==")).toBe("hello");
  expect(decrypted("4oAQpjpZj8C544p6zT5nkA==", "AAAAAAAAAAAAAAAAAAAAAA==")).toBe("");
});
