import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Hosting } from "./hosted.ts";

let hosting: Hosting;

beforeAll(async () => {
  hosting = await Hosting.start((progress) => process.stderr.write(`${progress}\n`));
  hosting.namespace("customer-a");
  hosting.namespace("customer-b");
}, 600_000);

afterAll(async () => {
  await hosting?.[Symbol.asyncDispose]();
}, 120_000);

describe("an Atsign in a cluster", () => {
  test("is made by kubectl apply, seen by kubectl get, and activated with the secret that Kubernetes has", async () => {
    hosting.cluster.kubectl("apply", "-f", new URL("../../../docs/examples/alice.yaml", import.meta.url).pathname);
    const { status } = await hosting.until("default", "@alice", "Ready", "Serving");
    expect(status).toMatchObject({ host: "alice.at.example.org", activationSecret: "alice-activation" });
    const [head = "", row = ""] = hosting.cluster.kubectl("get", "atsigns", "-A").split("\n");
    expect(head.split(/\s+/)).toEqual(expect.arrayContaining(["ATSIGN", "STATE", "HOST", "CLASS", "AGE"]));
    expect(row).toMatch(/@alice\s+Serving\s+alice\.at\.example\.org\s+standard/);

    await hosting.activate("default", "@alice");
    await using alice = await hosting.client("@alice");
    await alice.put("phone.demo", "+1 555 0100");
    expect((await alice.get("phone.demo")).value).toBe("+1 555 0100");
    await hosting.until("default", "@alice", "Activated", "Activated");
    expect(hosting.cluster.kubectl("get", "secret", "alice-activation", "--ignore-not-found")).toBe("");
  }, 120_000);

  test("shares with another one, by mutual TLS and proof of who asks", async () => {
    hosting.apply("customer-a", "@bob");
    await hosting.activate("customer-a", "@bob");
    await using alice = await hosting.client("@alice");
    await using bob = await hosting.client("@bob");
    await alice.put("@bob:greeting.demo", "hello");
    expect((await bob.get("greeting.demo@alice")).value).toBe("hello");
    await bob.put("@alice:answer.demo", "hello back");
    expect((await alice.get("answer.demo@bob")).value).toBe("hello back");
  }, 120_000);

  test("is refused to the second who asks for its name, and says so", async () => {
    hosting.apply("customer-b", "@bob");
    const { status } = await hosting.until("customer-b", "@bob", "Ready", "Unclaimed");
    expect(status?.pod).toBeUndefined();
    await using bob = await hosting.client("@bob");
    expect((await bob.get("@alice:answer.demo")).value).toBe("hello back");
    hosting.cluster.kubectl("-n", "customer-b", "delete", "atsign", "bob", "--timeout=60s");
  }, 120_000);

  test("that is suspended serves nobody and keeps its data", async () => {
    hosting.apply("customer-a", "@bob", { runPolicy: "Suspended" });
    await hosting.until("customer-a", "@bob", "Ready", "Suspended");
    const { gateway } = hosting.platform;
    const refused = connect({ ...gateway, servername: "bob.at.example.org", rejectUnauthorized: false });
    await expect(new Promise((_resolve, reject) => refused.once("error", reject))).rejects.toThrow();
    hosting.apply("customer-a", "@bob", { runPolicy: "Always" });
    await hosting.until("customer-a", "@bob", "Ready", "Serving");
    await using bob = await hosting.client("@bob");
    expect((await bob.get("@alice:answer.demo")).value).toBe("hello back");
  }, 120_000);

  test("loses nothing that was acknowledged when its process is killed, and is back in seconds", async () => {
    const acknowledged: number[] = [];
    let killed = false;
    const writing = (async () => {
      await using alice = await hosting.client("@alice");
      for (let number = 0; ; number++) {
        await alice.put("counter.demo", String(number));
        acknowledged.push(number);
      }
    })().catch(() => undefined);
    while (acknowledged.length < 20) await new Promise(setImmediate);
    const began = performance.now();
    process.kill(processOf("@alice"), "SIGKILL");
    killed = true;
    await writing;
    expect(killed).toBe(true);
    for (;;) {
      try {
        await using alice = await hosting.client("@alice");
        const value = Number((await alice.get("counter.demo")).value);
        // What was under way may have been written, too.
        expect([acknowledged.at(-1), (acknowledged.at(-1) ?? 0) + 1]).toContain(value);
        break;
      } catch (error) {
        if (performance.now() - began > 20_000) throw error;
      }
    }
    const tookMs = performance.now() - began;
    process.stderr.write(`served again ${Math.round(tookMs)} ms after kill -9\n`);
    expect(tookMs).toBeLessThan(5_000);
  }, 60_000);

  test("that is deleted keeps its data, and has it again; with Delete it has not", async () => {
    hosting.cluster.kubectl("-n", "customer-a", "delete", "atsign", "bob", "--timeout=60s");
    hosting.cluster.kubectl("-n", "customer-a", "wait", "pod/bob-atserver", "--for=delete", "--timeout=60s");
    expect(hosting.cluster.kubectl("-n", "customer-a", "get", "pvc", "-o", "name")).toContain("bob-data");
    hosting.apply("customer-a", "@bob", { deletionPolicy: "Delete" });
    await hosting.until("customer-a", "@bob", "Ready", "Serving");
    {
      await using bob = await hosting.client("@bob");
      expect((await bob.get("@alice:answer.demo")).value).toBe("hello back");
    }
    hosting.cluster.kubectl("-n", "customer-a", "delete", "atsign", "bob", "--timeout=60s");
    hosting.cluster.kubectl("-n", "customer-a", "wait", "pvc/bob-data", "--for=delete", "--timeout=60s");
    hosting.apply("customer-b", "@bob");
    await hosting.until("customer-b", "@bob", "Ready", "Serving");
    await hosting.until("customer-b", "@bob", "Activated", "NotActivated");
  }, 180_000);
});

/** The atServer's process: the only one with these settings; tests beside this one have others of that name. */
function processOf(atSign: string): number {
  const settings = [`ATSERVER_ATSIGN=${atSign}`, "ATSERVER_DATA=/data"];
  const found = hosting.cluster.processes((environment) => settings.every((each) => environment.includes(each)));
  expect(found).toHaveLength(1);
  return found[0] ?? -1;
}
