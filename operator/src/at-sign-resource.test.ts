import { describe, expect, test } from "@jest/globals";
import { ManifestError, ownerOf, parseManifest } from "./at-sign-resource.ts";

const head = "apiVersion: atrium.dev/v1alpha1\nkind: AtSign\n";

describe("a manifest", () => {
  test("has values for what it does not say", () => {
    const resource = parseManifest(`${head}metadata: { name: alice }\nspec: { atSign: "@alice" }`);
    expect(resource).toMatchObject({
      metadata: { name: "alice", namespace: "default" },
      spec: { atSign: "@alice", runPolicy: "Always", deletionPolicy: "Retain" },
    });
    expect(ownerOf(resource)).toBe("default/alice");
  });

  test.each([
    ["Alice", "@alice"],
    ["@AL.ICE", "@alice"],
    ["💚", "@💚"],
  ])("may name %s", (text, atSign) => {
    expect(parseManifest(`${head}metadata: { name: a }\nspec: { atSign: "${text}" }`).spec.atSign).toBe(atSign);
  });

  test("may say what means nothing on one machine", () => {
    const spec = '{ atSign: "@alice", className: standard, activation: { secretRef: { name: alice-cram } } }';
    expect(parseManifest(`${head}metadata: { name: alice }\nspec: ${spec}`).spec).toMatchObject({
      className: "standard",
      activation: { secretRef: { name: "alice-cram" } },
    });
  });

  test.each([
    ["nothing", "", "is not an AtSign resource"],
    ["a list", "[]", "is not an AtSign resource"],
    [
      "another kind",
      `${head.replace("kind: AtSign", "kind: AtSignClass")}metadata: { name: a }\nspec: { atSign: a }`,
      "kind: ",
    ],
    ["another version", `${head.replace("v1alpha1", "v9")}metadata: { name: a }\nspec: { atSign: a }`, "apiVersion: "],
    ["no name", `${head}spec: { atSign: a }`, "metadata: "],
    [
      "no name for an object",
      `${head}metadata: { name: "A b" }\nspec: { atSign: a }`,
      "metadata.name: must be a DNS name",
    ],
    ["no atSign", `${head}metadata: { name: a }\nspec: {}`, "spec.atSign: "],
    ["a number", `${head}metadata: { name: a }\nspec: { atSign: 5 }`, "spec.atSign: "],
    ["a name that is none", `${head}metadata: { name: a }\nspec: { atSign: "a b" }`, "spec.atSign: "],
    ["a name without quotes", `${head}metadata: { name: a }\nspec: { atSign: @a }`, "is not YAML: "],
    [
      "no name for a class",
      `${head}metadata: { name: a }\nspec: { atSign: a, className: "A b" }`,
      "spec.className: must be a DNS name",
    ],
    ["an unknown field", `${head}metadata: { name: a }\nspec: { atSign: a }\nstatus: {}`, "unknown field status"],
    ["two of them", `${head}metadata: { nam: a }\nspec: { atSing: a }`, "unknown field metadata.nam"],
    [
      "a field twice",
      `${head}kind: AtSign\nmetadata: { name: a }\nspec: { atSign: a }`,
      "is not YAML: Map keys must be unique",
    ],
    ["two documents", `${head}---\n${head}`, "has several documents"],
    [
      "aliases that grow",
      `a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\ne: [*d, *d]`,
      "is not YAML: Excessive alias count",
    ],
    ["depth without end", "[".repeat(50_000), "is not YAML: "],
  ])("with %s is refused in one line", (_what, text, message) => {
    const fault = faultOf(text);
    expect(fault).toContain(message);
    expect(fault).not.toContain("\n");
  });
});

function faultOf(text: string): string {
  try {
    parseManifest(text);
  } catch (error) {
    if (error instanceof ManifestError) return error.message;
    throw error;
  }
  return "none";
}
