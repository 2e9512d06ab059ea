import { type AtSign, ProtocolError, parseAtSign } from "@atrium/protocol";
import { parseDocument } from "yaml";
import { z } from "zod";

/** Kubernetes' DNS-1123 subdomain, for names of objects. */
const objectName = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, "must be a DNS name in lower case");
const labels = z.record(z.string(), z.string());

const normalisedAtSign = z.string().transform((text, context): AtSign => {
  try {
    return parseAtSign(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
    return z.NEVER;
  }
});

/** The resource `AtSign` of the group `atrium.dev`: what an owner or an operator writes. */
const AtSignResource = z.strictObject({
  apiVersion: z.literal("atrium.dev/v1alpha1"),
  kind: z.literal("AtSign"),
  metadata: z.strictObject({
    name: objectName,
    namespace: objectName.default("default"),
    labels: labels.optional(),
    annotations: labels.optional(),
  }),
  spec: z.strictObject({
    atSign: normalisedAtSign,
    /** Suspended keeps name and data, and serves nobody */
    runPolicy: z.enum(["Always", "Suspended"]).default("Always"),
    /** what becomes of the stored data, and of the name, when the resource is deleted */
    deletionPolicy: z.enum(["Retain", "Delete"]).default("Retain"),
  }),
});

export type AtSignResource = z.infer<typeof AtSignResource>;

/** Enough for any manifest; a larger file is somebody's mistake. */
const maxManifestCharacters = 65_536;

/** Thrown by {@link parseManifest}; the message is one line for the one who wrote the manifest. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/**
 * @param text one YAML document
 * @throws {ManifestError} that names the field and what is wrong with it
 */
export function parseManifest(text: string): AtSignResource {
  if (text.length > maxManifestCharacters) throw new ManifestError(`has more than ${maxManifestCharacters} characters`);
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw new ManifestError(`is not YAML: ${oneLine(fault.message)}`);
  const parsed = AtSignResource.safeParse(document.toJS({ maxAliasCount: 10 }));
  if (parsed.success) return parsed.data;
  throw new ManifestError(parsed.error.issues.map(describe).join("; "));
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
