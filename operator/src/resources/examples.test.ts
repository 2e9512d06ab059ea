import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseManifest } from "../at-sign-resource.ts";
import { type ApiClient, type KubernetesObject, pathOf } from "../controller/api.ts";
import { atSigns } from "./at-sign.ts";
import {
  apply,
  effective,
  installDefinitions,
  objectsOf,
  startApiServer,
  type TestApiServer,
  verdict,
} from "./testing/api-server.ts";
import { atSign, type Written } from "./testing/objects.ts";
import { coreResources, resourceOf } from "./testing/resources.ts";

const directory = fileURLToPath(new URL("../../../docs/examples/", import.meta.url));

let server: TestApiServer;
let api: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  api = server.client();
  await installDefinitions(api);
  await server.startControllers("resourcequota-controller");
}, 60_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

function textOf(file: string): string {
  return readFileSync(join(directory, file), "utf8");
}

async function applyFile(file: string): Promise<KubernetesObject[]> {
  const applied = [];
  for (const object of objectsOf(textOf(file))) applied.push(await apply(api, resourceOf(object), object));
  return applied;
}

describe("the examples", () => {
  test("are all tested here", () => {
    expect(
      globSync("*", { cwd: directory })
        .map((file) => basename(file))
        .sort(),
    ).toEqual([...["alice.yaml", "bob.yaml", "classes.yaml", "names.yaml", "resource-quota.yaml"]]);
  });

  test.each([
    ["alice.yaml", "@alice"],
    ["bob.yaml", "@bob"],
  ])("%s is an AtSign, in a cluster and on one machine", async (file, name) => {
    const [inCluster] = (await applyFile(file)) as [Written];
    const { spec } = parseManifest(textOf(file));
    expect(inCluster.spec).toEqual(spec);
    expect(spec).toMatchObject({ atSign: name, className: "standard", runPolicy: "Always" });
  });

  test("classes.yaml has classes", async () => {
    const classes = await applyFile("classes.yaml");
    expect(classes.map(({ metadata }) => metadata.name)).toEqual(["large", "customer-a", "public"]);
  });

  test("resource-quota.yaml limits how many AtSigns a namespace has", async () => {
    await applyFile("resource-quota.yaml");
    const namespace = "customer-a";
    const hard = { "count/atsigns.atrium.dev": 2 };
    await api.request({
      method: "PATCH",
      path: pathOf(coreResources.resourceQuotas, { namespace, name: "atsigns" }),
      contentType: "application/merge-patch+json",
      body: { spec: { hard } },
    });
    await effective(async () => (await quota(namespace)).status?.hard?.["count/atsigns.atrium.dev"] === "2");
    const create = (name: string) =>
      verdict(
        api.request({
          method: "POST",
          path: pathOf(atSigns, { namespace }),
          body: { ...atSign(name, { atSign: `@${name}` }), metadata: { name, namespace } },
        }),
      );
    expect(await create("one")).toBe("accepted");
    expect(await create("two")).toBe("accepted");
    expect(await create("three")).toContain(
      "exceeded quota: atsigns, requested: count/atsigns.atrium.dev=1, used: count/atsigns.atrium.dev=2, limited: count/atsigns.atrium.dev=2",
    );
  }, 60_000);

  test("names.yaml gives names to namespaces", async () => {
    const names = { acme: "^@acme(_[a-z0-9]+)?$", any: "^@", none: undefined };
    for (const [name, pattern] of Object.entries(names)) {
      const annotations = pattern === undefined ? {} : { "example.org/at-signs": pattern };
      await apply(api, coreResources.namespaces, {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, annotations },
      });
    }
    await applyFile("names.yaml");
    const ask = (namespace: string, name: string) =>
      verdict(
        api.request({
          method: "POST",
          path: pathOf(atSigns, { namespace }),
          query: { dryRun: "All" },
          body: { ...atSign("a", { atSign: name }), metadata: { name: "a", namespace } },
        }),
      );
    await effective(async () => (await ask("none", "@alice")) !== "accepted");
    expect(await ask("none", "@alice")).toContain(
      "no names were given to the namespace none (annotation example.org/at-signs)",
    );
    expect(await ask("acme", "@acme_sales")).toBe("accepted");
    expect(await ask("acme", "@alice")).toContain(
      "@alice is not among the names of the namespace acme, ^@acme(_[a-z0-9]+)?$",
    );
    expect(await ask("any", "@alice")).toBe("accepted");
    expect(await ask("any", "@admin")).toContain("@admin is for nobody");
    // What has its name keeps it.
    await apply(api, atSigns, { ...atSign("alice", { atSign: "@alice", runPolicy: "Suspended" }) } as Written);
  });
});

interface Quota extends KubernetesObject {
  readonly status?: { readonly hard?: Readonly<Record<string, string>> };
}

function quota(namespace: string): Promise<Quota> {
  return api.request({ method: "GET", path: pathOf(coreResources.resourceQuotas, { namespace, name: "atsigns" }) });
}
