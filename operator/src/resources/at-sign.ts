import { type AtSign as AtSignName, ProtocolError, parseAtSign } from "@atrium/protocol";
import { z } from "zod";
import type { KubernetesObject, Resource } from "../controller/api.ts";
import { atSignRules, maxAtSignCharacters } from "./at-sign-name.ts";
import { type DeepReadonly, field, objectName } from "./schema.ts";

/** Manifests of the local platform may use any spelling; the API server takes the normalised one alone. */
const normalisedAtSign = z
  .string()
  .min(2)
  .max(maxAtSignCharacters)
  .meta(
    field(
      "The Atsign, in its normalised form: @, then letters a to z, digits, _, - or emoji; lower case, no dots. Unique on the whole platform: the first AtSign that asks for it has it. It can never be changed.",
      ...atSignRules,
    ),
  );

export const AtSignSpec = z
  .strictObject({
    atSign: normalisedAtSign.transform((text, context): AtSignName => {
      try {
        return parseAtSign(text);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        context.addIssue({ code: "custom", message: error.message });
        return z.NEVER;
      }
    }),
    className: objectName(
      'Name of the AtSignClass that says with which image, resources, storage and limits the Atsign is served. Without it, the class that is annotated atrium.dev/default-class: "true".',
    ).optional(),
    runPolicy: z
      .enum(["Always", "Suspended"])
      .default("Always")
      .meta(
        field(
          "Always: the atServer runs. Suspended: name and data are kept, nothing runs and the gateway refuses connections.",
        ),
      ),
    deletionPolicy: z
      .enum(["Retain", "Delete"])
      .default("Retain")
      .meta(
        field(
          "What becomes of name and data when this object is deleted. Retain: both are kept for an AtSign of the same namespace and name. Delete: the data is destroyed and the name is free for others.",
        ),
      ),
    activation: z
      .strictObject({
        secretRef: z
          .strictObject({ name: objectName("Name of the Secret.") })
          .meta(field("A Secret of this namespace; its key secret has the activation secret.")),
      })
      .optional()
      .meta(
        field(
          "The secret with which the owner activates the Atsign for the first time. Without it, one is made; status.activationSecret says where.",
        ),
      ),
  })
  .meta(field("What the owner or the operator of the platform asks for."));

const condition = z.strictObject({
  type: z.string().max(316).meta(field("Ready, Claimed, Provisioned, Listed, Activated or Degraded.")),
  status: z.enum(["True", "False", "Unknown"]).meta(field("Whether it holds.")),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .meta({ ...field("The generation of the object that was looked at."), format: "int64" }),
  lastTransitionTime: z.string().meta({ ...field("When status changed last."), format: "date-time" }),
  reason: z.string().min(1).max(1024).meta(field("Why, in one word of a published set.")),
  message: z.string().max(32_768).meta(field("Why, and what to do, for people.")),
});

export const AtSignStatus = z
  .strictObject({
    observedGeneration: z
      .int()
      .min(0)
      .optional()
      .meta({ ...field("The generation of the object that this status is about."), format: "int64" }),
    host: z.string().optional().meta(field("The host name that the directory gives for the Atsign.")),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .meta({ ...field("The port that the directory gives for the Atsign."), format: "int32" }),
    epoch: z
      .int()
      .min(1)
      .optional()
      .meta({
        ...field(
          "Grows with every start of the atServer. Identity, store, directory and gateways refuse an older one.",
        ),
        format: "int64",
      }),
    pod: z
      .strictObject({
        name: z.string().meta(field("Name of the Pod.")),
        uid: z.string().meta(field("UID of the Pod.")),
      })
      .optional()
      .meta(field("The one Pod that may serve the Atsign.")),
    activationSecret: z
      .string()
      .optional()
      .meta(field("Name of the Secret with the activation secret; absent once the owner has activated.")),
    conditions: z
      .array(condition)
      .max(16)
      .optional()
      .meta({
        ...field("What holds at present, one per type."),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
      }),
  })
  .meta(field("What was seen last; written by the operator alone."));

export type AtSignSpec = DeepReadonly<z.output<typeof AtSignSpec>>;
export type AtSignStatus = DeepReadonly<z.output<typeof AtSignStatus>>;

/** As the API server has it: defaults are filled in, the atSign is normalised. */
export interface AtSign extends KubernetesObject {
  readonly spec: AtSignSpec;
  readonly status?: AtSignStatus;
}

export const atSigns: Resource = { group: "atrium.dev", version: "v1alpha1", plural: "atsigns" };
