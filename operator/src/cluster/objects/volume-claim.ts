import type { Applied } from "../../controller/writer.ts";
import type { AtSign } from "../../resources/at-sign.ts";
import type { AtSignClassSpec } from "../../resources/at-sign-class.ts";
import { labelsOf, nameAnnotation, objectName, ownerAnnotation } from "../names.ts";

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
      annotations: { [ownerAnnotation]: name, [nameAnnotation]: spec.atSign },
    },
    spec: {
      accessModes: ["ReadWriteOncePod"],
      resources: { requests: { storage: storage.size } },
      ...(storage.storageClassName !== undefined && { storageClassName: storage.storageClassName }),
    },
  };
  return claim;
}
