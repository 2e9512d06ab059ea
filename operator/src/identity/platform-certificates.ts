import { once } from "node:events";
import { backoffMs } from "@atrium/runtime/backoff.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { type ApiClient, ApiError, type KubernetesObject, pathOf, type Resource } from "../controller/api.ts";
import { bounded } from "../controller/bounded.ts";
import { type Term, TermOverError } from "../controller/term.ts";
import { Writer } from "../controller/writer.ts";
import { entriesOf, nextStep, type Step } from "./ca-change.ts";
import { base64, type CaEntries, type Secret, secrets, withEntries } from "./ca-secret.ts";
import { type CertificateAuthority, createRoot, leafLifeMs, platformLifeMs } from "./certificate-authority.ts";
import { faultFor } from "./fitness.ts";
import { isGoodLeaf } from "./leaf.ts";
import { caPath, type PlatformCa } from "./platform-ca.ts";

interface Lives {
  /** of the certificates of atServers: so long a change of the CA waits, twice */
  readonly atServerMs: number;
  /** of the certificates of the platform's parts */
  readonly platformMs: number;
  /** how long before its end a root is replaced */
  readonly rootMarginMs: number;
  /** for what was known to others before they learnt better: replicas of the operator, kubelets */
  readonly slackMs: number;
}

interface Options {
  readonly client: Pick<ApiClient, "request">;
  /** of the release */
  readonly namespace: string;
  readonly ca: PlatformCa;
  /** names of the public directory */
  readonly directoryHosts: readonly string[];
  readonly log: Log;
  readonly term: Term;
  readonly lives?: Lives;
  /** between two looks at everything */
  readonly checkMs?: number;
  /** epoch milliseconds */
  readonly now?: () => number;
}

const yearMs = 365 * 86_400_000;

const defaultLives: Lives = {
  atServerMs: leafLifeMs,
  platformMs: platformLifeMs,
  rootMarginMs: yearMs,
  slackMs: 15 * 60_000,
};

const directoryName = "directory.atrium.internal";
const configMaps: Resource = { group: "", version: "v1", plural: "configmaps" };

/**
 * The leader's part: keeps the Secrets with which gateway and directory show who they are, and the bundle for clients; and
 * changes the CA when there is need, or a next root was put into its Secret.
 *
 * @returns when the term shall end
 */
export async function keepPlatformCertificates(options: Options): Promise<void> {
  const { ca, log, term, checkMs = 60_000 } = options;
  const keeper = new Keeper(options);
  let failures = 0;
  while (!term.signal.aborted) {
    try {
      await keeper.look();
      failures = 0;
    } catch (error) {
      if (error instanceof TermOverError) return;
      log.error({ err: error }, "the platform's certificates could not be kept");
      failures++;
    }
    const pauseMs = failures === 0 ? checkMs : backoffMs(failures, { minMs: 500, maxMs: checkMs });
    await changeOrPause(ca, pauseMs, term.signal);
  }
}

/** @returns after the pause, and earlier when the CA has changed or the term shall end */
async function changeOrPause(ca: PlatformCa, pauseMs: number, ending: AbortSignal): Promise<void> {
  using bound = bounded([ending]);
  const timer = setTimeout(() => bound.abort(new Error("time is over")), pauseMs);
  const unsubscribe = ca.onChange(() => bound.abort(new Error("the CA has changed")));
  if (!bound.signal.aborted) await once(bound.signal, "abort");
  clearTimeout(timer);
  unsubscribe();
}

/** What a part of the platform shows. */
interface Part {
  readonly secret: string;
  readonly dnsNames: readonly string[];
  readonly client: boolean;
}

class Keeper {
  readonly #options: Options;
  readonly #lives: Lives;
  readonly #writer: Writer;
  readonly #now: () => number;
  /** what was found out of names, by root and name */
  readonly #faults = new Map<string, string | undefined>();
  #problem: string | undefined;

  constructor(options: Options) {
    const { client, term, lives = defaultLives, now = Date.now } = options;
    this.#options = options;
    this.#lives = lives;
    this.#now = now;
    this.#writer = new Writer({ client, term });
  }

  async look(): Promise<void> {
    const { ca } = this.#options;
    await ca.refresh();
    // First what is written from what is known, and only then the step that counts on it.
    for (const part of this.#parts()) await this.#keepSecret(part);
    await this.#keepBundle();
    await this.#stepOn();
  }

  #parts(): Part[] {
    const { directoryHosts } = this.#options;
    const serving = [...new Set([directoryName, ...directoryHosts])];
    return [
      { secret: "atrium-gateway-tls", dnsNames: ["gateway.atrium.internal"], client: true },
      { secret: "atrium-directory-tls", dnsNames: [directoryName], client: false },
      { secret: "atrium-directory-serving-tls", dnsNames: serving, client: false },
    ];
  }

  async #keepSecret({ secret: name, dnsNames, client }: Part): Promise<void> {
    const { namespace, ca, log } = this.#options;
    const { authority, trust } = ca;
    const covered = await this.#covered(authority, dnsNames);
    if (covered.length === 0) throw new Error(`the platform's CA cannot speak for ${dnsNames.join(", ")}`);
    const request = { dnsNames: covered, client, lifeMs: this.#lives.platformMs };
    const found = await this.#read<Secret>(secrets, name);
    const text = (key: string) => Buffer.from(found?.data?.[key] ?? "", "base64").toString("utf8");
    const pair = { certificate: text("certificate.pem"), key: text("key.pem") };
    const good = isGoodLeaf(pair, authority.certificate, request, this.#now());
    if (good && text("trust.pem") === trust) return;
    // With a certificate that is good yet, only the trust is new.
    const { certificate, key } = good ? pair : await authority.issue(request, this.#now());
    const data = { "certificate.pem": base64(certificate), "key.pem": base64(key), "trust.pem": base64(trust) };
    const object = { apiVersion: "v1", kind: "Secret", metadata: { namespace, name }, type: "Opaque", data };
    await this.#writer.apply(secrets, object);
    log.info({ secret: name, dnsNames: covered, issued: !good }, "certificate written");
  }

  /** The roots, for clients. */
  async #keepBundle(): Promise<void> {
    const { namespace, ca } = this.#options;
    const name = "atrium-trust";
    const data = { "ca.crt": ca.trust };
    const found = await this.#read<KubernetesObject & { data?: Record<string, string> }>(configMaps, name);
    if (found?.data?.["ca.crt"] === ca.trust) return;
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data };
    await this.#writer.apply(configMaps, object);
  }

  async #stepOn(): Promise<void> {
    const { ca, log } = this.#options;
    const { content } = ca.seen;
    const { current, next } = content;
    const need = await this.#needOf(current);
    const nextFault = next && (await this.#faultOf(next));
    this.#tell(nextFault === undefined ? (content.ownMade ? undefined : need) : `the next root: ${nextFault}`);
    const waitMs = this.#lives.atServerMs + this.#lives.slackMs;
    const step = nextStep(content, { now: this.#now(), waitMs, need, nextFault });
    if (step === undefined) return;
    await this.#write(step);
    log.info({ step: step.do, because: "because" in step ? step.because : undefined }, "the platform's CA changes");
    await ca.refresh();
  }

  async #write(step: Step): Promise<void> {
    const { client, namespace, ca, term } = this.#options;
    const { secret } = ca.seen;
    const since = step.do === "wait" ? this.#now() : undefined;
    const body = withEntries(secret, await this.#entriesOf(step, secret), since);
    // With the version that was read: who has changed it meanwhile is looked at first.
    await client.request({ method: "PUT", path: caPath(namespace), body, term });
  }

  async #entriesOf(step: Step, secret: Secret): Promise<CaEntries> {
    if (step.do === "wait") return {};
    if (step.do !== "announce") return entriesOf(step.do, secret.data ?? {});
    const root = await createRoot(this.#options.ca.names, this.#now());
    return { "next.crt": base64(root.certificate), "next.key": base64(root.key) };
  }

  /** @returns why a root should be replaced */
  async #needOf(authority: CertificateAuthority): Promise<string | undefined> {
    const { expiresAtMs } = authority;
    if (expiresAtMs - this.#now() < this.#lives.rootMarginMs) {
      return `the root ends at ${new Date(expiresAtMs).toISOString()}`;
    }
    return await this.#faultOf(authority);
  }

  /** @returns why a root cannot issue for all names */
  async #faultOf(authority: CertificateAuthority): Promise<string | undefined> {
    for (const name of this.#options.ca.names) {
      const fault = await this.#knownFault(authority, name);
      if (fault !== undefined) return `it cannot speak for ${name}: ${fault}`;
    }
    return undefined;
  }

  /** One name that the root may not speak for would make the whole certificate useless. */
  async #covered(authority: CertificateAuthority, names: readonly string[]): Promise<string[]> {
    const covered = [];
    for (const name of names) {
      if ((await this.#knownFault(authority, name)) === undefined) covered.push(name);
    }
    return covered;
  }

  async #knownFault(authority: CertificateAuthority, name: string): Promise<string | undefined> {
    const key = `${name} ${authority.certificate}`;
    if (!this.#faults.has(key)) this.#faults.set(key, await faultFor(name, authority));
    return this.#faults.get(key);
  }

  #tell(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem) {
      this.#options.log.error({ problem }, "the platform's CA needs a new root, which only who brought it can make");
    }
    this.#problem = problem;
  }

  /** @returns undefined when there is none */
  async #read<T>(resource: Resource, name: string): Promise<T | undefined> {
    const { client, namespace } = this.#options;
    try {
      return await client.request<T>({ method: "GET", path: pathOf(resource, { namespace, name }) });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }
}
