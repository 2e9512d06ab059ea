/**
 * `node provisioner.ts DIRECTORY`, with KUBECONFIG: makes a volume for every claim that names {@link provisionerName}, as a
 * directory of this machine below DIRECTORY, and removes it when its claim is gone and its policy is Delete. It does so
 * itself, at once, and not by a pod for each as provisioners of clusters have to.
 *
 * @see https://github.com/kubernetes/design-proposals-archive/blob/main/storage/container-storage-interface.md and the
 * package documentation of sig-storage-lib-external-provisioner, for what a provisioner and Kubernetes expect of each other
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import {
  ApiException,
  CoreV1Api,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  StorageV1Api,
  type V1PersistentVolume,
  type V1PersistentVolumeClaim,
} from "@kubernetes/client-node";
import { provisionerName } from "./volumes.ts";

const [directory, kubeconfig] = [process.argv[2], process.env.KUBECONFIG];
if (directory === undefined || kubeconfig === undefined)
  throw new Error("KUBECONFIG=FILE node provisioner.ts DIRECTORY");

const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const storage = config.makeApiClient(StorageV1Api);

/** by UID of claims, and names of volumes */
const underWay = new Set<string>();

async function provision({ metadata, spec, status }: V1PersistentVolumeClaim): Promise<void> {
  const { name, namespace, uid = "", annotations = {} } = metadata ?? {};
  const node = annotations["volume.kubernetes.io/selected-node"];
  const asked = annotations["volume.kubernetes.io/storage-provisioner"] === provisionerName;
  const { storageClassName = "", accessModes, resources, volumeName = "" } = spec ?? {};
  if (!asked || node === undefined || status?.phase !== "Pending" || volumeName !== "") return;
  await once(uid, `a volume for ${namespace}/${name}`, async () => {
    const { reclaimPolicy = "Delete" } = await storage.readStorageClass({ name: storageClassName });
    const path = join(directory ?? "", `pvc-${uid}`);
    mkdirSync(path, { recursive: true });
    // Whoever the pod runs as; `fsGroup` sees to the rest.
    chmodSync(path, 0o777);
    const volume: V1PersistentVolume = {
      metadata: { name: `pvc-${uid}`, annotations: { "pv.kubernetes.io/provisioned-by": provisionerName } },
      spec: {
        ...{ storageClassName, persistentVolumeReclaimPolicy: reclaimPolicy, local: { path } },
        ...(accessModes && { accessModes }),
        ...(resources?.requests && { capacity: resources.requests }),
        claimRef: {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          name: name ?? "",
          namespace: namespace ?? "",
          uid,
        },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
            ],
          },
        },
      },
    };
    await unless(409, core.createPersistentVolume({ body: volume }));
  });
}

async function remove({ metadata, spec, status }: V1PersistentVolume): Promise<void> {
  const { name = "", annotations = {} } = metadata ?? {};
  const path = spec?.local?.path;
  const ours = annotations["pv.kubernetes.io/provisioned-by"] === provisionerName && path !== undefined;
  if (!ours || status?.phase !== "Released" || spec?.persistentVolumeReclaimPolicy !== "Delete") return;
  await once(name, `the removal of ${name}`, async () => {
    rmSync(path, { recursive: true, force: true });
    await unless(404, core.deletePersistentVolume({ name }));
  });
}

/** Tries until it succeeds, unless somebody does already. */
async function once(key: string, what: string, work: () => Promise<void>): Promise<void> {
  if (underWay.has(key)) return;
  underWay.add(key);
  for (let attempt = 0; ; attempt++) {
    try {
      await work();
      break;
    } catch (error) {
      await failed(what, error, attempt);
    }
  }
  underWay.delete(key);
  process.stdout.write(`${what}: done\n`);
}

/** What was already done is done. */
async function unless(code: number, call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!(error instanceof ApiException && error.code === code)) throw error;
  });
}

async function failed(what: string, error: unknown, attempt: number): Promise<void> {
  process.stderr.write(`${what}: ${error instanceof Error ? error.message : error}\n`);
  await delay(backoffMs(attempt, { minMs: 200, maxMs: 5_000 }));
}

function watch<T extends KubernetesObject>(
  path: string,
  list: () => Promise<KubernetesListObject<T>>,
  onSeen: (object: T) => Promise<void>,
): void {
  const informer = makeInformer(config, path, list);
  let attempt = 0;
  const start = async () => {
    try {
      await informer.start();
      attempt = 0;
    } catch (error) {
      await again(error);
    }
  };
  const again = async (error: unknown) => {
    await failed(path, error, attempt++);
    await start();
  };
  informer.on("add", (object) => void onSeen(object));
  informer.on("update", (object) => void onSeen(object));
  informer.on("error", (error) => void again(error));
  void start();
}

watch("/api/v1/persistentvolumeclaims", () => core.listPersistentVolumeClaimForAllNamespaces(), provision);
watch("/api/v1/persistentvolumes", () => core.listPersistentVolume(), remove);
