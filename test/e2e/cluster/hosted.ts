import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type AtKeys, activate, Client, parseAtSign } from "@atrium/sdk";
import { type Cluster, startCluster } from "../../cluster/cluster.ts";
import { platformImages } from "../../cluster/images.ts";
import { type InstalledPlatform, installPlatform } from "../../cluster/platform.ts";

export interface AtSignObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly status?: {
    readonly host?: string;
    readonly epoch?: number;
    readonly pod?: { readonly name: string; readonly uid: string };
    readonly activationSecret?: string;
    readonly conditions?: readonly { type: string; status: string; reason: string; message?: string }[];
  };
}

/** A platform in a cluster, and what a person does with it: `kubectl` on one side, clients on the other. */
export class Hosting implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly platform: InstalledPlatform;
  readonly #keys = new Map<string, AtKeys>();
  readonly #home = mkdtempSync(join(tmpdir(), "atrium-hosted-"));

  /** @param managerFlags of kube-controller-manager */
  static async start(say: (progress: string) => void, managerFlags: readonly string[] = []): Promise<Hosting> {
    const images = await platformImages(say);
    const cluster = await startCluster({ images, managerFlags, say });
    try {
      return new Hosting(cluster, await installPlatform(cluster, { images, zone: "at.example.org", say }));
    } catch (error) {
      say(`the logs are in ${cluster.keepLogs()}`);
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(cluster: Cluster, platform: InstalledPlatform) {
    this.cluster = cluster;
    this.platform = platform;
  }

  /** Makes the namespace, if it is not there. */
  namespace(name: string): void {
    this.cluster.apply({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
  }

  apply(namespace: string, atSign: string, spec: object = {}): void {
    this.cluster.apply(manifest(namespace, atSign, spec));
  }

  get(namespace: string, atSign: string): AtSignObject {
    return JSON.parse(this.cluster.kubectl(...getAtSign(namespace, atSign)));
  }

  /** Waits until its condition has this reason. @throws {Error} with all that it says of itself */
  until(
    namespace: string,
    atSign: string,
    condition: string,
    reason: string,
    withinMs?: number,
  ): Promise<AtSignObject> {
    const has = (object: AtSignObject) => conditionOf(object, condition)?.reason === reason;
    return this.untilSeen(namespace, atSign, has, `${condition} ${reason}`, withinMs);
  }

  /** @throws {Error} with all that it says of itself */
  async untilSeen(
    namespace: string,
    atSign: string,
    test: (object: AtSignObject) => boolean,
    what: string,
    withinMs = 60_000,
  ): Promise<AtSignObject> {
    let object = this.get(namespace, atSign);
    await eventually(`${atSign} is ${what}`, withinMs, async () => {
      // Others can do things meanwhile.
      object = JSON.parse(await this.cluster.kubectlWaits(...getAtSign(namespace, atSign)));
      return test(object);
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(object.status, undefined, 1)}`);
    });
    return object;
  }

  /** As `kubectl drain` does it with each pod. */
  evict(namespace: string, pod: string): void {
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod, namespace } };
    this.create(eviction, "--raw", `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`);
  }

  /** `kubectl create` of an object. @throws {Error} with the API server's words when it is refused */
  create(object: object, ...flags: readonly string[]): void {
    const file = join(this.#home, "object.json");
    writeFileSync(file, JSON.stringify(object));
    this.cluster.kubectl("create", "-f", file, ...flags);
  }

  /** As an owner does it, with the secret that Kubernetes has for them. */
  async activate(namespace: string, name: string): Promise<void> {
    const { status } = await this.until(namespace, name, "Ready", "Serving");
    const encoded = this.cluster.kubectl(
      ...["-n", namespace, "get", "secret", status?.activationSecret ?? "", "-o", "jsonpath={.data.secret}"],
    );
    const secret = Buffer.from(encoded, "base64").toString();
    const keyFile = join(this.#home, `${name}_key.atKeys`);
    this.#keys.set(name, await activate({ atSign: parseAtSign(name), platform: this.platform, secret, keyFile }));
  }

  /** @param gateway where to dial; the platform's without it */
  client(name: string, gateway = this.platform.gateway): Promise<Client> {
    const keys = this.#keys.get(name);
    if (keys === undefined) throw new Error(`${name} is not activated`);
    return Client.open({ atSign: parseAtSign(name), platform: { ...this.platform, gateway }, keys });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#home, { recursive: true, force: true });
    await this.cluster[Symbol.asyncDispose]();
  }
}

function getAtSign(namespace: string, atSign: string): string[] {
  return ["-n", namespace, "get", "atsign", atSign.slice(1), "-o", "json"];
}

export function manifest(namespace: string, atSign: string, spec: object = {}): object {
  return {
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSign",
    metadata: { name: atSign.slice(1), namespace },
    spec: { atSign, ...spec },
  };
}

export function conditionOf({ status }: AtSignObject, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

/** @throws {Error} when it does not come true in time */
export async function eventually(
  what: string,
  withinMs: number,
  test: () => boolean | Promise<boolean>,
): Promise<void> {
  for (const deadline = performance.now() + withinMs; !(await test()); await delay(100)) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs / 1_000} s: ${what}`);
  }
}
