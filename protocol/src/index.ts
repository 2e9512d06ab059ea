export { type AtSign, hostLabel, hostOf, parseAtSign } from "./atsign.ts";
export {
  cramDigest,
  type HashingAlgo,
  type PkamProof,
  type SigningAlgo,
  signPkam,
  verifyCram,
  verifyPkam,
} from "./auth.ts";
export { type ErrorName, errors, formatError, maxErrorBytes, ProtocolError, parseError } from "./errors.ts";
export { decodeLine, freeLine, LineSplitter, maxLineBytes, stripPrompt } from "./framing.ts";
export {
  checkKeyLength,
  checkOwner,
  checkUpdatable,
  formatKey,
  isCommitted,
  isHidden,
  isProtected,
  type Key,
  type KeyType,
  keyType,
  namespaceOf,
  parseKey,
} from "./key.ts";
export {
  isLive,
  type Metadata,
  type MetadataChange,
  mergeMetadata,
  type PublicKeyHash,
  type RecordMetadata,
} from "./metadata.ts";
export { formatMetadataJson, parseMetadataJson } from "./metadata-json.ts";
export type { NotifyItems } from "./notify-items.ts";
export type { Syntax } from "./syntax.ts";
export { syntaxes, verbOf } from "./syntaxes.ts";
export { formatTimestamp, parseTimestamp, writableInstant } from "./timestamp.ts";
export { type BatchEntry, batch } from "./verbs/batch.ts";
export { type ConfigParams, config } from "./verbs/config.ts";
export { cram } from "./verbs/cram.ts";
export { type DeleteParams, deleteRecord, type Priority } from "./verbs/delete.ts";
export { type EnrollmentState, type EnrollParams, enroll } from "./verbs/enroll.ts";
export { type ClientConfig, from, readsJsonErrors } from "./verbs/from.ts";
export { info } from "./verbs/info.ts";
export { type KeysParams, keys } from "./verbs/keys.ts";
export { type LlookupParams, llookup, type Part } from "./verbs/llookup.ts";
export { type LookupParams, lookup } from "./verbs/lookup.ts";
export { type MonitorParams, monitor } from "./verbs/monitor.ts";
export { maxNoopMs, noop } from "./verbs/noop.ts";
export { type NotifyParams, notify } from "./verbs/notify.ts";
export { type NotifyAllParams, notifyAll } from "./verbs/notify-all.ts";
export { notifyFetch, notifyRemove, notifyStatus } from "./verbs/notify-id.ts";
export { type NotifyListParams, notifyList } from "./verbs/notify-list.ts";
export { otp } from "./verbs/otp.ts";
export { type PkamParams, pkam } from "./verbs/pkam.ts";
export { plookup } from "./verbs/plookup.ts";
export { pol } from "./verbs/pol.ts";
export { type ScanParams, scan } from "./verbs/scan.ts";
export { type StatsParams, stats } from "./verbs/stats.ts";
export { type SyncParams, sync } from "./verbs/sync.ts";
export { to } from "./verbs/to.ts";
export { type UpdateParams, update } from "./verbs/update.ts";
export { type UpdateMetaParams, updateMeta } from "./verbs/update-meta.ts";
