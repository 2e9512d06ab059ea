import { connect as connectTcp } from "node:net";
import type { TLSSocket } from "node:tls";
import { one, two } from "@atrium/runtime/tls-files.vectors.ts";
import { describe, expect, test } from "@jest/globals";
import { dial, listen, read, readAll } from "./testing/listener.ts";

describe("the listener", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "speaks %s, and asks for no certificate that must be shown",
    async (version) => {
      await using at = await listen();
      const socket = dial(at.server, { minVersion: version, maxVersion: version });
      expect(await read(socket)).toBe("@");
      expect(socket.getProtocol()).toBe(version);
      socket.write("noop:0\n");
      expect(await read(socket)).toBe("data:ok\n@");
      socket.destroy();
    },
  );

  test("takes clients with a certificate, also one that it does not trust, and without a name", async () => {
    await using at = await listen();
    for (const options of [
      { cert: two.certificate, key: two.key },
      { cert: one.certificate, key: one.key },
      { ALPNProtocols: ["atProtocol/1.0"] },
      { ALPNProtocols: ["h2", "http/1.1", "atProtocol/1.0"] },
      { servername: "" },
    ]) {
      const socket = dial(at.server, options);
      expect(await read(socket)).toBe("@");
      socket.destroy();
    }
  });

  test.each(["TLSv1", "TLSv1.1"] as const)("refuses %s", async (version) => {
    await using at = await listen();
    expect(
      await readAll(dial(at.server, { minVersion: version, maxVersion: version, ciphers: "ALL:@SECLEVEL=0" })),
    ).toBe("");
  });

  test("closes plain HTTP and whoever does not finish the handshake", async () => {
    await using at = await listen({ handshakeMs: 50 });
    const http = connectTcp(at.server.address.port, "127.0.0.1");
    http.write("GET / HTTP/1.1\r\n\r\n");
    expect(await readAll(http)).not.toContain("HTTP/1");
    const silent = connectTcp(at.server.address.port, "127.0.0.1");
    await readAll(silent);
    expect(at.counts.handshakesFailed).toBe(2);
    expect(at.server.connections).toBe(0);
  });

  test("takes up a new certificate for new connections, and keeps the old ones", async () => {
    await using at = await listen();
    const before = dial(at.server);
    await read(before);
    at.change(two);
    const after = dial(at.server);
    await read(after);
    expect(before.getPeerCertificate().subject.CN).toBe("one");
    expect(after.getPeerCertificate().subject.CN).toBe("two");
    before.write("noop:0\n");
    expect(await read(before)).toBe("data:ok\n@");
    before.destroy();
    after.destroy();
  });

  test("tells the 201st connection why it is not served, and takes the next one when a place is free", async () => {
    await using at = await listen();
    const sockets: TLSSocket[] = [];
    for (let i = 0; i < 200; i += 20) {
      const some = Array.from({ length: 20 }, () => dial(at.server));
      expect(new Set(await Promise.all(some.map(read)))).toEqual(new Set(["@"]));
      sockets.push(...some);
    }
    expect(await readAll(dial(at.server))).toBe("error:AT0012-Inbound connection limit exceeded\n");
    sockets[0]?.end();
    while (at.server.connections === 200) await new Promise((resolve) => setTimeout(resolve, 5));
    const next = dial(at.server);
    expect(await read(next)).toBe("@");
    for (const socket of [...sockets, next]) socket.destroy();
  });

  test("keeps its last places for those who log in", async () => {
    await using at = await listen({ maxConnections: 8 });
    const sockets = Array.from({ length: 4 }, () => dial(at.server));
    await Promise.all(sockets.map(read));
    const late = dial(at.server);
    await read(late);
    at.clock.advance(10_000);
    const later = dial(at.server);
    await read(later);
    expect(await readAll(late)).toBe("");
    for (const socket of [...sockets, later]) {
      socket.write("noop:0\n");
      expect(await read(socket)).toBe("data:ok\n@");
      socket.destroy();
    }
  });

  test("drains: answers what runs, closes what idles, ends what does not end", async () => {
    const at = await listen({ drainMs: 300 });
    const idle = dial(at.server);
    await read(idle);
    const busy = dial(at.server);
    await read(busy);
    const stuck = connectTcp(at.server.address.port, "127.0.0.1");
    await new Promise((resolve) => stuck.once("connect", resolve));
    const closed = Promise.all([readAll(idle), readAll(busy), readAll(stuck)]);
    busy.write("noop:50\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
    await at.server[Symbol.asyncDispose]();
    expect(await closed).toEqual(["", "data:ok\n@", ""]);
  });

  test("gives a refusal to a client that still sends", async () => {
    await using at = await listen();
    const socket = dial(at.server);
    await read(socket);
    const reply = readAll(socket);
    for (let i = 0; i < 200; i++) socket.write("x".repeat(65_536));
    expect(await reply).toBe("error:AT0003-Exception: invalid command\n@");
  });
});
