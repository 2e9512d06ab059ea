/**
 * A client for the Atsign Protocol.
 *
 * ```ts
 * const atSign = parseAtSign("@alice");
 * const platform = findPlatform({ platform: ".atrium/platform.json" });
 * const keys = await readKeyFile(atSign, keyFileOf(atSign));
 *
 * await using alice = await Client.open({ atSign, platform, keys });
 * await alice.put("phone.demo", "+1 555 0100");
 * const { value } = await alice.get("phone.demo");
 * ```
 */

export { type AtSign, parseAtSign } from "@atrium/protocol";
export { type ActivationOptions, activate } from "./activate.ts";
export { type AtKeys, keyFileOf, readKeyFile } from "./atkeys.ts";
export {
  Client,
  type ClientOptions,
  type DeliveryStatus,
  type Entry,
  type GetOptions,
  type NotifyOptions,
  type PutOptions,
  type ScanOptions,
  type Written,
} from "./client.ts";
export type { ConnectOptions } from "./connect.ts";
export { type EnrollmentOptions, enrollApp, type Namespaces } from "./enroll.ts";
export type { Enrollment, Enrollments } from "./enrollments.ts";
export { ClientError, type Reason } from "./errors.ts";
export { type Inspection, inspect } from "./inspect.ts";
export type { MonitorOptions } from "./monitor.ts";
export type { Notification } from "./notification.ts";
export { type Address, findPlatform, type Platform, type PlatformSources, readPlatform } from "./platform.ts";
