import { Certificates } from "../certificate.ts";
import type { Figure, Sample } from "../figure.ts";
import { fill, Owner } from "../owner.ts";
import { atServer, startAtServer } from "../servers/atserver.ts";

const keys = 100_000;
const rounds = 7;

export const scan: Figure = {
  name: "scan",
  title: "atServer: scan of 100,000 names, to the last byte",
  unit: "ms",
  target: { of: "ours", bound: "≤", value: 100 },
  async measure(resources, say) {
    const certificates = new Certificates(resources);
    const { caFile } = certificates;
    const { port } = await startAtServer(resources, certificates);
    const { atSign, host } = atServer;
    say(`storing ${keys} records`);
    await fill({ port, atSign, host, caFile }, keys);
    using owner = await Owner.logIn({ port, atSign, host, caFile });
    const ours: Sample[] = [];
    let bytes = 0;
    // The first one compiles the code.
    for (let round = 0; round <= rounds; round++) {
      const began = performance.now();
      bytes = await owner.ask("scan");
      const value = performance.now() - began;
      if (round > 0) ours.push({ value });
      say(`round ${round} of ${rounds}: ${value.toPrecision(4)} ms`);
    }
    return { ours, peer: [], conditions: `${bytes} bytes of reply, one connection, nothing else to do` };
  },
};
