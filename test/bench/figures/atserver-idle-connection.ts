import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";
import { Certificates } from "../certificate.ts";
import type { Figure } from "../figure.ts";
import { privateBytes } from "../meters.ts";
import { atServer, startAtServer } from "../servers/atserver.ts";

/** As many as others than the owner may have. */
const connections = 180;
/** Until the server has done what it does when it has been quiet. */
const settleMs = 24_000;

export const atServerIdleConnection: Figure = {
  name: "atserver-idle-connection",
  title: "atServer: memory per idle connection",
  unit: "KB",
  target: { of: "ours", bound: "≤", value: 100 },
  async measure(resources, say) {
    const certificates = new Certificates(resources);
    const server = await startAtServer(resources, certificates);
    const ca = readFileSync(certificates.caFile);
    await delay(settleMs);
    const before = privateBytes(server.pid);
    const sockets = await Promise.all(
      Array.from({ length: connections }, async () => {
        const socket = connect({ port: server.port, host: "127.0.0.1", servername: atServer.host, ca });
        await once(socket, "data");
        socket.write("noop:0\n");
        await once(socket, "data");
        return socket;
      }),
    );
    say(`${connections} connections idle; measuring in ${settleMs / 1_000} s`);
    await delay(settleMs);
    const ours = [{ value: (privateBytes(server.pid) - before) / 1_024 / connections }];
    for (const socket of sockets) socket.destroy();
    return { ours, peer: [], conditions: `${connections} TLS connections that were answered once, then quiet` };
  },
};
