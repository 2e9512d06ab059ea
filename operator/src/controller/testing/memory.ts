/**
 * Holds what an operator holds of ten thousand Atsigns, and says how much memory the process takes: bytes, on standard
 * output. Its only argument is the URL of an API server that has them.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ApiClient, type KubernetesObject, type Resource } from "../api.ts";
import { Reflector } from "../reflector.ts";
import { ObjectStore } from "../store.ts";
import { WorkQueue } from "../work-queue.ts";

const server = process.argv[2] ?? "";
const client = new ApiClient({ getCurrentCluster: () => ({ server }), applyToHTTPSOptions: async () => undefined });
const queue = new WorkQueue(async () => ({ againAfterMs: 600_000 }), {
  ...{ workers: 16, backoff: { minMs: 500, maxMs: 60_000 } },
  onError: (_, error) => {
    throw error;
  },
});

function reflect(resource: Resource) {
  return new Reflector<KubernetesObject>({
    ...{ client, resource },
    store: new ObjectStore<KubernetesObject>({
      uid: ({ metadata: { uid = "" } }) => [uid],
      owner: ({ metadata: { ownerReferences = [] } }) => ownerReferences.map(({ uid }) => uid),
    }),
    onChange: (key) => queue.add(key),
    onError: (error) => {
      throw error;
    },
  });
}

const reflectors = ["atsigns", "pods"].map((plural) => reflect({ group: "", version: "v1", plural }));
await Promise.all(reflectors.map(({ synced }) => synced));
queue.start();
while (queue.length > 0) await delay(10);
process.stdout.write(JSON.stringify({ keys: queue.size, rss: process.memoryUsage.rss() }));
process.exit(0);
