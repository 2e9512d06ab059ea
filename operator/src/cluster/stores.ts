import type { ApiClient, KubernetesObject } from "../controller/api.ts";
import { Reflector, type ReflectorOptions } from "../controller/reflector.ts";
import { ObjectStore } from "../controller/store.ts";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import { type AtSignClass, atSignClasses } from "../resources/at-sign-class.ts";
import {
  type Node,
  namespaces,
  nodes,
  type Pod,
  pods,
  trimNode,
  trimPod,
  trimVolumeClaim,
  type VolumeClaim,
  volumeClaims,
} from "./kubernetes-objects.ts";
import { atSignLabel, objectName, ownerAnnotation, ownerKeyOf } from "./names.ts";
import { type NetworkPolicy, networkPolicies, policySelector } from "./network-policies.ts";

/** What this replica sees of the cluster. */
export interface Stores {
  readonly atSigns: ObjectStore<AtSign>;
  readonly classes: ObjectStore<AtSignClass>;
  readonly pods: ObjectStore<Pod>;
  readonly volumeClaims: ObjectStore<VolumeClaim>;
  readonly nodes: ObjectStore<Node>;
  readonly namespaces: ObjectStore<KubernetesObject>;
  /** the operator's own; empty when it keeps none */
  readonly networkPolicies: ObjectStore<NetworkPolicy>;
}

export interface StoresListener {
  /** of one AtSign, by its key; `gone` is the object when it is no longer there */
  onAtSign(key: string, gone?: AtSign): void;
  /** of a class, or of a namespace that may use it */
  onClasses(): void;
  /** of the network policy of a namespace */
  onNetworkPolicy(namespace: string): void;
  /** a watch failed, and is begun anew */
  onError(error: unknown): void;
}

export interface OpenStores extends Stores, AsyncDisposable {
  /** rejects when it is disposed of before */
  readonly synced: Promise<unknown>;
}

/** Watches everything that AtSigns are made of. @param keepsPolicies whether network policies are kept too */
export function openStores(
  client: Pick<ApiClient, "request" | "stream">,
  listener: StoresListener,
  keepsPolicies: boolean,
): OpenStores {
  const stores: Stores = {
    atSigns: new ObjectStore<AtSign>({ atSign: ({ spec }) => [spec.atSign], namespace: namespaceOf }),
    classes: new ObjectStore<AtSignClass>(),
    pods: new ObjectStore<Pod>({
      owner: (pod) => [ownerKeyOf(pod) ?? ""],
      namespace: namespaceOf,
      node: ({ spec }) => (spec?.nodeName === undefined ? [] : [spec.nodeName]),
    }),
    volumeClaims: new ObjectStore<VolumeClaim>(),
    nodes: new ObjectStore<Node>(),
    namespaces: new ObjectStore<KubernetesObject>(),
    networkPolicies: new ObjectStore<NetworkPolicy>(),
  };
  const { onError } = listener;
  const reflect = <T extends KubernetesObject>(options: Omit<ReflectorOptions<T>, "client" | "onError">) =>
    new Reflector<T>({ ...options, client, onError });
  const reflectors = [
    reflect<AtSign>({
      ...{ resource: atSigns, store: stores.atSigns },
      onChange(key, now, before) {
        // Made anew under its name while nobody looked: the one that was there is gone all the same.
        const replaced = before !== undefined && now?.metadata.uid !== before.metadata.uid;
        listener.onAtSign(key, replaced ? before : undefined);
      },
    }),
    reflect<AtSignClass>({
      ...{ resource: atSignClasses, store: stores.classes },
      onChange: () => listener.onClasses(),
    }),
    reflect<Pod>({
      ...{ resource: pods, store: stores.pods, labelSelector: atSignLabel, trim: trimPod },
      onChange(_key, now, before) {
        const pod = now ?? before;
        const owner = pod && ownerKeyOf(pod);
        if (owner !== undefined) listener.onAtSign(owner);
      },
    }),
    reflect<VolumeClaim>({
      ...{ resource: volumeClaims, store: stores.volumeClaims, labelSelector: atSignLabel, trim: trimVolumeClaim },
      onChange(_key, now, before) {
        const key = keyOfVolumeClaim(now ?? before);
        if (key !== undefined) listener.onAtSign(key);
      },
    }),
    reflect<Node>({
      ...{ resource: nodes, store: stores.nodes, trim: trimNode },
      onChange(name, now, before) {
        if (isUnreachable(now) === isUnreachable(before)) return;
        for (const pod of stores.pods.find("node", name)) {
          const owner = ownerKeyOf(pod);
          if (owner !== undefined) listener.onAtSign(owner);
        }
      },
    }),
    reflect<KubernetesObject>({
      ...{ resource: namespaces, store: stores.namespaces },
      trim: ({ metadata: { name, uid, resourceVersion, labels, deletionTimestamp } }) =>
        ({ metadata: { name, uid, resourceVersion, labels, deletionTimestamp } }) as KubernetesObject,
      onChange(_name, now, before) {
        if (JSON.stringify(now?.metadata.labels) !== JSON.stringify(before?.metadata.labels)) listener.onClasses();
      },
    }),
    ...(keepsPolicies
      ? [
          reflect<NetworkPolicy>({
            ...{ resource: networkPolicies, store: stores.networkPolicies, labelSelector: policySelector },
            onChange: (key) => listener.onNetworkPolicy(key.slice(0, key.indexOf("/"))),
          }),
        ]
      : []),
  ];
  const synced = Promise.all(reflectors.map((reflector) => reflector.synced));
  // It may be that nobody waits for it.
  synced.catch(() => undefined);
  return {
    ...stores,
    synced,
    async [Symbol.asyncDispose]() {
      await Promise.all(reflectors.map((reflector) => reflector[Symbol.asyncDispose]()));
    },
  };
}

function namespaceOf({ metadata: { namespace = "" } }: KubernetesObject): readonly string[] {
  return [namespace];
}

/** @returns the key of the AtSign whose data it has */
export function keyOfVolumeClaim(claim: VolumeClaim | undefined): string | undefined {
  const owner = claim?.metadata.annotations?.[ownerAnnotation];
  return owner === undefined ? undefined : `${claim?.metadata.namespace}/${owner}`;
}

export function podFor({ pods }: Pick<Stores, "pods">, key: string): Pod | undefined {
  // Only the pod of the fixed name: others of an owner's name are not ours.
  const found = pods.find("owner", key);
  return found.find((pod) => pod.metadata.name === objectName(key.slice(key.indexOf("/") + 1), "atserver"));
}

export function volumeClaimFor({ volumeClaims }: Stores, key: string): VolumeClaim | undefined {
  const [namespace = "", name = ""] = key.split("/");
  return volumeClaims.get(`${namespace}/${objectName(name, "data")}`);
}

/** Its kubelet does not report any more: whether its pods run, nobody can say. */
export function isUnreachable(node: Node | undefined): boolean {
  return node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "Unknown") ?? false;
}
