import { randomBytes } from "node:crypto";
import type { Applied } from "../../controller/writer.ts";
import type { AtSign } from "../../resources/at-sign.ts";
import { labelsOf, objectName } from "../names.ts";

/** With which the owner activates the Atsign; goes with the AtSign, or once that is done. */
export function activationSecretOf({ metadata: { name, namespace, uid = "" } }: AtSign): Applied {
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: objectName(name, "activation"),
      ...(namespace !== undefined && { namespace }),
      labels: labelsOf(name),
      ownerReferences: [{ apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", name, uid }],
    },
    type: "Opaque",
    data: { secret: Buffer.from(randomBytes(64).toString("hex")).toString("base64") },
  };
  return secret;
}
