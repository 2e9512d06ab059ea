import { expect, test } from "@jest/globals";
import { trimmed } from "./trim.ts";

test("what only the API server and kubectl read is gone, the rest is as it was", () => {
  const metadata = { name: "a", uid: "1", labels: { a: "b" } };
  const applied = { "kubectl.kubernetes.io/last-applied-configuration": "{}" };
  const object = { kind: "Thing", metadata: { ...metadata, managedFields: [{}], annotations: applied }, spec: {} };
  expect(trimmed(object)).toStrictEqual({ kind: "Thing", metadata, spec: {} });
  expect(trimmed({ metadata: { ...metadata, annotations: { ...applied, mine: "1" } } })).toStrictEqual({
    metadata: { ...metadata, annotations: { mine: "1" } },
  });
  expect(trimmed({ metadata })).toStrictEqual({ metadata });
});
