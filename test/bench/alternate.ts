import type { Sample } from "./figure.ts";

interface Sides {
  readonly ours: () => Promise<Sample>;
  readonly peer: () => Promise<Sample>;
}

/**
 * Measures both sides in turn, A B A B …, so that whatever else the machine does meanwhile hits both. A first round,
 * in which code is compiled and caches are filled, does not count.
 */
export async function alternate(
  { ours, peer }: Sides,
  rounds: number,
  say: (progress: string) => void,
): Promise<{ ours: Sample[]; peer: Sample[] }> {
  const samples: { ours: Sample[]; peer: Sample[] } = { ours: [], peer: [] };
  for (let round = 0; round <= rounds; round += 1) {
    const sample = { ours: await ours(), peer: await peer() };
    say(
      `${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}: ${sample.ours.value.toPrecision(4)} and ${sample.peer.value.toPrecision(4)}`,
    );
    if (round === 0) continue;
    samples.ours.push(sample.ours);
    samples.peer.push(sample.peer);
  }
  return samples;
}

/** @throws {RangeError} when there is no number */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const before = sorted[Math.ceil(sorted.length / 2) - 1];
  if (middle === undefined || before === undefined) throw new RangeError("no number to take the median of");
  return (middle + before) / 2;
}
