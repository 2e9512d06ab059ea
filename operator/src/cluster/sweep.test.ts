import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ApiError, type KubernetesObject, type Resource } from "../controller/api.ts";
import { atSigns } from "../resources/at-sign.ts";
import { volumeClaims, volumes } from "./kubernetes-objects.ts";
import { type Cell, patch, read, remove, startCell, until } from "./testing/cell.ts";
import type { OperatorProcess } from "./testing/operator-process.ts";
import { newTenant, type Tenant } from "./testing/tenant.ts";

/** Names that belong to nothing any more, because their objects went while no operator looked, or by force. */

const sweepMs = 500;
let cell: Cell;
let operator: OperatorProcess;
let tenant: Tenant;

beforeAll(async () => {
  cell = await startCell();
  operator = await cell.startOperator();
  tenant = await newTenant(cell);
}, 60_000);

afterAll(async () => await cell[Symbol.asyncDispose]());

/** With its data on a volume that is to be retained. @returns its volume */
async function served(name: string): Promise<string> {
  await tenant.apply(name);
  await tenant.serving(name);
  const volume = await tenant.bind(name);
  await tenant.becomes(name, "Provisioned", "True:Provisioned");
  return volume;
}

/** Whatever protects it. */
async function takeAway(resource: Resource, object: KubernetesObject | undefined): Promise<void> {
  if (object === undefined) throw new Error(`there is none of ${resource.plural}`);
  const { name, namespace } = object.metadata;
  await patch(cell.client, resource, object, { metadata: { finalizers: null } });
  await remove(cell.client, resource, { name, ...(namespace !== undefined && { namespace }) }).catch((error) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  });
}

test("are given back, and no others", async () => {
  const [, parked = ""] = [await served("stays"), await served("parked"), await served("retained")];
  for (const name of ["forced", "giver"]) {
    await tenant.apply(name, { deletionPolicy: "Delete" });
    await tenant.serving(name);
  }
  const heir = `${tenant.namespace}/heir`;
  await tenant.apply("giver", { deletionPolicy: "Delete" }, { "atrium.dev/release-to": heir });
  await tenant.becomes("giver", "Claimed", "False:Released");
  await operator.kill();
  for (const name of ["parked", "retained", "forced", "giver"]) {
    await takeAway(atSigns, await tenant.atSign(name));
  }
  // As when its namespace is deleted: the volume is left alone.
  await takeAway(volumeClaims, await tenant.claim("retained"));
  await takeAway(volumeClaims, await tenant.claim("forced"));

  operator = await cell.startOperator({ OPERATOR_SWEEP_MS: String(sweepMs) });
  await until(
    () => cell.record(tenant.inDirectory("forced")),
    ({ status }) => status === 404,
    20_000,
  );
  // What was found together is given back together.
  for (const [name, host] of [
    ["stays", `${tenant.inDirectory("stays")}.at.test`],
    ["parked", null],
    ["giver", null],
  ] as const) {
    await until(
      () => cell.record(tenant.inDirectory(name)),
      ({ status, body }) => status === 200 && body.host === host,
    );
  }
  expect(await cell.record(tenant.inDirectory("retained"))).toMatchObject({ status: 200 });

  await takeAway(volumeClaims, await tenant.claim("parked"));
  await takeAway(volumes, await read(cell.client, volumes, { name: parked }));
  await until(
    () => cell.record(tenant.inDirectory("parked")),
    ({ status }) => status === 404,
    20_000,
  );
  for (const name of ["stays", "retained", "giver"]) {
    expect(await cell.record(tenant.inDirectory(name))).toMatchObject({ status: 200 });
  }
}, 90_000);
