import { parseDocument } from "yaml";
import { z } from "zod";
import { AtSignSpec } from "./resources/at-sign.ts";
import { subdomain } from "./resources/schema.ts";

const objectName = z.string().regex(subdomain, "must be a DNS name in lower case");
const labels = z.record(z.string(), z.string());

/**
 * The resource `AtSign` of the group `atrium.dev` in a file of the local platform. What the API server takes is taken
 * here too, and any other spelling of an atSign besides. There are no classes and no Secrets on one machine: `className`
 * and `activation` are checked and mean nothing.
 */
const AtSignResource = z.strictObject({
  apiVersion: z.literal("atrium.dev/v1alpha1"),
  kind: z.literal("AtSign"),
  metadata: z.strictObject({
    name: objectName,
    namespace: objectName.default("default"),
    labels: labels.optional(),
    annotations: labels.optional(),
  }),
  spec: AtSignSpec,
});

export type AtSignResource = z.infer<typeof AtSignResource>;

/** Enough for any manifest; a larger file is somebody's mistake. */
export const maxManifestBytes = 65_536;

/** Thrown by {@link parseManifest}; the message is one line for the one who wrote the manifest. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** `namespace/name`: who may have an atSign is decided by this. */
export function ownerOf({ metadata }: AtSignResource): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/**
 * @param text one YAML document, at most {@link maxManifestBytes}
 * @throws {ManifestError} that names the field and what is wrong with it
 */
export function parseManifest(text: string): AtSignResource {
  const parsed = AtSignResource.safeParse(parseYaml(text));
  if (parsed.success) return parsed.data;
  throw new ManifestError(parsed.error.issues.map(describe).join("; "));
}

/** @throws {ManifestError} */
function parseYaml(text: string): unknown {
  try {
    const document = parseDocument(text);
    const [fault] = document.errors;
    if (fault?.code === "MULTIPLE_DOCS")
      throw new ManifestError("has several documents; each AtSign needs its own file");
    if (fault !== undefined) throw fault;
    return document.toJS({ maxAliasCount: 10 });
  } catch (error) {
    if (error instanceof ManifestError) throw error;
    throw new ManifestError(`is not YAML: ${error instanceof Error ? oneLine(error.message) : error}`);
  }
}

function describe({ path, message, code, ...issue }: z.core.$ZodIssue): string {
  const field = path.join(".");
  if (code === "unrecognized_keys" && "keys" in issue) {
    return issue.keys.map((key) => `unknown field ${[...path, key].join(".")}`).join("; ");
  }
  return field === "" ? "is not an AtSign resource" : `${field}: ${oneLine(message)}`;
}

function oneLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/:$/, "") ?? "";
}
