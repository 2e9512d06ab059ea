import { z } from "zod";
import type { Resource } from "../controller/api.ts";

/** A column of `kubectl get`. */
interface Column {
  readonly name: string;
  readonly type: "string" | "date";
  readonly jsonPath: string;
  readonly description: string;
}

interface Definition {
  readonly resource: Resource;
  readonly kind: string;
  readonly shortNames?: readonly string[];
  readonly scope: "Namespaced" | "Cluster";
  readonly description: string;
  readonly spec: z.ZodType;
  /** with it, the resource has the subresource `status` */
  readonly status?: z.ZodType;
  readonly columns: readonly Column[];
  /** paths of fields that lists and watches can be narrowed by */
  readonly selectable?: readonly string[];
}

/** An object of `apiextensions.k8s.io/v1`. It stays when the chart is uninstalled: with it would go every object of its kind. */
export function customResourceDefinition(definition: Definition) {
  const { resource, kind, shortNames, scope, status, columns, selectable } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${resource.plural}.${resource.group}`,
      annotations: { "helm.sh/resource-policy": "keep" },
    },
    spec: {
      group: resource.group,
      scope,
      names: {
        kind,
        listKind: `${kind}List`,
        plural: resource.plural,
        singular: kind.toLowerCase(),
        ...(shortNames && { shortNames }),
        categories: ["atrium"],
      },
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          ...(status && { subresources: { status: {} } }),
          additionalPrinterColumns: columns,
          ...(selectable && { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) }),
          schema: { openAPIV3Schema: schemaOf(definition) },
        },
      ],
    },
  };
}

function schemaOf({ description, spec, status }: Definition) {
  return {
    type: "object",
    description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Group and version of this object's form." },
      kind: { type: "string", description: "What this object is." },
      metadata: { type: "object" },
      spec: structural(spec),
      ...(status && { status: structural(status) }),
    },
  };
}

/**
 * The schema of what is written, before defaults are filled in, as Kubernetes takes it.
 *
 * @see Kubernetes documentation, "Extend the Kubernetes API with CustomResourceDefinitions", structural schemas
 */
function structural(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, {
    io: "input",
    target: "openapi-3.0",
    override({ jsonSchema }) {
      // Fields that are not known are removed, or refused, by the API server itself.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      // Two types have a form of their own there.
      if (jsonSchema["x-kubernetes-int-or-string"] === true) delete jsonSchema.anyOf;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
}
