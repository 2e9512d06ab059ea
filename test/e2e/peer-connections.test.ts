import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { expect, test } from "@jest/globals";
import { Certificates } from "../bench/certificate.ts";
import { privateBytes } from "../bench/meters.ts";
import { Resources } from "../bench/resources.ts";
import { atServer, startAtServer } from "../bench/servers/atserver.ts";

const connections = 2_500;

/** Says one thing, as another atServer that shows its certificate and the chain behind it. */
async function visit(open: () => TLSSocket): Promise<void> {
  const socket = open();
  await once(socket, "data");
  socket.write("from:@alice\n");
  const [reply] = (await once(socket, "data")) as [Buffer];
  expect(reply.toString()).toMatch(/^data:_/);
  socket.end();
  socket.resume();
  await once(socket, "close");
}

/** Node's TLS server leaves 4.7 KB of each behind: see server-image/src/peer-certificate.ts. */
test("a connection on which a certificate was shown leaves no memory behind", async () => {
  await using resources = new Resources();
  const certificates = new Certificates(resources);
  const ca = readFileSync(certificates.caFile);
  const peer = certificates.issue({ dns: ["bob.example.org"], client: true });
  const shown = { cert: readFileSync(peer.certificateFile), key: readFileSync(peer.keyFile) };
  const { port, pid } = await startAtServer(resources, certificates);
  const open = () => connect({ port, host: "127.0.0.1", servername: atServer.host, ca, ...shown });
  const visits = async (count: number) => {
    let left = count;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (left-- > 0) await visit(open);
      }),
    );
  };
  await visits(500);
  const before = privateBytes(pid);
  await visits(connections);
  expect((privateBytes(pid) - before) / connections).toBeLessThan(2_000);
});
