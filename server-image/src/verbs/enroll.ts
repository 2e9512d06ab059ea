import { type EnrollParams, ProtocolError, enroll as syntax } from "@atrium/protocol";
import type { Connection } from "../connection.ts";
import { refused } from "../enrollment/decisions.ts";
import { maySee, noManage } from "../enrollment/enrollments.ts";
import { shownEnrollment } from "../enrollment/record.ts";
import { WrongPasscode } from "../enrollment/registrar.ts";
import { missing, requested } from "../enrollment/request.ts";
import { type Parts, type Reply, verb } from "./verb.ts";

/** Until an app that revoked itself is cut off. */
const selfRevokedMs = 10_000;

/** Lets new apps ask to act for the owner, and those that manage them decide. */
export const enroll = verb({
  syntax,
  // Anybody, to be told better what is missing.
  allow: ["anonymous", "owner", "peer"],
  handle(params, parts, connection): Reply | Promise<Reply> {
    const { operation } = params;
    if (operation === "request") return request(params, parts, connection);
    if (connection.state !== "owner") {
      throw new ProtocolError("unauthenticated", `Cannot ${operation} enrollment without authentication`);
    }
    switch (operation) {
      case "list":
        return JSON.stringify(parts.enrollments.list(params.enrollmentStatusFilter, connection.enrollment));
      case "fetch":
        return fetch(mandatoryId(params), parts, connection);
      case "delete":
        return remove(mandatoryId(params), parts, connection);
      case "revoke":
        return revoke(mandatoryId(params), params, parts, connection);
      default:
        return decide(operation, mandatoryId(params), params, parts, connection);
    }
  },
});

/** @throws {ProtocolError} */
function mandatoryId({ operation, enrollmentId }: EnrollParams): string {
  if (enrollmentId === undefined) throw missing(`enrollmentId is mandatory for enroll:${operation}`);
  return enrollmentId;
}

async function request(params: EnrollParams, { registrar }: Parts, connection: Connection): Promise<string> {
  const { otp } = params;
  const asked = requested(params, connection.sessionId);
  if (connection.state !== "owner" && otp === undefined) throw missing("otp is mandatory for enroll:request");
  registrar.countRequest(connection);
  if (connection.activating) {
    const enrollment = await registrar.activate(asked, params);
    connection.becomeOwner(enrollment);
    return JSON.stringify({ enrollmentId: enrollment.id, status: "approved" });
  }
  try {
    const enrollmentId = await registrar.request(asked, otp);
    return JSON.stringify({ enrollmentId, status: "pending" });
  } catch (error) {
    if (!(error instanceof WrongPasscode)) throw error;
    await pause(registrar.pauseMs(), connection);
    throw refused("invalid otp. Cannot process enroll request");
  }
}

/** Ends early when nobody waits any more. */
async function pause(durationMs: number, { channel }: Connection): Promise<void> {
  if (!channel.open) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  const forget = channel.onClose(resolve);
  await promise;
  clearTimeout(timer);
  forget();
}

function fetch(id: string, { enrollments }: Parts, { enrollment }: Connection): string {
  if (!maySee(enrollment, id)) throw new ProtocolError("unauthorized", noManage);
  const record = enrollments.find(id);
  if (record === undefined) {
    throw new ProtocolError("key_not_found", `An Enrollment with Id: ${id} does not exist or has expired.`);
  }
  return JSON.stringify(shownEnrollment(record));
}

async function remove(enrollmentId: string, { registrar }: Parts, { enrollment }: Connection): Promise<string> {
  await registrar.remove(enrollmentId, enrollment);
  return JSON.stringify({ enrollmentId, status: "deleted" });
}

async function revoke(
  enrollmentId: string,
  params: EnrollParams,
  { registrar, endConnections }: Parts,
  connection: Connection,
): Promise<string> {
  const id = enrollmentId.toLowerCase();
  const isOwn = connection.enrollment?.id === id;
  if (isOwn && !params.force) {
    throw new ProtocolError("revoke_self", "Current client cannot revoke its own enrollment");
  }
  const status = await registrar.decide("revoke", enrollmentId, params, connection.enrollment);
  endConnections((each) => each !== connection && each.enrollment?.id === id);
  if (!isOwn) return JSON.stringify({ status, enrollmentId });
  const timer = setTimeout(() => endConnections((each) => each === connection), selfRevokedMs).unref();
  connection.channel.onClose(() => clearTimeout(timer));
  const message = "Enrollment is revoked. Closing the connection in 10 seconds";
  return JSON.stringify({ status, enrollmentId, message });
}

async function decide(
  operation: "approve" | "deny" | "unrevoke",
  enrollmentId: string,
  params: EnrollParams,
  { registrar }: Parts,
  { enrollment }: Connection,
): Promise<string> {
  if (operation === "approve") {
    for (const member of ["encryptedDefaultEncryptionPrivateKey", "encryptedDefaultSelfEncryptionKey"] as const) {
      if (params[member] === undefined) throw missing(`${member} is mandatory for enroll:approve`);
    }
  }
  const status = await registrar.decide(operation, enrollmentId, params, enrollment);
  return JSON.stringify({ status, enrollmentId });
}
