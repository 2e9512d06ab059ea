import { maxLineBytes } from "@atrium/protocol";
import { z } from "zod";
import type { KubernetesObject, Resource } from "../controller/api.ts";
import { type DeepReadonly, field, objectName, quantity } from "./schema.ts";

const amounts = (description: string) =>
  z
    .strictObject({
      cpu: quantity("Processor time, in processors.").optional(),
      memory: quantity("Memory, in bytes.").optional(),
      "ephemeral-storage": quantity("Space of the node, in bytes.").optional(),
    })
    .meta(field(description));

const labelSelector = z
  .strictObject({
    matchLabels: z
      .record(z.string(), z.string().max(63))
      .optional()
      .meta({ ...field("Labels that must all be there."), maxProperties: 32 }),
    matchExpressions: z
      .array(
        z.strictObject({
          key: z.string().max(317).meta(field("Name of a label.")),
          operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).meta(field("What must hold of the label.")),
          values: z.array(z.string().max(63)).max(32).optional().meta(field("For In and NotIn: the values.")),
        }),
      )
      .max(32)
      .optional()
      .meta(field("Requirements that must all hold.")),
  })
  .meta({
    ...field("Selects namespaces by their labels; an empty one selects all."),
    "x-kubernetes-map-type": "atomic",
  });

const toleration = z.strictObject({
  key: z.string().max(317).optional().meta(field("Name of the taint; without it, operator must be Exists.")),
  operator: z.enum(["Exists", "Equal"]).optional().meta(field("Equal, the default, compares value; Exists takes any.")),
  value: z.string().max(63).optional().meta(field("Value of the taint.")),
  effect: z
    .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
    .optional()
    .meta(field("Effect of the taint; without it, all.")),
  tolerationSeconds: z
    .int()
    .min(0)
    .optional()
    .meta({ ...field("For NoExecute: how long the pod stays."), format: "int64" }),
});

const AtSignClassSpec = z
  .strictObject({
    image: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .meta(field("Image of the atServer. Without it, the one that came with the installed version of Atrium.")),
    imagePullSecrets: z
      .array(z.strictObject({ name: objectName("Name of the Secret.") }))
      .max(16)
      .default([])
      .meta({
        ...field("Secrets of the AtSign's own namespace with which the image is pulled."),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      }),
    allowedNamespaces: z
      .strictObject({ selector: labelSelector.prefault({}) })
      .prefault({})
      .meta(field("The namespaces whose AtSigns may use this class.")),
    resources: z
      .strictObject({
        requests: amounts("What is kept free for an atServer.").prefault({ cpu: "5m", memory: "24Mi" }),
        limits: amounts("What an atServer may use; one that uses more memory is ended.").prefault({ memory: "128Mi" }),
      })
      .prefault({})
      .meta(field("Compute resources of each atServer.")),
    storage: z
      .strictObject({
        driver: z.enum(["pvc"]).default("pvc").meta(field("pvc: one PersistentVolumeClaim per Atsign.")),
        size: quantity("How much an Atsign may store.").default("1Gi"),
        storageClassName: z
          .string()
          .max(253)
          .optional()
          .meta(
            field(
              'StorageClass of the claims; without it, the cluster\'s default; with "", only volumes that have none.',
            ),
          ),
      })
      .prefault({})
      .meta(field("Where the data of each Atsign is kept.")),
    limits: z
      .strictObject({
        connections: z
          .int()
          .min(21)
          .max(10_000)
          .default(200)
          .meta({
            ...field("Connections at once to one atServer; 20 of them are kept for its owner."),
            format: "int32",
          }),
        lineBytes: z
          .int()
          .min(65_536)
          .max(maxLineBytes)
          .default(maxLineBytes)
          .meta({ ...field("Longest command, and so longest value, in bytes."), format: "int32" }),
      })
      .prefault({})
      .meta(field("What one atServer takes from its clients.")),
    certificates: z
      .strictObject({
        serving: z
          .enum(["platform", "wildcard"])
          .default("platform")
          .meta(
            field(
              "With which certificate clients are served. platform: one per Atsign, from the platform's CA. wildcard: the zone's public certificate with its key; every atServer that has it can pose as every host of the zone, so it is for platforms of one tenant.",
            ),
          ),
      })
      .prefault({})
      .meta(field("Certificates of the atServers.")),
    placement: z
      .strictObject({
        nodeSelector: z
          .record(z.string(), z.string().max(63))
          .default({})
          .meta({ ...field("Labels of the nodes that atServers may run on."), maxProperties: 32 }),
        tolerations: z.array(toleration).max(32).default([]).meta(field("Taints of nodes that atServers tolerate.")),
      })
      .prefault({})
      .meta(field("Where atServers run.")),
  })
  .meta(field("How the Atsigns of this class are served."));

export type AtSignClassSpec = DeepReadonly<z.output<typeof AtSignClassSpec>>;

/** As the API server has it: defaults are filled in. */
export interface AtSignClass extends KubernetesObject {
  readonly spec: AtSignClassSpec;
}

export const atSignClasses: Resource = { group: "atrium.dev", version: "v1alpha1", plural: "atsignclasses" };

/** On the class that AtSigns without className have; with the value `true`. */
export const defaultClassAnnotation = "atrium.dev/default-class";

/** What the operator makes when no class is the default one. */
export function standardClass(): AtSignClass {
  return {
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSignClass",
    metadata: { name: "standard", annotations: { [defaultClassAnnotation]: "true" } },
    spec: AtSignClassSpec.parse({}),
  };
}
