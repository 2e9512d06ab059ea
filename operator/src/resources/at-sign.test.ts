import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ApiClient, type KubernetesObject, pathOf } from "../controller/api.ts";
import { atSigns } from "./at-sign.ts";
import { spelling } from "./at-sign-name.ts";
import { apply, installDefinitions, startApiServer, type TestApiServer, verdict } from "./testing/api-server.ts";
import { apiVersion, atSign, tryOut, type Written } from "./testing/objects.ts";
import { expression } from "./testing/re2.ts";

let server: TestApiServer;
let api: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  api = server.client();
  await installDefinitions(api);
}, 60_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const dnsName = "must be a DNS name in lower case";

describe("an AtSign", () => {
  test.each([["@alice"], ["@a"], ["@0_-"], ["@💚"], ["@ℂ"], [`@${"a".repeat(55)}`], [`@${"💚".repeat(27)}a`]])(
    "may be %s",
    async (name) => {
      expect(await tryOut(api, atSign("a", { atSign: name }))).toBe("accepted");
    },
  );

  test.each([
    ["alice", 'must begin with @: write "@alice"'],
    ["@Alice", 'must be in lower case: write "@alice"'],
    ["@Ⓐ", "must be in lower case"],
    ["@al.ice", 'must have no dots, which mean nothing in an atSign: write "@alice"'],
    ["@a b", "must be @ and then letters a to z, digits, _, - or emoji"],
    ["@a@b", "must be @ and then letters a to z, digits, _, - or emoji"],
    ["@a\n", "must be @ and then letters a to z, digits, _, - or emoji"],
    ["@é", "must be @ and then letters a to z, digits, _, - or emoji"],
    ["@", "should be at least 2 chars long"],
    [`@${"a".repeat(56)}`, "Too long: may not be more than 56"],
    [`@${"💚".repeat(28)}`, "must be at most 56 UTF-16 units long"],
  ])("cannot be %j", async (name, words) => {
    const said = await tryOut(api, atSign("a", { atSign: name }));
    expect(said).toContain("spec.atSign: ");
    expect(said).toContain(words);
  });

  test.each<[string, Written["spec"], string]>([
    ["no atSign", {}, "spec.atSign: Required value"],
    [
      "a name of a class that is none",
      { atSign: "@a", className: "A b" },
      `spec.className: Invalid value: "A b": ${dnsName}`,
    ],
    ["a policy that there is not", { atSign: "@a", runPolicy: "Never" }, 'supported values: "Always", "Suspended"'],
    [
      "another policy that there is not",
      { atSign: "@a", deletionPolicy: "Keep" },
      'supported values: "Retain", "Delete"',
    ],
    ["activation without a Secret", { atSign: "@a", activation: {} }, "spec.activation.secretRef: Required value"],
    [
      "a Secret without name",
      { atSign: "@a", activation: { secretRef: {} } },
      "spec.activation.secretRef.name: Required value",
    ],
    [
      "a name of a Secret that is none",
      { atSign: "@a", activation: { secretRef: { name: "a_b" } } },
      `spec.activation.secretRef.name: Invalid value: "a_b": ${dnsName}`,
    ],
    ["a field that there is not", { atSign: "@a", sleep: {} }, 'unknown field "spec.sleep"'],
  ])("cannot have %s", async (_what, spec, words) => {
    expect(await tryOut(api, atSign("a", spec))).toContain(words);
  });

  test("has values for what it does not say", async () => {
    const { spec } = (await apply(api, atSigns, atSign("defaults", { atSign: "@defaults" }))) as Written;
    expect(spec).toEqual({ atSign: "@defaults", runPolicy: "Always", deletionPolicy: "Retain" });
  });

  test("keeps its atSign for ever", async () => {
    await apply(api, atSigns, atSign("bob", { atSign: "@bob" }));
    expect(await verdict(apply(api, atSigns, atSign("bob", { atSign: "@robert" })))).toContain(
      'spec.atSign: Invalid value: "@robert": cannot be changed: delete this AtSign, and apply another one',
    );
    const changed = { atSign: "@bob", runPolicy: "Suspended", deletionPolicy: "Delete", className: "other" };
    expect(((await apply(api, atSigns, atSign("bob", changed))) as Written).spec).toEqual(changed);
  });

  test("is shown with its state, host and class", async () => {
    await apply(api, atSigns, atSign("carol", { atSign: "@carol", className: "standard" }));
    await setStatus("carol", { host: "carol.at.example.org", conditions: [condition("Ready", "Serving")] });
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const table = await server.client({ accept }).request<{
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[] }[];
    }>({ method: "GET", path: pathOf(atSigns, { namespace: "default", name: "carol" }) });
    expect(table.columnDefinitions.map(({ name }) => name.toUpperCase())).toEqual([
      ...["NAME", "ATSIGN", "STATE", "HOST", "CLASS", "AGE"],
    ]);
    const cells = table.rows[0]?.cells ?? [];
    expect(cells.slice(0, 5)).toEqual(["carol", "@carol", "Serving", "carol.at.example.org", "standard"]);
    expect(cells[5]).toMatch(/^\d+s$/);
  });

  test("is found by its atSign and by its class", async () => {
    await apply(api, atSigns, atSign("dave", { atSign: "@dave", className: "rare" }));
    await apply(api, atSigns, atSign("erin", { atSign: "@erin", className: "common" }));
    const found = async (fieldSelector: string) => {
      const list = await api.request<{ items: KubernetesObject[] }>({
        method: "GET",
        path: pathOf(atSigns),
        query: { fieldSelector },
      });
      return list.items.map(({ metadata }) => metadata.name);
    };
    expect(await found("spec.atSign=@erin")).toEqual(["erin"]);
    expect(await found("spec.className=rare")).toEqual(["dave"]);
  });

  test("has a status that the spec is not written with, nor the other way round", async () => {
    await apply(api, atSigns, atSign("frank", { atSign: "@frank" }));
    const after = await setStatus("frank", { epoch: 1_795_413_600_123, port: 443, pod: { name: "p", uid: "u" } });
    expect(after.metadata.generation).toBe(1);
    await apply(api, atSigns, atSign("frank", { atSign: "@frank", runPolicy: "Suspended" }));
    const now = await api.request<Written & { status: unknown }>({
      method: "GET",
      path: pathOf(atSigns, { namespace: "default", name: "frank" }),
    });
    expect(now.metadata.generation).toBe(2);
    expect(now.status).toEqual({ epoch: 1_795_413_600_123, port: 443, pod: { name: "p", uid: "u" } });
  });

  test("has one condition of each type, whoever writes them", async () => {
    await apply(api, atSigns, atSign("grace", { atSign: "@grace" }));
    await setStatus("grace", { conditions: [condition("Ready", "Starting")] }, "one");
    const after = await setStatus("grace", { conditions: [condition("Activated", "Activated")] }, "other");
    const { conditions } = after.status as { conditions: { type: string }[] };
    expect(conditions.map(({ type }) => type).sort()).toEqual(["Activated", "Ready"]);
    const twice = [condition("Ready", "Serving"), condition("Ready", "Starting")];
    expect(await verdict(setStatus("grace", { conditions: twice }))).toContain("duplicate entries for key [type=");
  });

  test("goes by a short name, and with everything of Atrium", async () => {
    interface Found {
      readonly resources: { name: string; shortNames?: string[]; categories?: string[] }[];
    }
    const { resources } = await api.request<Found>({ method: "GET", path: "/apis/atrium.dev/v1alpha1" });
    expect(resources.find(({ name }) => name === "atsigns")).toMatchObject({
      shortNames: ["ats"],
      categories: ["atrium"],
    });
    expect(resources.find(({ name }) => name === "atsignclasses")).toMatchObject({ categories: ["atrium"] });
  });
});

describe("the spelling of an atSign", () => {
  const symbols = expression(spelling);
  // The tables of the API server are not those of this process: they are asked, in as few requests as can be.
  const points = Array.from({ length: 0x1fbff }, (_, point) => String.fromCodePoint(point)).filter(
    (symbol) => symbol > "\x7f" && symbols.test(`@${symbol}`),
  );
  const capitals = points.filter((symbol) => symbol.toLowerCase() !== symbol);
  const others = points.filter((symbol) => symbol.toLowerCase() === symbol);

  test("takes all symbols that have no lower case", async () => {
    expect(others.length).toBeGreaterThan(7_000);
    const refused: string[] = [];
    for (let at = 0; at < others.length; at += 27) {
      const said = await tryOut(api, atSign("a", { atSign: `@${others.slice(at, at + 27).join("")}` }));
      if (said !== "accepted") refused.push(said);
    }
    expect(refused).toEqual([]);
  }, 60_000);

  test("refuses all symbols that have one", async () => {
    expect(capitals.length).toBeGreaterThan(150);
    const accepted: string[] = [];
    for (const symbol of capitals) {
      if (!(await tryOut(api, atSign("a", { atSign: `@${symbol}` }))).includes("must be in lower case"))
        accepted.push(symbol);
    }
    expect(accepted).toEqual([]);
  }, 60_000);
});

function condition(type: string, reason: string) {
  return { type, status: "True", reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" };
}

function setStatus(name: string, status: unknown, fieldManager = "test"): Promise<Written & { status: unknown }> {
  const metadata = { name, namespace: "default" };
  return api.request({
    method: "PATCH",
    path: pathOf(atSigns, { ...metadata, subresource: "status" }),
    query: { fieldManager, fieldValidation: "Strict", force: true },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion, kind: "AtSign", metadata, status },
  });
}
