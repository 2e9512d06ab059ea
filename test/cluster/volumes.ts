import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Program, startProgram } from "./program.ts";

interface Options {
  readonly directory: string;
  readonly kubeconfig: string;
  /** `kubectl apply` of objects */
  readonly apply: (...objects: object[]) => void;
}

/** What storage classes name, whose volumes are directories of this machine. */
export const provisionerName = "atrium.dev/directory";

/**
 * Volumes as directories of this machine, provisioned when a pod needs them. They are of the type `local`, so `fsGroup` holds
 * in them, and a restricted pod can write.
 */
export async function startProvisioner({ directory, kubeconfig, apply }: Options): Promise<Program> {
  const volumes = join(directory, "volumes");
  mkdirSync(volumes, { recursive: true });
  apply({
    ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass" },
    metadata: { name: "directory", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    ...{ provisioner: provisionerName, volumeBindingMode: "WaitForFirstConsumer", reclaimPolicy: "Delete" },
  });
  return await startProgram({
    command: process.execPath,
    args: [fileURLToPath(new URL("provisioner.ts", import.meta.url)), volumes],
    env: { KUBECONFIG: kubeconfig },
    log: join(directory, "provisioner.log"),
    ready: () => true,
  });
}
