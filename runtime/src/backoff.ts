/**
 * Pauses between attempts: exponential with full jitter on the upper half, so that many who failed together do not
 * come back together.
 *
 * @param attempt 0 for the pause after the first failure
 * @returns milliseconds, between half of and the whole `min(maxMs, minMs * 2^attempt)`
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog ("equal jitter")
 */
export function backoffMs(
  attempt: number,
  { minMs, maxMs, random = Math.random }: { minMs: number; maxMs: number; random?: () => number },
): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (random() * ceiling) / 2;
}
