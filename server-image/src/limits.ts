/** The bounds of a connection. All times in milliseconds. */
export interface Limits {
  /** of a command from the owner, and from other atServers (whose notifications may be large), its newline included */
  readonly maxLineBytes: number;
  /**
   * Of any other command: none that anybody may send is longer. Also what a connection may hold without a share of the
   * budget for large commands.
   */
  readonly maxSmallLineBytes: number;
  /** replies longer than this are written piece by piece, and share a budget */
  readonly pieceBytes: number;
  /** from the first byte of a command to its last, for small ones and for large ones */
  readonly smallLineMs: number;
  readonly largeLineMs: number;
  /** how long a client may take nothing of what is there for it, and how long it may take for all of a large reply */
  readonly unreadMs: number;
  readonly largeReplyMs: number;
  /** how long a large reply waits until there is memory for it */
  readonly turnMs: number;
  /** how long to go on reading, and throwing away, once the last reply is written: a reset could overtake the reply */
  readonly lingerMs: number;
}

export const defaultLimits: Limits = {
  maxLineBytes: 10_240_000,
  maxSmallLineBytes: 65_536,
  pieceBytes: 65_536,
  smallLineMs: 30_000,
  largeLineMs: 120_000,
  unreadMs: 30_000,
  largeReplyMs: 120_000,
  turnMs: 20_000,
  lingerMs: 5_000,
};

const idleMs = 600_000;
const leastIdleMs = { anonymous: 5_000, owner: 60_000, peer: 60_000 } as const;

/**
 * How long a connection may be idle: ten minutes up to half of the capacity, then falling in a straight line.
 *
 * @param load connections now, and at most
 */
export function idleLimitMs(
  state: keyof typeof leastIdleMs,
  { connections, capacity }: { connections: number; capacity: number },
): number {
  const lowWater = capacity / 2;
  if (connections <= lowWater) return idleMs;
  const least = leastIdleMs[state];
  const share = Math.min(1, (connections - lowWater) / (capacity - lowWater));
  return Math.floor((idleMs - least) * (1 - share) + least);
}
