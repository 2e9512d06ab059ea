import { type EnrollParams, ProtocolError } from "@atrium/protocol";
import type { EnrollmentRecord } from "./record.ts";

/**
 * The record of an app that asks to be let in.
 *
 * @throws {ProtocolError} `illegal_arguments` when something is missing
 */
export function requested(params: EnrollParams, sessionId: string): EnrollmentRecord {
  const { appName, deviceName, apkamPublicKey, encryptedAPKAMSymmetricKey, namespaces = {}, otp, signingAlgo } = params;
  if (appName === undefined) throw mandatory("appName is");
  if (deviceName === undefined) throw mandatory("deviceName is");
  if (apkamPublicKey === undefined) throw mandatory("apkam public key is");
  if (otp !== undefined) assertCanBeApproved(params);
  return {
    sessionId,
    appName,
    deviceName,
    namespaces,
    apkamPublicKey,
    requestType: "newEnrollment",
    approval: { state: "pending" },
    encryptedAPKAMSymmetricKey: encryptedAPKAMSymmetricKey ?? null,
    apkamKeysExpiryInMillis: params.apkamKeysExpiryInMillis ?? 0,
    ...(signingAlgo !== undefined && { signingAlgo }),
  };
}

/** A new client cannot be given its keys without these. */
function assertCanBeApproved({ encryptedAPKAMSymmetricKey, namespaces = {} }: EnrollParams): void {
  if (encryptedAPKAMSymmetricKey === undefined) {
    throw missing("encrypted apkam symmetric key is mandatory for new client enroll:request");
  }
  if (Object.keys(namespaces).length === 0) {
    throw missing("At least one namespace must be specified for new client enroll:request");
  }
}

function mandatory(subject: string): ProtocolError {
  return missing(`${subject} mandatory for enroll:request`);
}

export function missing(detail: string): ProtocolError {
  return new ProtocolError("illegal_arguments", detail);
}
