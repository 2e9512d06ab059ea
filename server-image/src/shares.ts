import { ByteBudget } from "./byte-budget.ts";
import { LineBudget } from "./line-budget.ts";

/** Who may hold how many bytes of what is large, in memory and over all connections. */
export interface Shares {
  /** commands that arrive or run */
  readonly commands: LineBudget;
  /** what the owner reads, monitors too */
  readonly owner: ByteBudget;
  /** what everybody else reads */
  readonly others: ByteBudget;
  /** what is on its way to other atServers */
  readonly deliveries: ByteBudget;
  readonly takenBytes: number;
}

const partOfReaders = 0.2;
/** A command beside the longest one does not have to wait. */
const besideLongest = 1.25;

/**
 * Divides what may be held, so that no kind of client can take what another one needs.
 *
 * @param heldBytes in all; more when there would not be room for the longest command and reply in each share
 * @param onLargeCommand is told when one begins to arrive
 */
export function divide(heldBytes: number, maxLineBytes: number, onLargeCommand?: () => void): Shares {
  const part = Math.max(maxLineBytes, Math.floor(heldBytes * partOfReaders));
  const commandBytes = Math.max(Math.ceil(maxLineBytes * besideLongest), heldBytes - 3 * part);
  const shares = {
    commands: new LineBudget(commandBytes, maxLineBytes, onLargeCommand),
    owner: new ByteBudget(part),
    others: new ByteBudget(part),
    deliveries: new ByteBudget(part),
  };
  return {
    ...shares,
    get takenBytes() {
      return Object.values(shares).reduce((sum, { takenBytes }) => sum + takenBytes, 0);
    },
  };
}
