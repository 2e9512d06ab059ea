import { createPrivateKey, createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiClient, type KubernetesObject, pathOf, type Resource } from "../../controller/api.ts";
import type { TestControlPlane } from "../../controller/testing/control-plane.ts";
import { type AtSign, type AtSignStatus, atSigns } from "../../resources/at-sign.ts";
import { base64, secrets } from "../ca-secret.ts";
import { audience } from "../pod-identity.ts";

const core = (plural: string): Resource => ({ group: "", version: "v1", plural });
const pods = core("pods");
const namespaces = core("namespaces");
const serviceAccounts = core("serviceaccounts");

interface Pod extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly uid: string };
}

type Created = Pick<KubernetesObject, "metadata"> & Readonly<Record<string, unknown>>;

export const epoch = 1_795_413_600_123;

/** A namespace with AtSigns and pods as objects: nothing runs. */
export class TestTenant {
  readonly namespace: string;
  readonly #plane: TestControlPlane;
  readonly #admin: ApiClient;

  static async open(plane: TestControlPlane, namespace: string): Promise<TestTenant> {
    const tenant = new TestTenant(plane, namespace);
    await tenant.#create(namespaces, { metadata: { name: namespace } });
    // No controller makes it here.
    await tenant.#create(serviceAccounts, { metadata: { namespace, name: "default" } });
    return tenant;
  }

  private constructor(plane: TestControlPlane, namespace: string) {
    this.namespace = namespace;
    this.#plane = plane;
    this.#admin = plane.client();
  }

  /** An AtSign that a pod serves, with its activation secret: as the operator leaves them. */
  async serving(name: string) {
    const host = `${name}.at.test`;
    const atSign = await this.atSign(name);
    const pod = await this.pod(`${name}-atserver`, atSign);
    const activationSecret = `${name}-activation`;
    await this.secret(activationSecret, `secret of ${name}`);
    const status = {
      host,
      port: 443,
      epoch,
      pod: { name: pod.metadata.name, uid: pod.metadata.uid },
      activationSecret,
    };
    return { atSign: await this.setStatus(name, status), pod, token: await this.token(pod), host };
  }

  async atSign(name: string, spec: object = {}): Promise<AtSign> {
    const metadata = { namespace: this.namespace, name };
    const body = { apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", metadata, spec: { atSign: `@${name}`, ...spec } };
    return await this.#create(atSigns, body);
  }

  /** @param status replaces what is there */
  async setStatus(name: string, status: AtSignStatus): Promise<AtSign> {
    const found = await this.readAtSign(name);
    const path = pathOf(atSigns, { namespace: this.namespace, name, subresource: "status" });
    return await this.#admin.request<AtSign>({ method: "PUT", path, body: { ...found, status } });
  }

  readAtSign(name: string): Promise<AtSign> {
    return this.#admin.request<AtSign>({ method: "GET", path: pathOf(atSigns, { namespace: this.namespace, name }) });
  }

  /** On a node that is not there, so that it is deleted as slowly as one that runs. */
  async pod(name: string, owner?: KubernetesObject): Promise<Pod> {
    const { uid = "", name: ownerName } = owner?.metadata ?? { name: "" };
    const reference = { apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", name: ownerName, uid, controller: true };
    return await this.#create<Pod>(pods, {
      metadata: {
        namespace: this.namespace,
        name,
        labels: { "atrium.dev/atsign": ownerName },
        ...(owner && { ownerReferences: [reference] }),
      },
      spec: { nodeName: "nowhere", containers: [{ name: "atserver", image: "none" }] },
    });
  }

  async deletePod({ metadata: { name } }: Pod, gracePeriodSeconds: number): Promise<void> {
    const path = pathOf(pods, { namespace: this.namespace, name });
    await this.#admin.request({ method: "DELETE", path, body: { gracePeriodSeconds } });
  }

  async secret(name: string, text: string): Promise<void> {
    await this.#create(secrets, { metadata: { namespace: this.namespace, name }, data: { secret: base64(text) } });
  }

  async hasSecret(name: string): Promise<boolean> {
    const path = pathOf(secrets, { namespace: this.namespace });
    const { items } = await this.#admin.request<{ items: KubernetesObject[] }>({ method: "GET", path });
    return items.some(({ metadata }) => metadata.name === name);
  }

  /** What the kubelet puts into a pod. */
  async token({ metadata: { name, uid } }: Pod, to = audience): Promise<string> {
    const boundObjectRef = { apiVersion: "v1", kind: "Pod", name, uid };
    return await this.#requestToken({ audiences: [to], boundObjectRef });
  }

  /** Of the service account, and of no pod. */
  async tokenOfNoPod(): Promise<string> {
    return await this.#requestToken({ audiences: [audience] });
  }

  async #requestToken(spec: object): Promise<string> {
    const of = { namespace: this.namespace, name: "default", subresource: "token" };
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
    const path = pathOf(serviceAccounts, of);
    return (await this.#admin.request<{ status: { token: string } }>({ method: "POST", path, body })).status.token;
  }

  /** The same token, as it were had it been made earlier: signed anew, with the API server's key. */
  madeEarlier(token: string, seconds: number): string {
    const [header = "", payload = ""] = token.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    const times = { iat: claims.iat - seconds, nbf: claims.nbf - seconds, exp: claims.exp - seconds };
    const signed = `${header}.${Buffer.from(JSON.stringify({ ...claims, ...times })).toString("base64url")}`;
    const key = createPrivateKey(readFileSync(join(this.#plane.directory, "service-accounts.key")));
    return `${signed}.${createSign("sha256").update(signed).sign(key).toString("base64url")}`;
  }

  #create<T extends KubernetesObject>(resource: Resource, body: Created): Promise<T> {
    const { namespace } = body.metadata;
    return this.#admin.request<T>({ method: "POST", path: pathOf(resource, { namespace }), body });
  }
}
