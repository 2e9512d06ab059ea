import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "../../cluster/ports.ts";
import type { Resources } from "../resources.ts";
import { bundleOf } from "../servers/bundle.ts";
import { addressOf, type Running, startOurs } from "../servers/process.ts";
import type { KubernetesObject } from "./api.ts";
import { zone } from "./objects.ts";
import { release, type SimulatedCluster } from "./simulated-cluster.ts";

export interface Operator extends Running {
  metric(name: string): Promise<number>;
}

export interface Gateway extends Running {
  /** how many routes it knows now */
  routes(): Promise<number>;
}

/** The parts of Atrium's own that a simulated cluster needs: their places are known before any of them runs. */
export class Platform {
  readonly #resources: Resources;
  readonly #cluster: SimulatedCluster;
  readonly #ports: Readonly<Record<"identity" | "routes" | "admin", number>>;

  static async open(resources: Resources, cluster: SimulatedCluster): Promise<Platform> {
    const [identity = 0, routes = 0, admin = 0] = await freePorts(3);
    return new Platform(resources, cluster, { identity, routes, admin });
  }

  private constructor(
    resources: Resources,
    cluster: SimulatedCluster,
    ports: Readonly<Record<"identity" | "routes" | "admin", number>>,
  ) {
    this.#resources = resources;
    this.#cluster = cluster;
    this.#ports = ports;
  }

  get routesUrl(): string {
    return `https://127.0.0.1:${this.#ports.routes}/v1/routes`;
  }

  /** One replica, as its image runs it. It lives until it is disposed of. */
  async startOperator(): Promise<Operator> {
    const { identity, routes, admin } = this.#ports;
    const running = await startOurs({
      name: "operator",
      command: process.execPath,
      args: ["--disable-warning=ExperimentalWarning", bundleOf("operator")],
      env: {
        KUBECONFIG: this.#cluster.plane.kubeconfig,
        OPERATOR_ZONE: zone,
        OPERATOR_NAMESPACE: release,
        OPERATOR_POD_NAME: "bench",
        OPERATOR_DIRECTORY: `127.0.0.1:${admin}`,
        OPERATOR_ATSERVER_DIRECTORY: "atrium-directory.atrium-system.svc:64",
        OPERATOR_INTERNAL_GATEWAY: "atrium-gateway-internal.atrium-system.svc:6464",
        OPERATOR_ATSERVER_IMAGE: "registry.atrium.dev/atrium-atserver:bench",
        OPERATOR_IDENTITY_URL: "https://atrium-operator.atrium-system.svc:8443",
        OPERATOR_IDENTITY_LISTEN: `127.0.0.1:${identity}`,
        OPERATOR_ROUTES_LISTEN: `127.0.0.1:${routes}`,
        OPERATOR_HEALTH_LISTEN: "127.0.0.1:0",
        OPERATOR_LOG_LEVEL: "warn",
      },
    });
    const health = `http://127.0.0.1:${addressOf(running.addresses, "health").port}/metrics`;
    return { ...running, metric: (name) => metricOf(health, name) };
  }

  /** With a registry in memory: nothing of Redis is measured. */
  async startDirectory(): Promise<void> {
    const tls = await this.#secretDirectory("atrium-directory-serving-tls");
    const directory = await startOurs({
      name: "directory",
      command: process.execPath,
      args: [bundleOf("directory")],
      env: {
        DIRECTORY_LISTEN: "127.0.0.1:0",
        DIRECTORY_TLS: tls,
        DIRECTORY_ADMIN_LISTEN: `127.0.0.1:${this.#ports.admin}`,
        DIRECTORY_ADMIN_CA: join(tls, "trust.pem"),
        DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
        DIRECTORY_REGISTRY: "memory:",
        DIRECTORY_CELLS: "main",
        DIRECTORY_LOG_LEVEL: "warn",
      },
    });
    this.#resources.use(directory);
  }

  async startGateway(): Promise<Gateway> {
    const gateway = await startOurs({
      name: "gateway",
      command: process.execPath,
      args: [bundleOf("gateway")],
      env: {
        GATEWAY_LISTEN: "127.0.0.1:0",
        GATEWAY_HEALTH_LISTEN: "127.0.0.1:0",
        GATEWAY_ROUTES: this.routesUrl,
        GATEWAY_TLS: await this.#secretDirectory("atrium-gateway-tls"),
        GATEWAY_LOG_LEVEL: "warn",
      },
    });
    const health = `http://127.0.0.1:${addressOf(gateway.addresses, "health").port}/metrics`;
    return { ...this.#resources.use(gateway), routes: () => metricOf(health, "gateway_routes") };
  }

  /** As a gateway has it. */
  async gatewayIdentity(): Promise<{ cert: string; key: string; ca: string }> {
    const directory = await this.#secretDirectory("atrium-gateway-tls");
    const read = (name: string) => readFileSync(join(directory, name), "utf8");
    return { cert: read("certificate.pem"), key: read("key.pem"), ca: read("trust.pem") };
  }

  /** A Secret as the kubelet mounts it, once the operator has made it. */
  async #secretDirectory(name: string): Promise<string> {
    const path = `/api/v1/namespaces/${release}/secrets`;
    const find = async () => (await this.#cluster.api.list(path)).find(({ metadata }) => metadata.name === name);
    const deadline = AbortSignal.timeout(30_000);
    let secret: KubernetesObject | undefined;
    for (secret = await find(); secret === undefined; secret = await find()) {
      await delay(100, undefined, { signal: deadline });
    }
    const directory = this.#resources.directory();
    for (const [file, content] of Object.entries(secret.data as Record<string, string>)) {
      writeFileSync(join(directory, file), Buffer.from(content, "base64"), { mode: 0o600 });
    }
    return directory;
  }
}

/** Summed over its labels. */
async function metricOf(url: string, name: string): Promise<number> {
  const lines = (await (await fetch(url)).text()).split("\n");
  const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return values.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
