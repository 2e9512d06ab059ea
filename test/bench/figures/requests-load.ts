import { alternate } from "../alternate.ts";
import type { Comparison, Sample } from "../figure.ts";
import { LoadGroup } from "../load/group.ts";
import type { RequestOptions } from "../load/requests.ts";
import { placement } from "../processors.ts";
import type { Resources } from "../resources.ts";

type Target = Omit<RequestOptions, "connections"> & { readonly pid: number };

const maxProcesses = 2;
const windowMs = 2_000;
const rounds = 7;

/** The same number of clients at our server and at its peer, in turn; each waits for its answer before it asks again. */
export async function serversUnderRequests(
  resources: Resources,
  { connections, ...targets }: { readonly ours: Target; readonly peer: Target; readonly connections: number },
  say: (progress: string) => void,
): Promise<Comparison> {
  const processes = Math.min(maxProcesses, connections);
  const open = ({ pid: _, ...options }: Target) => {
    const each: RequestOptions = { ...options, connections: connections / processes };
    return LoadGroup.open(
      resources,
      "requests.ts",
      Array.from({ length: processes }, () => each),
    );
  };
  const loads = { ours: await open(targets.ours), peer: await open(targets.peer) };
  if (loads.ours.description !== loads.peer.description) {
    throw new Error(`ours speaks ${loads.ours.description}, the peer ${loads.peer.description}`);
  }
  const sample = async (side: "ours" | "peer"): Promise<Sample> => {
    const window = await loads[side].run(targets[side].pid, windowMs);
    return { value: window.operations / window.serverCpuSeconds, ...window.cores };
  };
  const samples = await alternate({ ours: () => sample("ours"), peer: () => sample("peer") }, rounds, say);
  return {
    ...samples,
    conditions: `${connections} connections, no pipelining, ${placement}, ${loads.ours.description}`,
  };
}
