import { AtSignSpec, AtSignStatus, atSigns } from "./at-sign.ts";
import { AtSignClassSpec, atSignClasses } from "./at-sign-class.ts";
import { customResourceDefinition } from "./custom-resource-definition.ts";

const age = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Since when it is there.",
} as const;

/** What the chart installs. */
export const definitions = [
  customResourceDefinition({
    resource: atSigns,
    kind: "AtSign",
    shortNames: ["ats"],
    scope: "Namespaced",
    description: "An Atsign that is hosted here: with it come an atServer, a volume and a record in the directory.",
    spec: AtSignSpec,
    status: AtSignStatus,
    columns: [
      { name: "AtSign", type: "string", jsonPath: ".spec.atSign", description: "The Atsign." },
      {
        name: "State",
        type: "string",
        jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
        description: "Reason of the condition Ready.",
      },
      { name: "Host", type: "string", jsonPath: ".status.host", description: "The host name that clients connect to." },
      {
        name: "Class",
        type: "string",
        jsonPath: ".spec.className",
        description: "The AtSignClass; empty for the default one.",
      },
      age,
    ],
    selectable: [".spec.atSign", ".spec.className"],
  }),
  customResourceDefinition({
    resource: atSignClasses,
    kind: "AtSignClass",
    scope: "Cluster",
    description:
      'How Atsigns are served: image, resources, storage and limits. The one annotated atrium.dev/default-class: "true" is for AtSigns that name none.',
    spec: AtSignClassSpec,
    columns: [
      {
        name: "Default",
        type: "string",
        jsonPath: ".metadata.annotations.atrium\\.dev/default-class",
        description: "Whether it is for AtSigns that name no class.",
      },
      { name: "Storage", type: "string", jsonPath: ".spec.storage.size", description: "How much an Atsign may store." },
      {
        name: "Memory",
        type: "string",
        jsonPath: ".spec.resources.limits.memory",
        description: "How much memory an atServer may use.",
      },
      {
        name: "Serving",
        type: "string",
        jsonPath: ".spec.certificates.serving",
        description: "With which certificate clients are served.",
      },
      age,
    ],
  }),
];
