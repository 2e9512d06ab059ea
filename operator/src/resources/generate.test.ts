import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { definitions } from "./definitions.ts";
import { chartFile, chartText } from "./generate.ts";

describe("the chart's CustomResourceDefinitions", () => {
  test("are what the source says (else: node operator/src/resources/generate.ts)", () => {
    expect(readFileSync(chartFile, "utf8")).toBe(chartText());
  });

  test("have nothing that Helm would fill in", () => {
    expect(chartText()).not.toContain("{{");
  });

  test("stay when the chart goes", () => {
    for (const { metadata } of definitions) expect(metadata.annotations["helm.sh/resource-policy"]).toBe("keep");
  });

  test("explain every field", () => {
    const silent = definitions.flatMap(({ spec }) =>
      silentFields(spec.versions[0]?.schema.openAPIV3Schema, spec.names.kind),
    );
    expect(silent).toEqual([]);
  });
});

/** Paths of the fields that have no description. */
function silentFields(schema: unknown, path: string): string[] {
  const { properties = {}, items, additionalProperties } = schema as Record<string, object | undefined>;
  const fields = Object.entries(properties).filter(([name]) => name !== "metadata");
  const silent = fields.filter(([, field]) => !((field as { description?: string }).description ?? "").endsWith("."));
  const below = [...fields, ...Object.entries({ items, additionalProperties })].filter(
    ([, field]) => field !== undefined,
  );
  return [
    ...silent.map(([name]) => `${path}.${name}`),
    ...below.flatMap(([name, field]) => silentFields(field, `${path}.${name}`)),
  ];
}
