import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { activate, Client, parseAtSign } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Cluster, nodeAddress, startCluster } from "../../cluster/cluster.ts";
import { type GivenPlatform, installGiven, uninstallGiven } from "../../cluster/given.ts";
import { platformImages } from "../../cluster/images.ts";
import { testCa } from "../../kit/certificates.ts";
import { redis } from "../../kit/redis.ts";
import { TlsService } from "../../kit/tls-service.ts";
import { manifest } from "./hosted.ts";

/** What `npm run cluster` does with ATRIUM_KUBECONFIG: a cluster that has images, and knows nothing of this checkout. */

const say = (progress: string) => void process.stderr.write(`${progress}\n`);
const scratch = mkdtempSync(join(tmpdir(), "atrium-given-test-"));
const registry = "registry.test/given";
let cluster: Cluster;
let set: readonly string[];

beforeAll(async () => {
  const images = await platformImages(say);
  cluster = await startCluster({ images, say });
  for (const name of ["atrium-atserver", "atrium-operator", "atrium-directory", "atrium-gateway"] as const) {
    cluster.tagImage(images[name], `${registry}/${name}:v7`);
  }
  set = [`images.registry=${registry}`, "images.tag=v7", `images.redis=${images.redis.name}`];
}, 900_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
}, 120_000);

describe("a given cluster", () => {
  test("that gives Services no address says what to set", async () => {
    const clusterIp = ["gateway.service.type=ClusterIP", "directory.service.type=ClusterIP"];
    await expect(
      installGiven(cluster.kubeconfig, { zone: "given.example.org", set: [...set, ...clusterIp], say }),
    ).rejects.toThrow("set directory.service.type=NodePort, or directory.service.externalIPs");
  }, 240_000);

  test("has the platform, and is left with what belongs to tenants", async () => {
    const reached = ["gateway.service.type=NodePort", `directory.service.externalIPs={${nodeAddress}}`];
    const platform = await installGiven(cluster.kubeconfig, {
      ...{ zone: "given.example.org", set: [...set, "directory.service.type=ClusterIP", ...reached], say },
    });
    expect(platform).toMatchObject({
      zone: "given.example.org",
      directory: { host: "directory.atrium.internal", port: 64, address: nodeAddress },
      gateway: { host: nodeAddress },
      kubeconfig: cluster.kubeconfig,
    });
    await expectServed("alice", platform);

    await uninstallGiven(cluster.kubeconfig, say);
    expect(cluster.kubectl("-n", "atrium-system", "get", "deployments", "-o", "name")).toBe("");
    expect(cluster.kubectl("get", "atsigns,pvc", "-o", "name")).toBe(
      "atsign.atrium.dev/alice\npersistentvolumeclaim/alice-data\n",
    );
  }, 240_000);

  test("has a Redis, a directory to ask and a load balancer that are not of it", async () => {
    const ca = testCa();
    const files = { certificateFile: join(scratch, "certificate.pem"), keyFile: join(scratch, "key.pem") };
    const pair = ca.issue({ dns: ["outside.example.org"], ip: [nodeAddress] });
    writeFileSync(files.certificateFile, pair.certificate);
    writeFileSync(files.keyFile, pair.key);
    const options = ["--bind", nodeAddress, "--requirepass", "of-a-test", "--maxmemory-policy", "noeviction"];
    await using registryOutside = await redis({ tls: files, options });
    using upstream = await TlsService.listen(pair, (name) => (name === "faraway" ? "far.example.net:7000" : "null"), {
      ...{ end: "\r\n", host: nodeAddress },
    });
    const secrets = { password: "of-a-test", "ca.crt": ca.pem };
    cluster.apply({
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "outside", namespace: "atrium-system" } },
      stringData: secrets,
    });
    const platform = await installGiven(cluster.kubeconfig, {
      zone: "given.example.org",
      set: [
        ...[...set, "directory.service.type=ClusterIP", `directory.service.externalIPs={${nodeAddress}}`],
        ...["gateway.service.type=ClusterIP", `gateway.service.externalIPs={${nodeAddress}}`],
        ...[`redis.externalUrl=rediss://${nodeAddress}:${registryOutside.port}`, "redis.passwordSecret.name=outside"],
        ...["redis.ca.secret=outside", "directory.upstreamCa.secret=outside"],
        ...[`directory.upstream=${nodeAddress}:${upstream.port}`, `gateway.proxyProtocolFrom={${nodeAddress}/32}`],
      ],
      say,
    });
    expect(cluster.kubectl("-n", "atrium-system", "get", "statefulsets", "-o", "name")).toBe("");
    await using balancer = await LoadBalancer.listen(platform.gateway);
    await expectServed("bob", { ...platform, gateway: balancer.address });
    expect(await ask(platform, "faraway")).toBe("far.example.net:7000");
    expect(await ask(platform, "nobody")).toBe("null");
    // Who comes from there without the header, is not let in.
    const { host, port } = platform.gateway;
    const direct = connectTls({ host, port, servername: "bob.given.example.org", ca: platform.ca });
    await expect(
      new Promise((resolve, reject) => direct.on("error", reject).on("secureConnect", resolve)),
    ).rejects.toThrow();
    await uninstallGiven(cluster.kubeconfig, say);
  }, 240_000);

  test.each([
    ["that is no file", join(scratch, "nowhere"), "cannot be read"],
    ["that is nobody's", nobodys(), "does not answer"],
  ])("%s is refused in words", async (_what, file, words) => {
    await expect(installGiven(file, { zone: "given.example.org", set: [], say })).rejects.toThrow(words);
  });
});

/** Makes, activates and uses one. */
async function expectServed(name: string, platform: GivenPlatform): Promise<void> {
  cluster.apply(manifest("default", `@${name}`));
  cluster.kubectl("wait", `atsign/${name}`, "--for=condition=Ready", "--timeout=60s");
  const encoded = cluster.kubectl("get", "secret", `${name}-activation`, "-o", "jsonpath={.data.secret}");
  const secret = Buffer.from(encoded, "base64").toString();
  const atSign = parseAtSign(`@${name}`);
  const keys = await activate({ atSign, platform, secret, keyFile: join(scratch, `@${name}_key.atKeys`) });
  await using client = await Client.open({ atSign, platform, keys });
  await client.put("phone.demo", "+1 555 0100");
  expect((await client.get("phone.demo")).value).toBe("+1 555 0100");
}

/** @returns what the directory answers, without its prompts */
async function ask({ directory, ca }: GivenPlatform, name: string): Promise<string> {
  const { host, port, address = host } = directory;
  const socket = connectTls({ host: address, port, servername: host, ca });
  socket.setTimeout(10_000, () => socket.destroy(new Error("no answer")));
  socket.write(`${name}\n@exit\n`);
  return (await text(socket)).replaceAll(/@|\r\n/g, "");
}

/** Passes connections on, and says first whose they are. */
class LoadBalancer implements AsyncDisposable {
  readonly #server: Server;

  static async listen(to: { host: string; port: number }): Promise<LoadBalancer> {
    const server = createServer((client) => {
      const gateway = connect(to);
      gateway.write(proxyHeader([203, 0, 113, 7]));
      client.pipe(gateway).pipe(client);
      for (const socket of [client, gateway]) {
        socket.on("error", () => {
          client.destroy();
          gateway.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new LoadBalancer(server);
  }

  private constructor(server: Server) {
    this.#server = server;
  }

  get address() {
    return { host: "127.0.0.1", port: (this.#server.address() as AddressInfo).port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Version 2, PROXY, TCP over IPv4 (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, section 2.2). */
function proxyHeader(client: readonly number[]): Buffer {
  const head = Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"), Buffer.from([0x21, 0x11, 0, 12])]);
  return Buffer.concat([head, Buffer.from([...client, 192, 0, 2, 1, 0x30, 0x39, 0x01, 0xbb])]);
}

/** @returns a kubeconfig of an API server that is not there */
function nobodys(): string {
  const file = join(scratch, "nobodys");
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "nobody", users: [{ name: "nobody", user: {} }] },
    clusters: [{ name: "nobody", cluster: { server: "https://127.0.0.1:1" } }],
    contexts: [{ name: "nobody", context: { cluster: "nobody", user: "nobody" } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
