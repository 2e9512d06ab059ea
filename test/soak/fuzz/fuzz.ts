import fc from "fast-check";
import { type Conversation, conversations, type State, show } from "./conversation.ts";
import { Target } from "./target.ts";

export interface FuzzOptions {
  /** where the data of the atServers is */
  readonly directory: string;
  /** how many lines to send, about */
  readonly lines: number;
  readonly seed: number;
  readonly states: readonly State[];
  /** told now and then */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly lines: number;
  /** of the atServer */
  readonly privateBytes: number;
}

export interface Findings {
  readonly lines: number;
  /** how to see the first fault again; undefined when there was none */
  readonly failure: string | undefined;
  /** private bytes of the atServer, over the run */
  readonly memory: readonly number[];
}

const maxLines = 80;
const runsPerBlock = 25;
/** Looking for the smallest conversation that fails may take minutes when failing means that nothing comes. */
const maxShrinkingRuns = 400;

/** Talks nonsense to an atServer until it has heard so many lines, or until one is not treated as it should be. */
export async function fuzz({ directory, lines, seed, states, onProgress }: FuzzOptions): Promise<Findings> {
  await using target = await Target.open(directory);
  const memory: number[] = [];
  let sent = 0;
  for (let block = 0; sent < lines; block++) {
    // Both follow from the seed of the block: another run that begins with it begins with the same.
    const own = (seed + block) >>> 0;
    const state = states[own % states.length] ?? "anonymous";
    const failure = await hold(target, { state, seed: own | 0 }, (count) => {
      sent += count;
    });
    if (failure !== undefined) return { lines: sent, failure, memory };
    memory.push(await target.privateBytes());
    onProgress?.({ lines: sent, privateBytes: memory.at(-1) ?? 0 });
  }
  return { lines: sent, failure: undefined, memory };
}

/** @returns the smallest conversation that was found to fail, and how */
async function hold(
  target: Target,
  { state, seed }: { state: State; seed: number },
  onLines: (count: number) => void,
): Promise<string | undefined> {
  let runsSinceFault = 0;
  const property = fc.asyncProperty(conversations(state, maxLines), async (conversation: Conversation) => {
    if (runsSinceFault > 0 && ++runsSinceFault > maxShrinkingRuns) return;
    onLines(conversation.lines.length);
    const fault = await target.hold(conversation);
    if (fault === undefined) return;
    runsSinceFault ||= 1;
    throw new Error(fault);
  });
  const result = await fc.check(property, { seed, numRuns: runsPerBlock });
  if (!result.failed) return undefined;
  const [conversation] = result.counterexample ?? [];
  const why = result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
  return `${why}\n${conversation === undefined ? "" : show(conversation)}\nperhaps seen again by --seed ${seed >>> 0} --lines 1 (path ${result.counterexamplePath})`;
}

/**
 * How much memory grew over a run, the beginning aside, in which code and caches find their size.
 *
 * @param memory at least a few figures
 * @returns bytes: the median of the last third less that of the second
 */
export function growth(memory: readonly number[]): number {
  const third = Math.floor(memory.length / 3);
  return median(memory.slice(-third)) - median(memory.slice(third, 2 * third));
}

function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
