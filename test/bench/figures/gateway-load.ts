import { alternate } from "../alternate.ts";
import type { Comparison, Sample } from "../figure.ts";
import { LoadGroup, type Window } from "../load/group.ts";
import { placement } from "../processors.ts";
import type { Resources } from "../resources.ts";
import { startGateways } from "../servers/gateways.ts";

interface Options<O> {
  readonly script: string;
  /** of each load process */
  readonly load: (port: number) => O;
  readonly processes: number;
  readonly value: (window: Window) => number;
  readonly conditions: string;
}

const windowMs = 2_000;
const rounds = 7;

/** The same load on our gateway and on its peer, in turn. */
export async function gatewayUnderLoad<O extends object>(
  resources: Resources,
  say: (progress: string) => void,
  { script, load, processes, value, conditions }: Options<O>,
): Promise<Comparison> {
  const { ours, peer } = await startGateways(resources);
  const open = (port: number) =>
    LoadGroup.open(
      resources,
      script,
      Array.from({ length: processes }, () => load(port)),
    );
  const loads = { ours: await open(ours.port), peer: await open(peer.port) };
  const sample = async (group: LoadGroup, pid: number): Promise<Sample> => {
    const window = await group.run(pid, windowMs);
    return { value: value(window), ...window.cores };
  };
  const samples = await alternate(
    { ours: () => sample(loads.ours, ours.pid), peer: () => sample(loads.peer, peer.pid) },
    rounds,
    say,
  );
  return { ...samples, conditions: `${conditions}, ${placement}, ${loads.ours.description}` };
}
