import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const atSigns = 10_000;
const kilobyte = 1_000;

const uid = (kind: string, i: number) => `${kind}-0000-4000-8000-${String(i).padStart(12, "0")}`;

const managedFields = Array.from({ length: 3 }, (_, i) => ({
  ...{
    manager: `manager-${i}`,
    operation: "Apply",
    apiVersion: "v1",
    time: "2026-01-01T00:00:00Z",
    fieldsType: "FieldsV1",
  },
  fieldsV1: Object.fromEntries(Array.from({ length: 30 }, (_, field) => [`f:field-${field}`, { "f:value": {} }])),
}));

function meta(kind: string, i: number) {
  return {
    ...{
      namespace: `customer-${i % 20}`,
      name: `alice-${i}`,
      uid: uid(kind, i),
      resourceVersion: `${i}`,
      generation: 1,
    },
    ...{ creationTimestamp: "2026-01-01T00:00:00Z", finalizers: ["atrium.dev/cleanup"], managedFields },
    labels: {
      "app.kubernetes.io/name": "atserver",
      "app.kubernetes.io/managed-by": "atrium",
      "atrium.dev/atsign": `a-${i}`,
    },
  };
}

const condition = (type: string) => ({
  ...{ type, status: "True", reason: "Serving", observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z" },
  message: "The atServer serves clients.",
});

function atSign(i: number) {
  return {
    ...{ apiVersion: "atrium.dev/v1alpha1", kind: "AtSign", metadata: meta("a", i) },
    spec: { atSign: `@alice${i}`, runPolicy: "Always", deletionPolicy: "Retain" },
    status: {
      ...{ observedGeneration: 1, host: `alice${i}.at.example.org`, port: 443, epoch: 1_795_413_600_123 },
      pod: { name: `alice-${i}-atserver`, uid: uid("p", i) },
      conditions: ["Ready", "Claimed", "Provisioned", "Listed", "Activated", "Degraded"].map(condition),
    },
  };
}

/** About as large as the kubelet leaves one. */
function pod(i: number) {
  const env = Array.from({ length: 10 }, (_, n) => ({ name: `ATSERVER_SETTING_${n}`, value: `value-${n}-of-${i}` }));
  const owner = {
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSign",
    name: `alice-${i}`,
    uid: uid("a", i),
    controller: true,
  };
  return {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { ...meta("p", i), ownerReferences: [owner] } },
    spec: {
      containers: [
        { name: "atserver", image: "atrium-atserver:1.4.0", env, resources: { limits: { memory: "128Mi" } } },
      ],
      ...{ nodeName: `node-${i % 100}`, restartPolicy: "OnFailure", serviceAccountName: "default" },
      volumes: Array.from({ length: 3 }, (_, n) => ({ name: `volume-${n}`, emptyDir: { sizeLimit: "1Mi" } })),
    },
    status: {
      ...{ phase: "Running", podIP: `10.1.${i >> 8}.${i & 255}`, startTime: "2026-01-01T00:00:00Z" },
      conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
      containerStatuses: [
        { name: "atserver", ready: true, restartCount: 0, containerID: `containerd://${uid("c", i)}` },
      ],
    },
  };
}

/** As the API server streams a list. */
async function stream(response: ServerResponse, object: (i: number) => object): Promise<void> {
  for (let i = 0; i < atSigns; i++) {
    const more = response.write(`${JSON.stringify({ type: "ADDED", object: object(i) })}\n`);
    if (!more) await once(response, "drain");
  }
  const metadata = { resourceVersion: "20000", annotations: { "k8s.io/initial-events-end": "true" } };
  response.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata } })}\n`);
}

test("ten thousand AtSigns with their Pods take less than 25 KB each, of the 40 KB for the whole operator", async () => {
  const server = createServer(({ url }, response) => {
    void stream(response, url?.startsWith("/api/v1/pods?") ? pod : atSign);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const script = fileURLToPath(new URL("testing/memory.ts", import.meta.url));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // Without it garbage takes half of the memory for as long as nothing asks for it.
  const child = spawn(process.execPath, ["--max-semi-space-size=4", script, url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { keys, rss } = (await json(child.stdout)) as { keys: number; rss: number };
  server.closeAllConnections();
  server.close();
  expect(keys).toBe(atSigns);
  expect(rss / atSigns).toBeLessThan(25 * kilobyte);
});
