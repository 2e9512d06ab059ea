import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Ready } from "@atrium/runtime/lifecycle.ts";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { binaries } from "../cluster/binaries.ts";
import { startControlPlane } from "../cluster/control-plane.ts";
import { freePorts } from "../cluster/ports.ts";
import { testCa, writeIdentity } from "../kit/certificates.ts";
import { AtServerHome, secret, zone } from "../soak/atserver-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const value = "the words that nobody else may read";
const exporter = pathToFileURL(join(root, "runtime/src/tracing-export.ts")).href;

interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** As OTLP/HTTP with JSON sends it. */
interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<Span, "service" | "attributes"> & { readonly attributes: readonly Attribute[] })[];
    }[];
  }[];
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A collector that keeps what it is sent, as text and as spans. */
class Collector {
  readonly spans: Span[] = [];
  received = "";
  readonly #server = createServer(async (incoming, response) => {
    const body = await text(incoming);
    this.received += body;
    if (incoming.url === "/v1/traces") this.#take(JSON.parse(body) as Batch);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
    for (const listener of this.#listeners) listener();
  });
  readonly #listeners = new Set<() => void>();

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Waits for a span. */
  async span(service: string, name: string, attributes: Span["attributes"] = {}): Promise<Span> {
    const asked = Object.entries(attributes);
    const find = () =>
      this.spans.find(
        (each) =>
          each.service === service &&
          each.name === name &&
          asked.every(([key, wanted]) => each.attributes[key] === wanted),
      );
    const late = AbortSignal.timeout(15_000);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const give = () => reject(new Error(`no ${name} of ${service}; there are ${this.names()}`));
        late.addEventListener("abort", give);
        this.#listeners.add(resolve);
      });
    }
  }

  names(): string {
    return [...new Set(this.spans.map(({ service, name }) => `${service} ${name}`))].join(", ");
  }

  #take({ resourceSpans }: Batch): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(valuesOf(resource.attributes)["service.name"]);
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push({ ...span, service, attributes: valuesOf(span.attributes) });
      }
    }
  }
}

function valuesOf(attributes: readonly Attribute[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

const collector = new Collector();
const scratch = mkdtempSync(join(tmpdir(), "atrium-tracing-"));
const children: ChildProcess[] = [];
let endpoint = "";

beforeAll(async () => {
  endpoint = await collector.listen();
});

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
  collector.close();
  rmSync(scratch, { recursive: true, force: true });
});

const wanted = (service: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: service });

/** One of the apps, as its image starts it, with traces. */
async function start(app: string, environment: Readonly<Record<string, string>>): Promise<Ready["addresses"]> {
  const child = fork(join(root, app, "src/main.ts"), {
    execArgv: ["--disable-warning=ExperimentalWarning", "--import", exporter],
    env: { PATH: process.env.PATH, ...wanted(`atrium-${app}`), ...environment },
    silent: true,
  });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk));
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`${app} ended with ${code}: ${output}`)));
  ended.catch(() => undefined); // after the start it is killed
  const [ready] = (await Promise.race([once(child, "message"), ended])) as [Ready];
  return ready.addresses;
}

test("atServer, gateway and directory tell a collector what they do, and no secret, key or value", async () => {
  const home = new AtServerHome({ directory: join(scratch, "alice") });
  const nodeOptions = ["--import", exporter];
  await using server = home.start({ nodeOptions, environment: wanted("atrium-atserver") });
  using client = await server.login();
  expect(await client.ask(`update:private-record.test@alice ${value}`)).toMatch(/^data:\d/);
  expect(await client.ask("llookup:private-record.test@alice")).toBe(`data:${value}`);
  expect(await client.ask("llookup:absent-record.test@alice")).toMatch(/^error:/);
  // Nobody answers for the directory: an outbound request that fails is one, too.
  expect(await client.ask("lookup:phone@bob")).toMatch(/^error:/);
  const peer = await collector.span("atrium-atserver", "atserver.peer");
  const lookup = await collector.span("atrium-atserver", "atserver.lookup");
  expect([peer.traceId, peer.parentSpanId]).toEqual([lookup.traceId, lookup.spanId]);
  expect(peer.attributes).toMatchObject({ to: "@bob", "error.type": expect.any(String) });
  await collector.span("atrium-atserver", "atserver.update");

  const routes = join(scratch, "routes.json");
  writeFileSync(routes, "[]");
  const gateway = await start("gateway", {
    GATEWAY_LISTEN: "127.0.0.1:0",
    GATEWAY_HEALTH_LISTEN: "127.0.0.1:0",
    GATEWAY_ROUTES: pathToFileURL(routes).href,
  });
  await refusedBy(gateway.main?.port ?? 0, `carol.${zone}`);
  const route = await collector.span("atrium-gateway", "gateway.route");
  expect(route.attributes).toEqual({ outcome: "unknown host", "server.address": `carol.${zone}`, attempts: 0 });

  const tls = join(scratch, "directory");
  const ca = testCa();
  writeIdentity(tls, { ...ca.issue({ dns: ["directory.atrium.internal"] }), trust: ca.pem });
  const directory = await start("directory", {
    DIRECTORY_LISTEN: "127.0.0.1:0",
    DIRECTORY_ADMIN_LISTEN: "127.0.0.1:0",
    DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
    DIRECTORY_TLS: tls,
    DIRECTORY_ADMIN_CA: join(tls, "trust.pem"),
    DIRECTORY_REGISTRY: "memory:",
    DIRECTORY_CELLS: "main",
  });
  await ask(directory.main?.port ?? 0, "dave\n", ca.pem);
  await collector.span("atrium-directory", "directory.recall");

  for (const hidden of [secret, value, "private-record", "absent-record", "dave"]) {
    expect(collector.received.includes(hidden)).toBe(false);
  }
});

test("the operator tells a collector of its reconciles, API requests and who asks for identities", async () => {
  const names = ["etcd", "kube-apiserver", "kubectl"] as const;
  const files = await binaries(names, (line) => process.stderr.write(`${line}\n`));
  await using plane = await startControlPlane({
    binary: (name) => files[name as keyof typeof files],
    directory: join(scratch, "control-plane"),
  });
  const kubectl = (input: string, ...args: readonly string[]) =>
    execFileSync(files.kubectl, ["--kubeconfig", plane.kubeconfig, ...args], { input });
  const definitions = join(root, "helm/atrium/templates/crds.yaml");
  kubectl("", "apply", "--server-side", "-f", definitions);
  kubectl("", "wait", "--for=condition=Established", "--timeout=20s", "-f", definitions);
  kubectl("", "create", "namespace", "atrium-system");
  const [admin = 0] = await freePorts(1);
  const { identity } = await start("operator", {
    KUBECONFIG: plane.kubeconfig,
    OPERATOR_ZONE: "at.example.org",
    OPERATOR_NAMESPACE: "atrium-system",
    OPERATOR_POD_NAME: "tracing",
    OPERATOR_DIRECTORY: `127.0.0.1:${admin}`,
    OPERATOR_ATSERVER_DIRECTORY: "atrium-directory.atrium-system.svc:64",
    OPERATOR_INTERNAL_GATEWAY: "atrium-gateway-internal.atrium-system.svc:6464",
    OPERATOR_ATSERVER_IMAGE: "registry.atrium.dev/atrium-atserver:test",
    OPERATOR_IDENTITY_URL: "https://atrium-operator.atrium-system.svc:8443",
    OPERATOR_IDENTITY_LISTEN: "127.0.0.1:0",
    OPERATOR_ROUTES_LISTEN: "127.0.0.1:0",
    OPERATOR_HEALTH_LISTEN: "127.0.0.1:0",
  });
  const atSign = {
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSign",
    metadata: { name: "alice" },
    spec: { atSign: "@alice" },
  };
  kubectl(JSON.stringify(atSign), "apply", "-f", "-");
  await collector.span("atrium-operator", "operator.reconcile", { "atrium.key": "default/alice" });
  await collector.span("atrium-operator", "operator.api");

  expect(await identityStatus(identity?.port ?? 0)).toBe(401);
  const asked = await collector.span("atrium-operator", "operator.identity");
  expect(asked.attributes).toEqual({ "error.type": "Problem" });
  expect(collector.received.includes("a-token-of-somebody")).toBe(false);
  expect(collector.received.includes("PRIVATE KEY")).toBe(false);
}, 90_000);

test("nothing is loaded that nobody wants", () => {
  const script =
    "process.stdout.write(JSON.stringify(Object.keys(globalThis[Symbol.for('opentelemetry.js.api.1')] ?? {})))";
  const run = (environment: Readonly<Record<string, string>>) =>
    execFileSync(process.execPath, ["--import", exporter, "--input-type=module", "-e", script], {
      env: { NODE_OPTIONS: "", ...environment },
      encoding: "utf8",
    });
  expect(JSON.parse(run({}))).toEqual([]);
  expect(JSON.parse(run(wanted("atrium")))).toContain("trace");
});

async function identityStatus(port: number): Promise<number> {
  const asking = request({
    ...{ host: "127.0.0.1", port, path: "/v1/identity", method: "POST", agent: false, rejectUnauthorized: false },
    headers: { authorization: "Basic a-token-of-somebody" },
  });
  asking.end("{}");
  const [response] = await once(asking, "response");
  response.resume();
  return response.statusCode;
}

async function refusedBy(port: number, servername: string): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", servername, rejectUnauthorized: false });
  const closed = once(socket, "close").catch((error: NodeJS.ErrnoException) => error.code);
  expect(await closed).toMatch(/UNRECOGNIZED_NAME/);
}

async function ask(port: number, line: string, ca: string): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", ca, servername: "directory.atrium.internal" });
  await once(socket, "data");
  // An answer or none: a registry that is not complete has none for a name that it does not know.
  socket.end(line);
  await once(socket.resume(), "close");
}
