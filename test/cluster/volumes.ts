import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "./program.ts";

interface Options {
  readonly binary: (name: string) => string;
  readonly directory: string;
  readonly kubeconfig: string;
  /** image with a shell, for the pods that make and remove directories */
  readonly helperImage: string;
  /** `kubectl apply` of objects */
  readonly apply: (...objects: object[]) => void;
}

const namespace = "local-path-storage";
const storageClass = "local-path";

/**
 * Volumes as directories of this machine, provisioned when a pod needs them. They are of the type `local`, so `fsGroup` holds
 * in them, and a restricted pod can write.
 */
export async function startProvisioner({
  binary,
  directory,
  kubeconfig,
  helperImage,
  apply,
}: Options): Promise<Program> {
  const volumes = join(directory, "volumes");
  mkdirSync(volumes, { recursive: true });
  const config = {
    nodePathMap: [{ node: "DEFAULT_PATH_FOR_NON_LISTED_NODES", paths: [volumes] }],
  };
  const helperPod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "helper-pod" },
    spec: {
      automountServiceAccountToken: false,
      containers: [{ name: "helper-pod", image: helperImage, imagePullPolicy: "IfNotPresent" }],
    },
  };
  apply(
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "local-path-provisioner-service-account", namespace },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "local-path-config", namespace },
      data: {
        "config.json": JSON.stringify(config),
        setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        "helperPod.yaml": JSON.stringify(helperPod),
      },
    },
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: {
        name: storageClass,
        annotations: { "storageclass.kubernetes.io/is-default-class": "true", defaultVolumeType: "local" },
      },
      provisioner: "rancher.io/local-path",
      volumeBindingMode: "WaitForFirstConsumer",
      reclaimPolicy: "Delete",
    },
  );
  const configFile = join(directory, "local-path.json");
  writeFileSync(configFile, JSON.stringify(config));
  return await startProgram({
    command: binary("local-path-provisioner"),
    args: [
      ...["start", "--config", configFile, "--kubeconfig", kubeconfig, "--namespace", namespace],
      ...["--helper-image", helperImage, "--configmap-name", "local-path-config"],
      ...["--service-account-name", "local-path-provisioner-service-account"],
    ],
    env: { POD_NAMESPACE: namespace },
    log: join(directory, "local-path-provisioner.log"),
    ready: () => true,
  });
}
