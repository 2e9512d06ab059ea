/** How long nothing must have happened. */
const quietMs = 10_000;
/** After the start, when what only the start needed can go. */
const startedMs = 1_000;

type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

/**
 * Gives memory back to the machine when the work is done: V8 alone keeps what it once needed. Without `--expose-gc`
 * this does nothing.
 *
 * @param work grows with each command; a stand-still means quiet
 * @param collect takes some 10 ms, in which nothing else runs
 */
export function releaseWhenQuiet(
  work: () => number,
  collect: Collect | undefined = (globalThis as { gc?: Collect }).gc,
): Disposable {
  let collectedAt = -1;
  let seen = -1;
  let timer: NodeJS.Timeout;
  const look = () => {
    const now = work();
    if (now === seen && now !== collectedAt) {
      collect?.({ type: "major", execution: "sync", flavor: "last-resort" });
      collectedAt = now;
    }
    seen = now;
    timer = setTimeout(look, quietMs).unref();
  };
  if (collect !== undefined) {
    seen = work();
    timer = setTimeout(look, startedMs).unref();
  }
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
