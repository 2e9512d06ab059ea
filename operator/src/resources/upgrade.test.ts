import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, type KubernetesObject, pathOf } from "../controller/api.ts";
import { atSigns } from "./at-sign.ts";
import { definitions } from "./definitions.ts";
import {
  apply,
  effective,
  installDefinitions,
  startApiServer,
  type TestApiServer,
  verdict,
} from "./testing/api-server.ts";
import { atSign, tryOut, type Written } from "./testing/objects.ts";

let server: TestApiServer;
let api: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  api = server.client();
}, 60_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

describe("definitions of another version", () => {
  test("are replaced while there are objects of them", async () => {
    await installDefinitions(api, [olderDefinition()]);
    const old = (await apply(api, atSigns, atSign("old", { atSign: "@old" }))) as Written;
    expect(old.spec).toEqual({ atSign: "@old" });
    await apply(api, atSigns, atSign("loose", { atSign: "Loose" }));

    await installDefinitions(api);
    await effective(
      async () => (await tryOut(api, atSign("new", { atSign: "@new", runPolicy: "Never" }))) !== "accepted",
    );

    // What was written before has what is new in the meantime, and was not written again.
    const now = await get("old");
    expect(now.spec).toEqual({ atSign: "@old", runPolicy: "Always", deletionPolicy: "Retain" });
    expect(now.metadata).toMatchObject({ uid: old.metadata.uid, resourceVersion: old.metadata.resourceVersion });
    expect(await found("spec.atSign=@old")).toEqual(["old"]);
    expect(await verdict(apply(api, atSigns, atSign("old", { atSign: "@older" })))).toContain("cannot be changed");

    // What would be refused today can still be worked with, and deleted.
    const suspended = { atSign: "Loose", runPolicy: "Suspended" };
    expect(((await apply(api, atSigns, atSign("loose", suspended))) as Written).spec).toMatchObject(suspended);
    await api.request({ method: "DELETE", path: pathOf(atSigns, { namespace: "default", name: "loose" }) });
    expect(await tryOut(api, atSign("loose", { atSign: "Loose" }))).toContain("must begin with @");
  });

  test("are replaced by the same without a change", async () => {
    const before = await installDefinitions(api);
    expect(await installDefinitions(api)).toEqual(before);
  });
});

/** AtSign with its name alone, checked by nobody. */
function olderDefinition(): KubernetesObject {
  const [definition] = definitions;
  if (definition === undefined) throw new Error("no definition");
  const versions = definition.spec.versions.map(({ name, served, storage }) => ({
    ...{ name, served, storage },
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: { spec: { type: "object", properties: { atSign: { type: "string" } } } },
      },
    },
  }));
  return { ...definition, spec: { ...definition.spec, versions } } as KubernetesObject;
}

function get(name: string): Promise<Written> {
  return api.request({ method: "GET", path: pathOf(atSigns, { namespace: "default", name }) });
}

async function found(fieldSelector: string): Promise<string[]> {
  const path = pathOf(atSigns);
  const { items } = await api.request<{ items: Written[] }>({ method: "GET", path, query: { fieldSelector } });
  return items.map(({ metadata }) => metadata.name);
}
