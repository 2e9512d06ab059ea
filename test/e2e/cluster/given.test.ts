import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activate, Client, parseAtSign } from "@atrium/sdk";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Cluster, nodeAddress, startCluster } from "../../cluster/cluster.ts";
import { installGiven, uninstallGiven } from "../../cluster/given.ts";
import { platformImages } from "../../cluster/images.ts";
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
    cluster.apply(manifest("default", "@alice"));
    cluster.kubectl("wait", "atsign/alice", "--for=condition=Ready", "--timeout=60s");
    const encoded = cluster.kubectl("get", "secret", "alice-activation", "-o", "jsonpath={.data.secret}");
    const secret = Buffer.from(encoded, "base64").toString();
    const keyFile = join(scratch, "@alice_key.atKeys");
    const keys = await activate({ atSign: parseAtSign("@alice"), platform, secret, keyFile });
    await using alice = await Client.open({ atSign: parseAtSign("@alice"), platform, keys });
    await alice.put("phone.demo", "+1 555 0100");
    expect((await alice.get("phone.demo")).value).toBe("+1 555 0100");

    await uninstallGiven(cluster.kubeconfig, say);
    expect(cluster.kubectl("-n", "atrium-system", "get", "deployments", "-o", "name")).toBe("");
    expect(cluster.kubectl("get", "atsigns,pvc", "-o", "name")).toBe(
      "atsign.atrium.dev/alice\npersistentvolumeclaim/alice-data\n",
    );
  }, 240_000);

  test.each([
    ["that is no file", join(scratch, "nowhere"), "cannot be read"],
    ["that is nobody's", nobodys(), "does not answer"],
  ])("%s is refused in words", async (_what, file, words) => {
    await expect(installGiven(file, { zone: "given.example.org", set: [], say })).rejects.toThrow(words);
  });
});

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
