import { expect, test } from "@jest/globals";
import { type AtSign, atSigns } from "../resources/at-sign.ts";
import { type Pod, pods } from "./kubernetes-objects.ts";
import { applyAtSign, list, makeNamespace, patch, read, startCell, told, until } from "./testing/cell.ts";

const of = { namespace: "customer", name: "alice" };

test("a name is of one of two clusters, though their objects are called the same, until it is handed over", async () => {
  await using one = await startCell({ name: "one", cells: ["one", "two"] });
  await using two = await startCell({ name: "two", platform: one.platform });
  for (const { client } of [one, two]) await makeNamespace(client, of.namespace);
  const alice = await applyAtSign(one.client, of.namespace, of.name);
  await applyAtSign(two.client, of.namespace, of.name);
  // The first one alone runs at first: no name is anybody's before all cells have told theirs.
  await using _one = await one.startOperator();
  const sees = (cell: typeof one, type: string, what: string) =>
    until(
      () => read<AtSign>(cell.client, atSigns, of),
      (seen) => told(seen, type) === what,
      30_000,
    );
  await sees(one, "Claimed", "False:DirectoryIncomplete");
  await using _two = await two.startOperator({ OPERATOR_ZONE: "two.at.test" });
  const podsOf = async ({ client }: typeof one) => await list<Pod>(client, pods, of.namespace);
  const [first, second] = await until(
    async () => [await podsOf(one), await podsOf(two)] as const,
    ([a, b]) => a.length + b.length > 0,
    30_000,
  );
  const [owner, other] = first.length > 0 ? [one, two] : [two, one];
  await sees(other, "Claimed", "False:NameTaken");
  expect(first.length + second.length).toBe(1);
  expect(await podsOf(other)).toEqual([]);
  const to = owner === one ? "two" : "one";
  await patch(owner.client, atSigns, alice, {
    metadata: { annotations: { "atrium.dev/release-to": `${to}/customer/alice` } },
  });
  await sees(owner, "Claimed", "False:Released");
  await until(
    () => podsOf(other),
    ({ length }) => length === 1,
    30_000,
  );
  // The kubelet's part; there is none here.
  for (const pod of await podsOf(owner)) expect(pod.metadata.deletionTimestamp).toBeDefined();
}, 120_000);
