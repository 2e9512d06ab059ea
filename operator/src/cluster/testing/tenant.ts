import { pathOf } from "../../controller/api.ts";
import { type AtSign, atSigns } from "../../resources/at-sign.ts";
import { type Pod, pods, type VolumeClaim, volumeClaims, volumes } from "../kubernetes-objects.ts";
import {
  applyAtSign,
  type Cell,
  list,
  makeNamespace,
  makeReady,
  patch,
  patchStatus,
  read,
  remove,
  told,
  until,
} from "./cell.ts";

let count = 0;

/** A namespace of a test's own, and what a user, a kubelet and a volume controller do in it. */
export type Tenant = Awaited<ReturnType<typeof newTenant>>;

export async function newTenant(cell: Cell) {
  const { client } = cell;
  const namespace = `tenant-${count++}`;
  await makeNamespace(client, namespace);
  // Names are taken for as long as somebody's data is retained: each test has its own.
  const inDirectory = (name: string) => `${name}-${namespace}`;
  const atSignOf = (name: string) => `@${inDirectory(name)}` as AtSign["spec"]["atSign"];
  const atSign = (name: string, of = namespace) => read<AtSign>(client, atSigns, { namespace: of, name });
  const pod = (name: string, of = namespace) => read<Pod>(client, pods, { namespace: of, name: `${name}-atserver` });
  const claim = (name: string) => read<VolumeClaim>(client, volumeClaims, { namespace, name: `${name}-data` });

  const becomes = (name: string, type: string, what: string, of = namespace) =>
    until(
      () => atSign(name, of),
      (seen) => told(seen, type) === what,
    );

  /** Waits for the pod that the status names. */
  const started = async (name: string, { of = namespace, after }: Which = {}): Promise<Pod> => {
    const found = await until(
      async () => ({ pod: await pod(name, of), atSign: await atSign(name, of) }),
      ({ pod: seen, atSign: named }) =>
        seen !== undefined && seen.metadata.uid !== after && named?.status?.pod?.uid === seen.metadata.uid,
    );
    return found.pod as Pod;
  };

  const serving = async (name: string, which: Which = {}): Promise<Pod> => {
    const found = await started(name, which);
    await makeReady(client, found);
    await becomes(name, "Ready", "True:Serving", which.of);
    return found;
  };

  const setContainer = async ({ metadata: { name } }: Pod, of: object): Promise<void> => {
    const container = { name: "atserver", image: "", imageID: "", ready: false, restartCount: 0, ...of };
    await patchStatus(client, pods, { namespace, name }, { phase: "Pending", containerStatuses: [container] });
  };

  return {
    ...{ namespace, inDirectory, atSignOf, atSign, pod, claim, becomes, started, serving, setContainer },

    apply: (name: string, spec: Partial<AtSign["spec"]> = {}, annotations: Annotations = {}, of = namespace) =>
      applyAtSign(client, of, name, { atSign: atSignOf(name), ...spec }, annotations),

    /** As a volume controller does. @returns the name of the volume */
    async bind(name: string): Promise<string> {
      const found = (await until(
        () => claim(name),
        (seen) => seen !== undefined,
      )) as VolumeClaim;
      const volume = `volume-${found.metadata.uid}`;
      const spec = {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOncePod"],
        persistentVolumeReclaimPolicy: "Delete",
        claimRef: {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          namespace,
          name: found.metadata.name,
          uid: found.metadata.uid,
        },
        hostPath: { path: "/nowhere" },
      };
      const body = { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: volume }, spec };
      await client.request({ method: "POST", path: pathOf(volumes), body });
      await patch(client, volumeClaims, found, { spec: { volumeName: volume } });
      await patchStatus(client, volumeClaims, { namespace, name: found.metadata.name }, { phase: "Bound" });
      return volume;
    },

    /** As a kubelet that has started it twice in vain. */
    async crashes(of: Pod, end: { exitCode: number; reason: string }): Promise<void> {
      const finishedAt = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      await setContainer(of, {
        state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } },
        lastState: { terminated: { ...end, startedAt: finishedAt, finishedAt } },
        restartCount: 1,
      });
    },

    async setReady({ metadata: { name } }: Pod, status: "True" | "False"): Promise<void> {
      await patchStatus(client, pods, { namespace, name }, { conditions: [{ type: "Ready", status }] });
    },
  };
}

interface Which {
  /** the namespace, when it is not the tenant's own */
  readonly of?: string;
  /** UID of the pod before */
  readonly after?: string | undefined;
}

type Annotations = Readonly<Record<string, string>>;

/** Deletes every AtSign, and waits until nothing is left that runs. */
export async function clear({ client }: Cell): Promise<void> {
  for (const { metadata } of await list<AtSign>(client, atSigns)) {
    const { name, namespace = "" } = metadata;
    if (metadata.deletionTimestamp === undefined) await remove(client, atSigns, { namespace, name });
  }
  const isEmpty = (left: readonly unknown[]) => left.length === 0;
  await until(() => list<AtSign>(client, atSigns), isEmpty);
  await until(() => list<Pod>(client, pods), isEmpty);
}

export function messageOf(of: AtSign | undefined, type: string): string {
  return of?.status?.conditions?.find((condition) => condition.type === type)?.message ?? "";
}
