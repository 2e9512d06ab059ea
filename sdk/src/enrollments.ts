import { type AtSign, type EnrollmentState, enroll, otp } from "@atrium/protocol";
import type { AtKeys } from "./atkeys.ts";
import { DecryptionError, decryptWithKey, encryptText, KeyFormatError, newIv } from "./crypto.ts";
import { type Namespaces, parseJson } from "./enroll.ts";
import { ClientError } from "./errors.ts";

/** An app or device that may act for the owner, or asks to. */
export interface Enrollment {
  readonly id: string;
  readonly state: string;
  readonly appName: string;
  readonly deviceName: string;
  readonly namespaces: Namespaces;
}

interface Parts {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  readonly send: (step: string, command: string) => Promise<string>;
}

/** Decides which further apps and devices act for the owner. An enrolled app needs `__manage` for that. */
export class Enrollments {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * A passcode by which a new app may ask to be let in, once.
   *
   * @param ttlMs how long it may; 5 minutes without it
   */
  passcode({ ttlMs }: { ttlMs?: number | undefined } = {}): Promise<string> {
    const command = otp.format({ operation: "get", ...(ttlMs !== undefined && { ttl: ttlMs }) });
    return this.#parts.send("asking for a passcode", command);
  }

  /** @param states all without it */
  async list(states?: readonly EnrollmentState[]): Promise<Enrollment[]> {
    const filter = states === undefined ? {} : { enrollmentStatusFilter: states };
    const json = parseJson(
      await this.#parts.send("listing the enrolments", enroll.format({ operation: "list", ...filter })),
    );
    if (typeof json !== "object" || json === null) throw noEnrollment();
    return Object.entries(json).map(([key, enrollment]) => parseEnrollment(key.split(".")[0] ?? "", enrollment));
  }

  /**
   * Lets an app in, and hands the keys of the atSign over to it: whoever asked can then read what the owner can, and write
   * in its namespaces.
   *
   * @throws {ClientError} `refused` when it does not wait for that, `corrupt` when the request cannot be read
   */
  async approve(id: string): Promise<void> {
    const { send, keys } = this.#parts;
    const json = parseJson(
      await send(`reading the enrolment ${id}`, enroll.format({ operation: "fetch", enrollmentId: id })),
    );
    const symmetricKey = this.#symmetricKey(json);
    // Each with an IV of its own: with the same one, their XOR would be open, and one is known in part.
    const [encryptionIv, selfIv] = [newIv(), newIv()];
    const command = enroll.format({
      operation: "approve",
      enrollmentId: id,
      encryptedDefaultEncryptionPrivateKey: encryptText(keys.encryption.privateKey, symmetricKey, encryptionIv),
      encPrivateKeyIV: encryptionIv.toString("base64"),
      encryptedDefaultSelfEncryptionKey: encryptText(keys.selfEncryptionKey, symmetricKey, selfIv),
      selfEncKeyIV: selfIv.toString("base64"),
    });
    await send(`approving the enrolment ${id}`, command);
  }

  async deny(id: string): Promise<void> {
    await this.#parts.send(`denying the enrolment ${id}`, enroll.format({ operation: "deny", enrollmentId: id }));
  }

  /** Takes back what an app was granted; its connections are closed at once. It keeps the keys that it was handed. */
  async revoke(id: string): Promise<void> {
    await this.#parts.send(`revoking the enrolment ${id}`, enroll.format({ operation: "revoke", enrollmentId: id }));
  }

  #symmetricKey(json: unknown): string {
    const { encryptedAPKAMSymmetricKey: encrypted } = (json ?? {}) as Record<string, unknown>;
    if (typeof encrypted !== "string") throw noEnrollment();
    try {
      const key = decryptWithKey(encrypted, this.#parts.keys.encryption.privateKey);
      encryptText("", key, newIv());
      return key;
    } catch (cause) {
      if (!(cause instanceof DecryptionError || cause instanceof KeyFormatError)) throw cause;
      throw new ClientError("corrupt", `the request is not encrypted for ${this.#parts.atSign}`, {
        cause,
        advice: "Deny it, and let the app ask again.",
      });
    }
  }
}

function parseEnrollment(id: string, json: unknown): Enrollment {
  const { appName, deviceName, namespace, status } = (json ?? {}) as Record<string, unknown>;
  if (typeof appName !== "string" || typeof deviceName !== "string" || typeof status !== "string") throw noEnrollment();
  const granted = Object.entries(namespace ?? {}).filter(([, access]) => access === "r" || access === "rw");
  return { id, state: status, appName, deviceName, namespaces: Object.fromEntries(granted) };
}

function noEnrollment(): ClientError {
  return new ClientError("corrupt", "the atServer answered no enrolment");
}
