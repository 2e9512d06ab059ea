import { Certificates } from "../certificate.ts";
import type { Comparison } from "../figure.ts";
import type { Resources } from "../resources.ts";
import { atServer, startAtServer } from "../servers/atserver.ts";
import { startRedis } from "../servers/redis.ts";
import { serversUnderRequests } from "./requests-load.ts";

interface Operations {
  readonly ours: "llookup" | "update";
  readonly peer: "get" | "set";
  readonly durable: boolean;
  readonly connections?: number;
}

/** One operation of the atServer's owner beside the one of Redis that does the same. */
export async function atServerBesideRedis(
  resources: Resources,
  say: (progress: string) => void,
  { ours, peer, durable, connections = 64 }: Operations,
): Promise<Comparison> {
  const certificates = new Certificates(resources);
  const server = await startAtServer(resources, certificates);
  const host = "redis.example.org";
  const redis = await startRedis(resources, { certificate: certificates.issue({ dns: [host] }), durable });
  const { caFile } = certificates;
  const { atSign, secret } = atServer;
  const comparison = await serversUnderRequests(
    resources,
    {
      connections,
      ours: {
        ...{ pid: server.pid, port: server.port, servername: atServer.host, caFile },
        ...{ dialect: "atserver", parameters: { operation: ours, atSign, secret } },
      },
      peer: {
        ...{ pid: redis.pid, port: redis.port, servername: host, caFile },
        ...{ dialect: "redis", parameters: { operation: peer } },
      },
    },
    say,
  );
  return { ...comparison, conditions: `100 byte values, ${comparison.conditions}` };
}
