import { maxLineBytes } from "@atrium/protocol";
import { z } from "zod";
import type { KubernetesObject, Resource } from "../controller/api.ts";
import { labelSelector, nodeSelector, tolerations } from "./kubernetes-types.ts";
import {
  amount,
  type DeepReadonly,
  field,
  integer,
  isQuantity,
  objectName,
  quantity,
  type Rule,
  subdomain,
} from "./schema.ts";

const amounts = (description: string) =>
  z
    .strictObject({
      cpu: quantity("Processor time, in processors.").optional(),
      memory: quantity("Memory, in bytes.").optional(),
      "ephemeral-storage": quantity("Space of the node's disk, in bytes.").optional(),
    })
    .meta(field(description));

const resources = z
  .strictObject({
    requests: amounts("What is kept free for an atServer.").prefault({ cpu: "5m", memory: "24Mi" }),
    limits: amounts("What an atServer may use; one that uses more memory is ended.").prefault({ memory: "128Mi" }),
  })
  .meta(
    field("Compute resources of each atServer.", ...["cpu", "memory", "ephemeral-storage"].map((name) => atMost(name))),
  );

/** A pod that requests more than its limit would be refused; better the class is. */
function atMost(name: string): Rule {
  const key = name.replaceAll("-", "__dash__");
  const usable = (part: string) =>
    `has(self.${part}) && has(self.${part}.${key}) && ${isQuantity(`self.${part}.${key}`)}`;
  const more = `${amount(`self.requests.${key}`)}.isGreaterThan(${amount(`self.limits.${key}`)})`;
  return {
    rule: `!(${usable("requests")} && ${usable("limits")} && ${more})`,
    message: "must not be greater than the limit",
    fieldPath: name === key ? `.requests.${name}` : `.requests['${name}']`,
  };
}

const storage = z
  .strictObject({
    driver: z.enum(["pvc"]).default("pvc").meta(field("pvc: a PersistentVolumeClaim for each Atsign.")),
    size: quantity("How much an Atsign may store.").default("1Gi"),
    storageClassName: z
      .string()
      .optional()
      .meta({
        ...field(
          `StorageClass of the claims. Without it the cluster's default; with "" only volumes that have no class.`,
          { rule: `self == '' || self.matches(r'${subdomain.source}')`, message: "must be a DNS name in lower case" },
        ),
        maxLength: 253,
      }),
  })
  .meta(field("Where the data of each Atsign is kept."));

const limits = z
  .strictObject({
    connections: integer(
      "int32",
      "Connections to an atServer at a time; 20 of them, at most half, are kept for its owner.",
      {
        min: 2,
        max: 10_000,
      },
    ).default(200),
    lineBytes: integer("int32", "Bytes of the longest command, and with it of the longest value.", {
      min: 65_536,
      max: maxLineBytes,
    }).default(maxLineBytes),
  })
  .meta(field("What an atServer takes from its clients."));

/** CEL: whether not all namespaces are allowed. */
const selects = ["matchLabels", "matchExpressions"]
  .map((part) => `self.allowedNamespaces.selector.${part}`)
  .map((part) => `has(${part}) && size(${part}) > 0`)
  .join(" || ");

export const AtSignClassSpec = z
  .strictObject({
    image: z
      .string()
      .optional()
      .meta({
        ...field("Image of the atServer. Without it the one that belongs to the installed version of Atrium.", {
          rule: `self.matches(r'^\\S+$')`,
          message: "must be the name of an image",
        }),
        maxLength: 1024,
      }),
    imagePullSecrets: z
      .array(z.strictObject({ name: objectName("Name of the Secret.") }))
      .max(16)
      .default([])
      .meta({
        ...field("Secrets of the AtSign's own namespace with which its image is pulled."),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      }),
    allowedNamespaces: z
      .strictObject({ selector: labelSelector.prefault({}) })
      .prefault({})
      .meta(field("The namespaces whose AtSigns may use this class.")),
    resources: resources.prefault({}),
    storage: storage.prefault({}),
    limits: limits.prefault({}),
    certificates: z
      .strictObject({
        serving: z
          .enum(["platform", "wildcard"])
          .default("platform")
          .meta(
            field(
              "With which certificate clients are served. platform: its own for each Atsign, from the platform's CA. " +
                "wildcard: the zone's public certificate with its key; every atServer that has it can pose as every " +
                "host of the zone, so it is for platforms of one tenant.",
            ),
          ),
      })
      .prefault({})
      .meta(field("Certificates of the atServers.")),
    placement: z
      .strictObject({ nodeSelector: nodeSelector.default({}), tolerations: tolerations.default([]) })
      .prefault({})
      .meta(field("Where atServers run.")),
  })
  .meta(
    field("How the Atsigns of this class are served.", {
      rule: `self.certificates.serving != 'wildcard' || ${selects}`,
      message:
        "wildcard needs an allowedNamespaces.selector: every atServer with the zone's key can pose as every host of the zone",
      fieldPath: ".certificates.serving",
    }),
  );

export type AtSignClassSpec = DeepReadonly<z.output<typeof AtSignClassSpec>>;

/** As the API server has it: defaults are filled in. */
export interface AtSignClass extends KubernetesObject {
  readonly spec: AtSignClassSpec;
}

export const atSignClasses: Resource = { group: "atrium.dev", version: "v1alpha1", plural: "atsignclasses" };

/** The class that has it with the value `true` is that of AtSigns without className. */
export const defaultClassAnnotation = "atrium.dev/default-class";

/** What the operator makes when there is no class that is the default one. */
export function standardClass(): AtSignClass {
  return {
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSignClass",
    metadata: { name: "standard", annotations: { [defaultClassAnnotation]: "true" } },
    spec: AtSignClassSpec.parse({}),
  };
}
