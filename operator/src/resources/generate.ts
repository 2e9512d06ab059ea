/** Writes the CustomResourceDefinitions into the chart: `node operator/src/resources/generate.ts`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { definitions } from "./definitions.ts";

export const chartFile = fileURLToPath(new URL("../../../helm/atrium/templates/crds.yaml", import.meta.url));

/** What belongs into {@link chartFile}: a template in which there is nothing to fill in. */
export function chartText(): string {
  const documents = definitions.map((each) => stringify(each, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `# Made from operator/src/resources by its generate.ts: change them there.\n${documents.join("---\n")}`;
}

if (import.meta.main) {
  mkdirSync(dirname(chartFile), { recursive: true });
  writeFileSync(chartFile, chartText());
}
