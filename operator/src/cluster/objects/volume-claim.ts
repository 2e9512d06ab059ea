import { createHash } from "node:crypto";
import type { Applied } from "../../controller/writer.ts";
import type { AtSign } from "../../resources/at-sign.ts";
import type { AtSignClassSpec } from "../../resources/at-sign-class.ts";
import type { VolumeClaim } from "../kubernetes-objects.ts";
import { labelsOf, nameAnnotation, objectName, ownerAnnotation, templateAnnotation } from "../names.ts";

/** For the data of an AtSign. It has no owner: whether it goes with the AtSign is decided when that goes. */
export function volumeClaimOf({ metadata, spec }: AtSign, { storage }: AtSignClassSpec): Applied {
  const { name, namespace } = metadata;
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: objectName(name, "data"),
      ...(namespace !== undefined && { namespace }),
      labels: labelsOf(name),
      annotations: {
        ...{ [ownerAnnotation]: name, [nameAnnotation]: spec.atSign },
        [templateAnnotation]: templateOf(storage),
      },
    },
    spec: {
      accessModes: ["ReadWriteOncePod"],
      resources: { requests: { storage: storage.size } },
      ...(storage.storageClassName !== undefined && { storageClassName: storage.storageClassName }),
    },
  };
  return claim;
}

/** Whether it waits for a volume of which the class says something else by now. It holds no data: it never had a volume. */
export function isSuperseded({ metadata, spec, status }: VolumeClaim, { storage }: AtSignClassSpec): boolean {
  if (status?.phase !== "Pending" || spec?.volumeName !== undefined) return false;
  const template = metadata.annotations?.[templateAnnotation];
  return template !== undefined && template !== templateOf(storage);
}

function templateOf({ size, storageClassName }: AtSignClassSpec["storage"]): string {
  return createHash("sha256")
    .update(JSON.stringify([size, storageClassName]))
    .digest("hex")
    .slice(0, 16);
}
