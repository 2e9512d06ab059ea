import { type AtSign as AtSignName, ProtocolError, parseAtSign } from "@atrium/protocol";
import { z } from "zod";
import type { KubernetesObject, Resource } from "../controller/api.ts";
import { nameSchema } from "./at-sign-name.ts";
import { type DeepReadonly, field, integer, objectName } from "./schema.ts";

const name = z
  .string()
  .meta({
    ...field(
      "The Atsign in its normalised form: @, then letters a to z, digits, _, - or emoji; no dots. The platform has each " +
        "once: the first AtSign that asks for it has it. It can never be changed.",
    ),
    ...nameSchema,
  })
  .transform((text, context): AtSignName => {
    try {
      return parseAtSign(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });

const activation = z
  .strictObject({
    secretRef: z
      .strictObject({ name: objectName("Name of the Secret.") })
      .meta(field("A Secret of this namespace: its key secret has the activation secret.")),
  })
  .meta(
    field(
      "The secret with which the owner activates the Atsign for the first time. Without it one is made, and " +
        "status.activationSecret names the Secret that it is in.",
    ),
  );

export const AtSignSpec = z
  .strictObject({
    atSign: name,
    className: objectName(
      "Name of the AtSignClass: image, resources, storage and limits of the atServer. Without it the class that is " +
        'annotated atrium.dev/default-class: "true".',
    ).optional(),
    runPolicy: z
      .enum(["Always", "Suspended"])
      .default("Always")
      .meta(
        field(
          "Always: the atServer runs. Suspended: name and data are kept, nothing runs, and the gateway refuses connections.",
        ),
      ),
    deletionPolicy: z
      .enum(["Retain", "Delete"])
      .default("Retain")
      .meta(
        field(
          "What becomes of name and data when this object is deleted. Retain: they are kept for an AtSign of the same " +
            "namespace and name. Delete: the data is destroyed, and the name is free for others.",
        ),
      ),
    activation: activation.optional(),
  })
  .meta(field("What is asked for."));

const condition = z.strictObject({
  type: z.string().max(316).meta(field("Ready, Claimed, Provisioned, Listed, Activated or Degraded.")),
  status: z.enum(["True", "False", "Unknown"]).meta(field("Whether it holds.")),
  observedGeneration: integer("int64", "The generation of the object that was looked at.", { min: 0 }).optional(),
  lastTransitionTime: z.string().meta({ ...field("When status changed last."), format: "date-time" }),
  reason: z.string().min(1).max(1024).meta(field("Why, in one word of a published set.")),
  message: z.string().max(32_768).meta(field("Why, and what to do about it, for people.")),
});

export const AtSignStatus = z
  .strictObject({
    observedGeneration: integer("int64", "The generation of the object that was looked at.", { min: 0 }).optional(),
    host: z.string().optional().meta(field("The host name that the directory gives for the Atsign.")),
    port: integer("int32", "The port that the directory gives for the Atsign.", { min: 1, max: 65_535 }).optional(),
    epoch: integer(
      "int64",
      "Grows with every start of the atServer; identity, store, directory and gateways refuse an older one.",
      { min: 1 },
    ).optional(),
    pod: z
      .strictObject({
        name: z.string().meta(field("Its name.")),
        uid: z.string().meta(field("Its UID.")),
      })
      .optional()
      .meta(field("The one Pod that may serve the Atsign.")),
    activationSecret: z
      .string()
      .optional()
      .meta(field("Name of the Secret that has the activation secret; gone once the owner has activated.")),
    conditions: z
      .array(condition)
      .max(16)
      .optional()
      .meta({
        ...field("What holds at present, one of each type."),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
      }),
  })
  .meta(field("What was seen last; the operator alone writes it."));

export type AtSignSpec = DeepReadonly<z.output<typeof AtSignSpec>>;
export type AtSignStatus = DeepReadonly<z.output<typeof AtSignStatus>>;

/** As the API server has it: defaults are filled in, the atSign is normalised. */
export interface AtSign extends KubernetesObject {
  readonly spec: AtSignSpec;
  readonly status?: AtSignStatus;
}

export const atSigns: Resource = { group: "atrium.dev", version: "v1alpha1", plural: "atsigns" };
