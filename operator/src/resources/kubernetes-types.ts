import { z } from "zod";
import { field, integer } from "./schema.ts";

/** Of labels: the form of names with their optional prefix, and that of values. */
const labelName = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
const labelValue = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";

const value = (description: string) =>
  z.string().meta({
    ...field(description, { rule: `self.matches(r'${labelValue}')`, message: "must be the value of a label" }),
    maxLength: 63,
  });

const name = (description: string) =>
  z.string().meta({
    ...field(description, { rule: `self.matches(r'${labelName}')`, message: "must be the name of a label" }),
    maxLength: 317,
  });

const labels = (description: string) =>
  z.record(z.string(), value("Value of the label.")).meta({
    ...field(description, {
      rule: `self.all(name, name.matches(r'${labelName}'))`,
      message: "must have names of labels as keys",
    }),
    maxProperties: 32,
  });

export const nodeSelector = labels("Labels of the nodes that atServers may run on; none: any node.");

/** LabelSelector of apimachinery. */
export const labelSelector = z
  .strictObject({
    matchLabels: labels("Labels that must all be there.").optional(),
    matchExpressions: z
      .array(
        z
          .strictObject({
            key: name("Name of a label."),
            operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).meta(field("What must hold of the label.")),
            values: z
              .array(value("One of the values."))
              .max(32)
              .optional()
              .meta({ ...field("For In and NotIn: values of the label."), "x-kubernetes-list-type": "atomic" }),
          })
          .meta(
            field("A requirement.", {
              rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
              message: "In and NotIn need values; Exists and DoesNotExist have none",
            }),
          ),
      )
      .max(32)
      .optional()
      .meta({ ...field("Requirements that must all hold."), "x-kubernetes-list-type": "atomic" }),
  })
  .meta({
    ...field("Selects namespaces by their labels; an empty one selects all."),
    "x-kubernetes-map-type": "atomic",
  });

/** Toleration of a pod. */
const toleration = z
  .strictObject({
    key: name("Name of the taint; without it, every taint.").optional(),
    operator: z
      .enum(["Exists", "Equal"])
      .default("Equal")
      .meta(field("Equal: the taint has this value. Exists: it has any.")),
    value: value("Value of the taint.").optional(),
    effect: z
      .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
      .optional()
      .meta(field("Effect of the taint; without it, every effect.")),
    tolerationSeconds: integer("int64", "For NoExecute: how long the pod stays; without it, for ever.", {
      min: 0,
    }).optional(),
  })
  .meta(
    field(
      "A taint that is tolerated.",
      { rule: "has(self.key) || self.operator == 'Exists'", message: "without key, operator must be Exists" },
      {
        rule: "self.operator != 'Exists' || !has(self.value) || self.value == ''",
        message: "operator Exists has no value",
      },
      {
        rule: "!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'",
        message: "tolerationSeconds needs effect NoExecute",
      },
    ),
  );

export const tolerations = z
  .array(toleration)
  .max(32)
  .meta({ ...field("Taints of nodes that atServers tolerate."), "x-kubernetes-list-type": "atomic" });
