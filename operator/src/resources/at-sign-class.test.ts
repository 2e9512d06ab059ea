import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ApiClient } from "../controller/api.ts";
import { atSignClasses, standardClass } from "./at-sign-class.ts";
import { apply, installDefinitions, startApiServer, type TestApiServer } from "./testing/api-server.ts";
import { atSignClass, tryOut, type Written } from "./testing/objects.ts";

let server: TestApiServer;
let api: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  api = server.client();
  await installDefinitions(api);
}, 60_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const dnsName = "must be a DNS name in lower case";

describe("an AtSignClass", () => {
  test("has values for what it does not say: those of the standard one", async () => {
    const written = (await apply(api, atSignClasses, atSignClass("empty", {}))) as Written;
    expect(written.spec).toEqual(standardClass().spec);
    const standard = (await apply(api, atSignClasses, standardClass())) as Written;
    expect(standard.spec).toEqual(standardClass().spec);
    expect(standard.metadata.annotations).toEqual({ "atrium.dev/default-class": "true" });
  });

  test("may say everything", async () => {
    const spec = {
      image: "registry.example.org:5000/atrium-atserver@sha256:0123",
      imagePullSecrets: [{ name: "pull" }],
      allowedNamespaces: {
        selector: {
          matchLabels: { "kubernetes.io/metadata.name": "a", empty: "" },
          matchExpressions: [
            { key: "example.org/tier", operator: "In", values: ["gold"] },
            { key: "x", operator: "Exists" },
          ],
        },
      },
      resources: {
        requests: { cpu: 1, memory: "1e3", "ephemeral-storage": "1Gi" },
        limits: { cpu: "1000m", memory: "1Gi" },
      },
      storage: { driver: "pvc", size: "0.5Gi", storageClassName: "" },
      limits: { connections: 10_000, lineBytes: 65_536 },
      certificates: { serving: "wildcard" },
      placement: {
        nodeSelector: { "example.org/pool": "atrium" },
        tolerations: [
          { operator: "Exists" },
          { key: "k", operator: "Equal", value: "v", effect: "NoExecute", tolerationSeconds: 60 },
        ],
      },
    };
    expect(((await apply(api, atSignClasses, atSignClass("full", spec))) as Written).spec).toEqual(spec);
  });

  test.each<[string, Written["spec"], string]>([
    ["an empty image", { image: "" }, 'spec.image: Invalid value: "": must be the name of an image'],
    ["an image with blanks", { image: "a b" }, "must be the name of an image"],
    ["a pull secret with no name", { imagePullSecrets: [{}] }, "spec.imagePullSecrets[0].name: Required value"],
    [
      "a pull secret twice",
      { imagePullSecrets: [{ name: "a" }, { name: "a" }] },
      "spec.imagePullSecrets[1]: Duplicate value",
    ],
    [
      "a label's value that is none",
      { allowedNamespaces: { selector: { matchLabels: { a: "b c" } } } },
      'spec.allowedNamespaces.selector.matchLabels[a]: Invalid value: "b c": must be the value of a label',
    ],
    [
      "a label's name that is none",
      { allowedNamespaces: { selector: { matchLabels: { "a b": "c" } } } },
      "spec.allowedNamespaces.selector.matchLabels: Invalid value: must have names of labels as keys",
    ],
    [
      "In without values",
      { allowedNamespaces: { selector: { matchExpressions: [{ key: "a", operator: "In" }] } } },
      "In and NotIn need values; Exists and DoesNotExist have none",
    ],
    [
      "Exists with values",
      { allowedNamespaces: { selector: { matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }] } } },
      "In and NotIn need values; Exists and DoesNotExist have none",
    ],
    [
      "an amount that is none",
      { resources: { requests: { memory: "lots" } } },
      'spec.resources.requests.memory: Invalid value: "lots": must be a quantity, for instance 5m, 128Mi or 1Gi',
    ],
    [
      "a negative amount",
      { resources: { limits: { memory: -1 } } },
      "spec.resources.limits.memory: Invalid value: -1: must be greater than 0",
    ],
    ["no space", { storage: { size: "0" } }, 'spec.storage.size: Invalid value: "0": must be greater than 0'],
    [
      "more memory requested than its default limit",
      { resources: { requests: { memory: "1Gi" } } },
      "spec.resources.requests.memory: Invalid value: must not be greater than the limit",
    ],
    [
      "more processors requested than may be used",
      { resources: { requests: { cpu: 2 }, limits: { cpu: "1500m" } } },
      "spec.resources.requests.cpu: Invalid value: must not be greater than the limit",
    ],
    [
      "more disk requested than may be used",
      { resources: { requests: { "ephemeral-storage": "2Gi" }, limits: { "ephemeral-storage": 1 } } },
      "spec.resources.requests.ephemeral-storage: Invalid value: must not be greater than the limit",
    ],
    [
      "a resource that there is not",
      { resources: { limits: { gpu: 1 } } },
      'unknown field "spec.resources.limits.gpu"',
    ],
    [
      "another store",
      { storage: { driver: "tape" } },
      'spec.storage.driver: Unsupported value: "tape": supported values: "pvc"',
    ],
    [
      "a StorageClass that cannot be",
      { storage: { storageClassName: "A" } },
      `spec.storage.storageClassName: Invalid value: "A": ${dnsName}`,
    ],
    ["no connection for others than the owner", { limits: { connections: 1 } }, "should be greater than or equal to 2"],
    ["too many connections", { limits: { connections: 10_001 } }, "should be less than or equal to 10000"],
    ["lines that are too short", { limits: { lineBytes: 1 } }, "should be greater than or equal to 65536"],
    ["lines that are too long", { limits: { lineBytes: 10_240_001 } }, "should be less than or equal to 10240000"],
    ["other certificates", { certificates: { serving: "acme" } }, 'supported values: "platform", "wildcard"'],
    [
      "the zone's key for everybody",
      { certificates: { serving: "wildcard" } },
      "spec.certificates.serving: Invalid value: wildcard needs an allowedNamespaces.selector: every atServer with the zone's key can pose as every host of the zone",
    ],
    ["a toleration of nothing", { placement: { tolerations: [{}] } }, "without key, operator must be Exists"],
    [
      "a toleration of any value and of one",
      { placement: { tolerations: [{ operator: "Exists", value: "v" }] } },
      "operator Exists has no value",
    ],
    [
      "a time to stay that does not matter",
      { placement: { tolerations: [{ operator: "Exists", tolerationSeconds: 1 }] } },
      "tolerationSeconds needs effect NoExecute",
    ],
    [
      "a node label that is none",
      { placement: { nodeSelector: { a: "?" } } },
      "spec.placement.nodeSelector[a]: Invalid value",
    ],
    ["a field that there is not", { sleep: {} }, 'unknown field "spec.sleep"'],
  ])("cannot have %s", async (_what, spec, words) => {
    expect(await tryOut(api, atSignClass("a", spec))).toContain(words);
  });
});
