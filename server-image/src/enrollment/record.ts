import type { AtSign, EnrollmentState, SigningAlgo } from "@atrium/protocol";
import type { Namespaces } from "../rights/rights.ts";

/** An enrolment as it is stored, in this order: clients are shown it. */
export interface EnrollmentRecord {
  /** of the connection that asked for it */
  readonly sessionId: string;
  readonly appName: string;
  readonly deviceName: string;
  /** as the client wrote the names */
  readonly namespaces: Namespaces;
  readonly apkamPublicKey: string;
  readonly requestType: "newEnrollment";
  readonly approval: { readonly state: EnrollmentState };
  readonly encryptedAPKAMSymmetricKey: string | null;
  /** 0: never */
  readonly apkamKeysExpiryInMillis: number;
  /** when the app said so: its logins need not */
  readonly signingAlgo?: SigningAlgo;
}

/** What `enroll:list` and `enroll:fetch` show of one. */
export function shownEnrollment(record: EnrollmentRecord): object {
  const { appName, deviceName, namespaces, encryptedAPKAMSymmetricKey, approval } = record;
  return { appName, deviceName, namespace: namespaces, encryptedAPKAMSymmetricKey, status: approval.state };
}

/** The names in lower case, as those of records are. */
export function grantedBy({ namespaces }: Pick<EnrollmentRecord, "namespaces">): Namespaces {
  return Object.fromEntries(Object.entries(namespaces).map(([name, access]) => [name.toLowerCase(), access]));
}

/** The names of the records of an enrolment. */
export class EnrollmentKeys {
  readonly #atSign: AtSign;

  constructor(atSign: AtSign) {
    this.#atSign = atSign;
  }

  /** @param id as a client wrote it: what is no id names a record that cannot be there */
  enrollment(id: string): string {
    const known = /^[\w-]+$/.test(id) ? id.toLowerCase() : "_";
    return `${known}.new.enrollments.__manage${this.#atSign}`;
  }

  /** The keys that the approver hands over, encrypted for the app. */
  defaultKeys(id: string): { readonly encryption: string; readonly self: string } {
    return {
      encryption: `${id}.default_enc_private_key.__manage${this.#atSign}`,
      self: `${id}.default_self_enc_key.__manage${this.#atSign}`,
    };
  }

  /** Tells everybody by which key an app logs in. A record's name takes fewer characters than those of apps and devices. */
  publicKey({ appName, deviceName }: Pick<EnrollmentRecord, "appName" | "deviceName">): string {
    const name = `${appName}.${deviceName}`.toLowerCase().replace(/[^\w.-]/g, "_");
    return `public:${name}.pkam.__pkams.__public_keys${this.#atSign}`;
  }

  /** The ids of all enrolments, since their names have no beginning in common. */
  get index(): string {
    return `private:enrollments${this.#atSign}`;
  }
}
