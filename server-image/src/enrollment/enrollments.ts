import type { AtSign, EnrollmentState } from "@atrium/protocol";
import type { Connection, Enrollment } from "../connection.ts";
import { isRoot, mayManage } from "../rights/rights.ts";
import type { Store } from "../store/store.ts";
import { notApproved } from "./decisions.ts";
import { Ledger, parseEnrollment } from "./ledger.ts";
import { type EnrollmentRecord, grantedBy, shownEnrollment } from "./record.ts";

interface Options {
  readonly atSign: AtSign;
  readonly store: Pick<Store, "getLive">;
  /** Closes the connections for which `test` holds. */
  readonly endConnections: (test: (connection: Connection) => boolean) => void;
  /** epoch milliseconds */
  readonly now: () => number;
}

const maxTimerMs = 2 ** 31 - 1;
/** As many as may be approved: what was read of others is not looked for again. */
const maxRead = 500;

/** The apps that may act for the owner, each within its namespaces, as they are now. */
export class Enrollments {
  readonly #options: Options;
  readonly #ledger: Ledger;
  /** each ends the watch of a connection */
  readonly #expiries = new WeakMap<Connection, () => void>();
  /** by id, with the text that it was read from: who changes that changes this */
  readonly #read = new Map<string, { text: string; record: EnrollmentRecord; granted: Enrollment }>();

  constructor(options: Options) {
    this.#options = options;
    this.#ledger = new Ledger(options);
  }

  /** The record of an enrolment in whatever state; undefined when there is none, or it has expired. */
  find(id: string): EnrollmentRecord | undefined {
    return this.#find(id)?.record;
  }

  /**
   * An app that may log in, and what it may do then.
   *
   * @throws {ProtocolError} when it may not
   */
  approved(id: string): { readonly record: EnrollmentRecord; readonly granted: Enrollment } {
    const found = this.#find(id);
    if (found?.record.approval.state === "approved") return found;
    throw notApproved(id, found?.record.approval.state);
  }

  /**
   * Whether a key that logs in without an enrolment is that of an app that was revoked: it is no way around that. While
   * no other app may do everything it stays one, or the owner would be locked out.
   */
  isRevokedKey(publicKey: string): boolean {
    const all = this.#ledger.all().map(([, record]) => record);
    const ofKey = all.filter(({ apkamPublicKey }) => apkamPublicKey === publicKey);
    const isApproved = ({ approval }: EnrollmentRecord) => approval.state === "approved";
    if (ofKey.some(isApproved) || !ofKey.some(({ approval }) => approval.state === "revoked")) return false;
    return all.some((record) => isApproved(record) && isRoot(grantedBy(record)));
  }

  /** @throws {ProtocolError} which closes, when an app that has logged in may do nothing any more */
  assertActive({ id }: Pick<Enrollment, "id">): void {
    const state = this.find(id)?.approval.state;
    if (state !== "approved") throw notApproved(id, state, true);
  }

  /**
   * Closes a connection that has logged in when its enrolment expires: one that only listens sends no command by which
   * that would be seen.
   */
  endWithExpiry(connection: Connection, { id }: Pick<Enrollment, "id">): void {
    this.#expiries.get(connection)?.();
    const expiresAt = this.#ledger.expiresAt(id);
    if (expiresAt === undefined) return;
    const { endConnections, now } = this.#options;
    const check = () => {
      if (connection.enrollment?.id !== id) return;
      if (this.find(id) === undefined) endConnections((each) => each === connection);
      // The clock was set, or it is farther away than a timer can tell.
      else this.endWithExpiry(connection, { id });
    };
    const timer = setTimeout(check, Math.min(Math.max(1, expiresAt - now()), maxTimerMs)).unref();
    const forget = connection.channel.onClose(() => clearTimeout(timer));
    this.#expiries.set(connection, () => {
      clearTimeout(timer);
      forget();
    });
  }

  /** By the names of their records, those that the asking app may see: all, or itself. */
  list(states: readonly EnrollmentState[] | undefined, asking?: Enrollment): Record<string, object> {
    const shown = this.#ledger.all().filter(([id, { approval }]) => {
      return maySee(asking, id) && (states === undefined || states.includes(approval.state));
    });
    return Object.fromEntries(shown.map(([id, record]) => [this.#ledger.keys.enrollment(id), shownEnrollment(record)]));
  }

  /** The records of the encrypted keys that an app is given when it is approved. */
  defaultKeysOf(id: string): { readonly encryption: string; readonly self: string } {
    return this.#ledger.keys.defaultKeys(id);
  }

  #find(given: string) {
    const id = given.toLowerCase();
    const text = this.#ledger.text(id);
    const before = this.#read.get(id);
    if (text === undefined) {
      this.#read.delete(id);
      return undefined;
    }
    if (before?.text === text) return before;
    const record = parseEnrollment(text);
    const found = { text, record, granted: { id, namespaces: grantedBy(record) } };
    // Of those that are gone nobody asks again.
    if (this.#read.size >= maxRead) this.#read.clear();
    this.#read.set(id, found);
    return found;
  }
}

export const noManage = 'The approving enrollment does not have access to "__manage" namespace';

/** Whether an app may see an enrolment: its own, or all when it manages them. */
export function maySee(asking: Enrollment | undefined, id: string): boolean {
  return asking === undefined || asking.id === id.toLowerCase() || mayManage(asking.namespaces);
}
