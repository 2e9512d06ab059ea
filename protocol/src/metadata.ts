import type { AtSign } from "./atsign.ts";
import { writableInstant } from "./timestamp.ts";

/** The checksum of a public key and the name of its algorithm, for instance `sha512`. */
export interface PublicKeyHash {
  readonly hash: string;
  readonly algo: string;
}

/** The members that are text, opaque to a server. */
interface TextMetadata {
  readonly dataSignature?: string;
  readonly sharedKeyEnc?: string;
  readonly pubKeyCS?: string;
  readonly encoding?: string;
  readonly encKeyName?: string;
  readonly encAlgo?: string;
  readonly ivNonce?: string;
  readonly skeEncKeyName?: string;
  readonly skeEncAlgo?: string;
  readonly pubKeyHash?: PublicKeyHash;
  readonly appMetadata?: string;
}

interface PlainMetadata {
  /** milliseconds of life; 0 = no end */
  readonly ttl?: number;
  /** milliseconds to birth; 0 = born at once */
  readonly ttb?: number;
  /** seconds for which recipients may cache; -1 = for ever */
  readonly ttr?: number;
  /** whether recipients drop their copy when the record is deleted */
  readonly ccd?: boolean;
  readonly isBinary?: boolean;
  readonly isEncrypted?: boolean;
  readonly immutable?: boolean;
}

export interface Metadata extends PlainMetadata, TextMetadata {}

/** Metadata as a command brings it: what is absent was not given, null asks to remove. */
export interface MetadataChange extends PlainMetadata, Instants {
  readonly dataSignature?: string | null;
  readonly sharedKeyEnc?: string | null;
  readonly pubKeyCS?: string | null;
  readonly encoding?: string | null;
  readonly encKeyName?: string | null;
  readonly encAlgo?: string | null;
  readonly ivNonce?: string | null;
  readonly skeEncKeyName?: string | null;
  readonly skeEncAlgo?: string | null;
  readonly pubKeyHash?: PublicKeyHash | null;
  readonly appMetadata?: string | null;
}

/** Epoch milliseconds that a client may give. */
interface Instants {
  readonly createdAt?: number;
  readonly updatedAt?: number;
  readonly expiresAt?: number;
  readonly availableAt?: number;
}

/** Metadata as it is stored. All times are epoch milliseconds. */
export interface RecordMetadata extends Metadata {
  readonly createdBy: AtSign;
  readonly updatedBy: AtSign;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly availableAt?: number;
  readonly expiresAt?: number;
  readonly refreshAt?: number;
  readonly status: "active";
  readonly version: number;
}

/** Whether a record is born and has not expired: from `availableAt` on, until the millisecond before `expiresAt`. */
export function isLive(
  { availableAt, expiresAt }: Pick<RecordMetadata, "availableAt" | "expiresAt">,
  now: number,
): boolean {
  return (availableAt === undefined || availableAt <= now) && (expiresAt === undefined || now < expiresAt);
}

/**
 * The metadata of a record after a write.
 *
 * Spans of time that are not given again count from this write on. An instant that is given wins over a span.
 * `createdAt` and `updatedAt` of the change are not used: there the server's clock decides.
 *
 * @param previous of the record that is replaced; undefined when there is none or when it has expired
 * @param at `now` in epoch milliseconds; `by` who writes
 */
export function mergeMetadata(
  previous: RecordMetadata | undefined,
  change: MetadataChange,
  { now, by }: { now: number; by: AtSign },
): RecordMetadata {
  // Assigned one by one, and only what has a value: every update comes through here.
  const merged: Writable<RecordMetadata> = {
    createdBy: previous?.createdBy ?? by,
    updatedBy: by,
    createdAt: previous?.createdAt ?? now,
    updatedAt: now,
    status: "active",
    version: previous === undefined ? 0 : previous.version + 1,
    isBinary: change.isBinary ?? false,
    isEncrypted: change.isEncrypted ?? false,
  };
  const immutable = change.immutable ?? previous?.immutable;
  if (immutable !== undefined) merged.immutable = immutable;
  mergeLife(merged, previous, change);
  mergeCaching(merged, previous, change);
  mergeText(merged, previous, change);
  return merged;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** @param merged its `updatedAt` is the time of the write */
function mergeLife(
  merged: Writable<RecordMetadata>,
  previous: RecordMetadata | undefined,
  change: MetadataChange,
): void {
  const now = merged.updatedAt;
  // An instant that is given without its span replaces the span: there is nothing left to count from a later write.
  const ttb = change.ttb ?? (change.availableAt === undefined ? previous?.ttb : undefined);
  const ttl = change.ttl ?? (change.expiresAt === undefined ? previous?.ttl : undefined);
  const availableAt = change.availableAt ?? instant(ttb, now, previous?.availableAt);
  const birth = Math.max(now, availableAt ?? now);
  const expiresAt = change.expiresAt ?? instant(ttl, birth, previous?.expiresAt);
  if (ttb !== undefined) merged.ttb = ttb;
  if (ttl !== undefined) merged.ttl = ttl;
  if (availableAt !== undefined) merged.availableAt = availableAt;
  if (expiresAt !== undefined) merged.expiresAt = expiresAt;
}

/** `from + span`; none for a span of 0; what was there before where no span is known. */
function instant(span: number | undefined, from: number, previous: number | undefined): number | undefined {
  if (span === undefined) return previous;
  return span === 0 ? undefined : writableInstant(from + span);
}

function mergeCaching(
  merged: Writable<RecordMetadata>,
  previous: RecordMetadata | undefined,
  change: MetadataChange,
): void {
  const ttr = change.ttr ?? previous?.ttr ?? 0;
  if (ttr === 0) return;
  merged.ttr = ttr;
  merged.ccd = change.ccd ?? previous?.ccd ?? false;
  if (ttr !== -1) merged.refreshAt = writableInstant(merged.updatedAt + ttr * 1000);
}

/** The names of {@link TextMetadata}, in the order of the JSON form. */
const textMembers = [
  "dataSignature",
  "sharedKeyEnc",
  "pubKeyCS",
  "encoding",
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
  "pubKeyHash",
  "appMetadata",
] as const satisfies readonly (keyof TextMetadata)[];

function mergeText(
  merged: Partial<Record<keyof TextMetadata, unknown>>,
  previous: RecordMetadata | undefined,
  change: MetadataChange,
): void {
  for (const member of textMembers) {
    const given = change[member];
    const value = given === undefined ? previous?.[member] : given;
    if (value !== undefined && value !== null) merged[member] = value;
  }
}

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Leaves out members without a value, so that absent has one form. */
export function present<T extends object>(members: Loose<T>): T {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) kept[name] = value;
  }
  return kept as T;
}
