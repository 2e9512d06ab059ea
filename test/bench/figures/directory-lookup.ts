import { Certificates } from "../certificate.ts";
import type { Figure } from "../figure.ts";
import { directoryHost, startDirectory } from "../servers/directory.ts";
import { startRedis } from "../servers/redis.ts";
import { serversUnderRequests } from "./requests-load.ts";

const names = Array.from({ length: 1_000 }, (_, index) => `name${index}`);

export const directoryLookup: Figure = {
  name: "directory-lookup",
  title: "directory: lookup on a kept connection per CPU second, beside GET",
  unit: "1/s",
  peer: "Redis",
  target: { of: "ratio", bound: "≥", value: 0.4 },
  async measure(resources, say) {
    const certificates = new Certificates(resources);
    const { caFile } = certificates;
    const directory = await startDirectory(resources, certificates, names);
    const host = "redis.example.org";
    const redis = await startRedis(resources, { certificate: certificates.issue({ dns: [host] }) });
    return serversUnderRequests(
      resources,
      {
        connections: 64,
        ours: {
          ...{ pid: directory.pid, port: directory.port, servername: directoryHost, caFile },
          ...{ dialect: "directory", parameters: { names: names.join(","), start: "name" } },
        },
        peer: {
          ...{ pid: redis.pid, port: redis.port, servername: host, caFile },
          // As long as the addresses that the directory answers with.
          ...{ dialect: "redis", parameters: { operation: "get", value: `name500.${directoryHost}:443` } },
        },
      },
      say,
    );
  },
};
