import { Certificates } from "../certificate.ts";
import type { Figure } from "../figure.ts";
import { fill } from "../owner.ts";
import { atServer, startAtServer } from "../servers/atserver.ts";
import { serversUnderRequests } from "./requests-load.ts";

/** A page costs the same wherever it is in whatever log: 1.2 times as much at most is 0.83 times as many. */
export const syncPage: Figure = {
  name: "sync-page",
  title: "atServer: pages of 25 entries per CPU second from a commit log of 1,000,000, beside one of 100",
  unit: "1/s",
  peer: "100 entries",
  target: { of: "ratio", bound: "≥", value: 0.83 },
  async measure(resources, say) {
    const certificates = new Certificates(resources);
    const { caFile } = certificates;
    const { atSign, host, secret } = atServer;
    const filled = async (entries: number) => {
      const { pid, port } = await startAtServer(resources, certificates);
      say(`storing ${entries} records`);
      await fill({ port, atSign, host, caFile }, entries);
      const parameters = { operation: "sync", atSign, secret, entries: String(entries) };
      return { pid, port, servername: host, caFile, dialect: "atserver", parameters } as const;
    };
    const targets = { ours: await filled(1_000_000), peer: await filled(100) };
    return await serversUnderRequests(resources, { ...targets, connections: 64 }, say);
  },
};
