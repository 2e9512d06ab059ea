import { randomUUID } from "node:crypto";
import { type AtSign, type EnrollmentState, type EnrollParams, ProtocolError } from "@atrium/protocol";
import type { Log } from "@atrium/runtime/log.ts";
import type { Connection, Enrollment } from "../connection.ts";
import type { Notifications } from "../notifications/notifications.ts";
import { covers, mayManage } from "../rights/rights.ts";
import type { Store, Transaction } from "../store/store.ts";
import { assertDecidable, type Decision, failed, notApproved, refused, stateAfter } from "./decisions.ts";
import { noManage } from "./enrollments.ts";
import { Ledger } from "./ledger.ts";
import type { Passcodes } from "./passcodes.ts";
import { Pauses } from "./pauses.ts";
import { type EnrollmentRecord, grantedBy } from "./record.ts";
import { RequestRate } from "./request-rate.ts";

interface Options {
  readonly atSign: AtSign;
  readonly store: Store;
  readonly passcodes: Pick<Passcodes, "use">;
  readonly notifications: Pick<Notifications, "add" | "committed">;
  /** Closes the connections for which `test` holds. */
  readonly endConnections: (test: (connection: Connection) => boolean) => void;
  readonly log: Log;
  /** epoch milliseconds */
  readonly now: () => number;
  /** milliseconds of a clock that never jumps */
  readonly monotonic: () => number;
}

/** The keys of the atSign, encrypted for one app. */
type DefaultKeys = Pick<
  EnrollParams,
  "encryptedDefaultEncryptionPrivateKey" | "encPrivateKeyIV" | "encryptedDefaultSelfEncryptionKey" | "selfEncKeyIV"
>;

const pendingLifeMs = 48 * 3_600_000;
const announcedLifeMs = 24 * 3_600_000;
/** Whoever knows a passcode that stays could ask without end. */
const maxPending = 100;
/** In all states, so that a list of them can be answered. */
const maxKnown = 500;

/** Nothing was changed: the passcode is none. */
export class WrongPasscode extends Error {
  override readonly name = "WrongPasscode";
}

/** Takes what apps ask for, and what is decided on that. Each change is one transaction, durable before it is answered. */
export class Registrar {
  readonly #options: Options;
  readonly #ledger: Ledger;
  readonly #rate = new RequestRate();
  readonly #pauses = new Pauses();

  constructor(options: Options) {
    this.#options = options;
    this.#ledger = new Ledger(options);
  }

  /** @throws {ProtocolError} when a connection asks for apps to be let in too often */
  countRequest(connection: Connection): void {
    if (this.#rate.allows(connection, this.#options.monotonic())) return;
    throw refused("Enrollment requests have exceeded the limit within the specified time frame");
  }

  /** After a wrong passcode: how long its answer is to wait. */
  pauseMs(): number {
    return this.#pauses.next(this.#options.monotonic());
  }

  /**
   * Enrols the app that activates the atSign: it may do everything, at once. Apps of that name that were enrolled before
   * are revoked: who activates again has lost their keys.
   */
  async activate(asked: EnrollmentRecord, params: DefaultKeys): Promise<Enrollment> {
    const namespaces = { ...asked.namespaces, __manage: "rw", "*": "rw" } as const;
    const record: EnrollmentRecord = { ...asked, namespaces, approval: { state: "approved" } };
    const id = randomUUID();
    const replaced = await this.#options.store.write((tx) => {
      const before = this.#ledger.allIn(tx).filter(([, each]) => isOfSameApp(each, record) && isActive(each));
      for (const [each, old] of before) this.#ledger.change(tx, each, { ...old, approval: { state: "revoked" } });
      // It does not expire: nobody could let the owner in again.
      this.#ledger.add(tx, id, record, 0);
      this.#ledger.write(tx, "privatekey:at_pkam_publickey", record.apkamPublicKey, 0);
      this.#handOver(tx, id, params, 0);
      return before.map(([each]) => each);
    });
    this.#options.endConnections(({ enrollment }) => enrollment !== undefined && replaced.includes(enrollment.id));
    return { id, namespaces: grantedBy(record) };
  }

  /**
   * Notes that an app asks to be let in, and tells the owner's apps.
   *
   * @param passcode undefined for one that the owner's connection asks for
   * @returns its id
   * @throws {WrongPasscode}
   * @throws {ProtocolError} when there is one of that app, or there are too many
   */
  async request(record: EnrollmentRecord, passcode: string | undefined): Promise<string> {
    const { store, passcodes, notifications } = this.#options;
    const id = randomUUID();
    await store.write((tx) => {
      if (passcode !== undefined && !passcodes.use(tx, passcode)) throw new WrongPasscode();
      this.#assertRoom(tx, record);
      this.#ledger.add(tx, id, record, pendingLifeMs);
      this.#announce(tx, id, record);
    });
    notifications.committed();
    return id;
  }

  /**
   * @param decider what the connection that decides was granted; undefined: everything
   * @returns the state that it is in now
   * @throws {ProtocolError} when it is not for the decider, or not now, to decide that
   */
  async decide(
    decision: Exclude<Decision, "delete">,
    given: string,
    params: DefaultKeys,
    decider?: Enrollment,
  ): Promise<EnrollmentState> {
    const id = given.toLowerCase();
    await this.#options.store.write((tx) => {
      const record = this.#decidable(tx, decision, given, decider);
      const changed: EnrollmentRecord = { ...record, approval: { state: stateAfter(decision) } };
      if (decision !== "approve") {
        this.#ledger.change(tx, id, changed);
        return;
      }
      const ttlMs = record.apkamKeysExpiryInMillis;
      this.#ledger.change(tx, id, changed, ttlMs);
      this.#ledger.publish(tx, record, ttlMs);
      this.#handOver(tx, id, params, ttlMs);
    });
    return stateAfter(decision);
  }

  /** Forgets one that was denied or revoked. */
  async remove(given: string, decider?: Enrollment): Promise<void> {
    await this.#options.store.write((tx) => {
      const record = this.#decidable(tx, "delete", given, decider);
      this.#ledger.remove(tx, given.toLowerCase(), record);
    });
  }

  /** @throws {ProtocolError} when it is not for the decider, or not now, to decide that */
  #decidable(tx: Transaction, decision: Decision, given: string, decider: Enrollment | undefined): EnrollmentRecord {
    const record = this.#ledger.getIn(tx, given);
    if (record === undefined) throw notApproved(given, undefined);
    assertDecidable(decision, given, record.approval.state);
    const isOwn = decider?.id === given.toLowerCase();
    if (decider !== undefined && !isOwn) {
      this.#assertStillApproved(tx, decider.id);
      if (!mayManage(decider.namespaces)) throw refused(noManage);
      if (!covers(decider.namespaces, grantedBy(record))) {
        throw failed(decision, given, "Client is not authorized for namespaces in the enrollment request");
      }
    }
    return record;
  }

  /** Somebody may have revoked the decider while its command waited. */
  #assertStillApproved(tx: Transaction, id: string): void {
    const state = this.#ledger.getIn(tx, id)?.approval.state;
    if (state !== "approved") throw notApproved(id, state, true);
  }

  #assertRoom(tx: Transaction, record: EnrollmentRecord): void {
    const known = this.#ledger.allIn(tx);
    const other = known.find(([, each]) => isOfSameApp(each, record) && isActive(each));
    if (other !== undefined) {
      const [id, { appName, deviceName, approval }] = other;
      throw refused(
        `Another enrollment with id ${id} exists with the app name: ${appName} and device name: ${deviceName} in ${approval.state} state`,
      );
    }
    const pending = known.filter(([, { approval }]) => approval.state === "pending");
    if (pending.length >= maxPending || known.length >= maxKnown)
      throw refused("Too many enrollments are known already");
  }

  /** To the owner's apps; they can also list it. */
  #announce(tx: Transaction, id: string, record: EnrollmentRecord): void {
    const { atSign, notifications, log } = this.#options;
    const { encryptedAPKAMSymmetricKey, appName, deviceName, namespaces } = record;
    // Clients of two generations read one of the two each.
    const encryptedApkamSymmetricKey = encryptedAPKAMSymmetricKey;
    const value = {
      encryptedApkamSymmetricKey,
      encryptedAPKAMSymmetricKey,
      appName,
      deviceName,
      namespace: namespaces,
    };
    try {
      const key = this.#ledger.keys.enrollment(id);
      notifications.add(tx, { to: atSign, key, value: JSON.stringify(value), ttln: announcedLifeMs });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.warn({ reason: error.message }, "enrolment not announced");
    }
  }

  #handOver(tx: Transaction, id: string, params: DefaultKeys, ttlMs: number): void {
    const { encryption, self } = this.#ledger.keys.defaultKeys(id);
    const handed = [
      [encryption, params.encryptedDefaultEncryptionPrivateKey, params.encPrivateKeyIV],
      [self, params.encryptedDefaultSelfEncryptionKey, params.selfEncKeyIV],
    ] as const;
    for (const [key, value, iv] of handed) {
      if (value !== undefined) this.#ledger.write(tx, key, JSON.stringify({ value, iv }), ttlMs);
    }
  }
}

function isOfSameApp(one: EnrollmentRecord, other: EnrollmentRecord): boolean {
  return one.appName === other.appName && one.deviceName === other.deviceName;
}

function isActive({ approval }: EnrollmentRecord): boolean {
  return approval.state === "pending" || approval.state === "approved";
}
