import { once } from "node:events";
import { describe, expect, test } from "@jest/globals";
import { askAdmin } from "./testing/admin-client.ts";
import { TestClient } from "./testing/client.ts";
import { directoryProcess } from "./testing/directory-process.ts";
import { tlsDirectory } from "./testing/tls-directory.ts";

describe("the process", () => {
  test("tells its addresses, serves all three and ends with 143", async () => {
    using tls = tlsDirectory();
    await using directory = await directoryProcess(tls, {});
    const admin = { port: directory.admin.port, ca: tls.ca, identity: tls.operator };
    const record = { host: "alice.atrium.localhost", port: 6464, claim: "c1", generation: 1, held: true };
    expect(await askAdmin(admin, "PUT", "/v1/records/alice", record)).toMatchObject({
      status: 200,
      body: { changed: true },
    });
    using client = await TestClient.connect({ port: directory.main.port, ca: tls.ca });
    expect(await client.read()).toBe("@");
    expect(await client.ask("alice")).toBe("alice.atrium.localhost:6464\r\n@");
    const metrics = await (await fetch(`http://127.0.0.1:${directory.health.port}/metrics`)).text();
    expect(metrics).toContain('directory_answers_total{source="memory",outcome="address"} 1');
    expect(metrics).toContain("directory_connections 1");
    const ready = async () => (await fetch(`http://127.0.0.1:${directory.health.port}/readyz`)).text();
    expect(await ready()).toBe("registry\n");
    const { id: registry } = (await askAdmin(admin, "GET", "/v1/registry")).body as { id: string };
    await askAdmin(admin, "PUT", "/v1/cells/local", { registry });
    expect(await ready()).toBe("ok\n");

    const exited = once(directory.child, "exit");
    directory.child.kill("SIGTERM");
    expect(await exited).toEqual([143, null]);
    expect(await client.closed).toBeUndefined();
  });

  test("ends when its supervisor is gone", async () => {
    using tls = tlsDirectory();
    await using directory = await directoryProcess(tls, {});
    const exited = once(directory.child, "exit");
    directory.child.disconnect();
    expect(await exited).toEqual([143, null]);
  });

  test("names every wrong setting and ends with 1", async () => {
    using tls = tlsDirectory();
    const started = directoryProcess(tls, { DIRECTORY_REGISTRY: "mysql://x", DIRECTORY_CELLS: "", DIRECTORY_TLS: "" });
    await expect(started).rejects.toThrow(
      /ended with 1: .*DIRECTORY_TLS is not set.*DIRECTORY_REGISTRY must be memory:.*DIRECTORY_CELLS is not set/s,
    );
  });

  test("says in one line that a port is in use", async () => {
    using tls = tlsDirectory();
    await using first = await directoryProcess(tls, {});
    const second = directoryProcess(tls, { DIRECTORY_LISTEN: `127.0.0.1:${first.main.port}` });
    await expect(second).rejects.toThrow(/ended with 1: [^\n]*EADDRINUSE[^\n]*\n$/);
  });
});
