import { ApiError } from "../controller/api.ts";
import type { Applied, Writer } from "../controller/writer.ts";
import type { Observed } from "../tenant/observe.ts";
import { type Volume, type VolumeClaim, volumeClaims, volumes } from "./kubernetes-objects.ts";
import { nameAnnotation, ownerAnnotation } from "./names.ts";
import type { Reader } from "./reader.ts";

/** Where the data of AtSigns is: claims, and what becomes of the volumes behind them. */
export class Volumes {
  readonly #reader: Reader;
  readonly #writer: Writer;

  constructor(reader: Reader, writer: Writer) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async create(claim: Applied): Promise<void> {
    try {
      await this.#writer.create(volumeClaims, claim);
      return;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409 && error.reason === "AlreadyExists")) throw error;
    }
    // Restored or made by somebody else: it has the data of this AtSign, and is watched by its labels.
    const found = await this.#reader.read<VolumeClaim>(volumeClaims, claim.metadata);
    if (found === undefined || found.metadata.annotations?.[ownerAnnotation] !== undefined) return;
    const { apiVersion, kind, metadata } = claim;
    const { uid } = found.metadata;
    await this.#writer.apply(volumeClaims, { apiVersion, kind, metadata: { ...metadata, ...(uid && { uid }) } });
  }

  /** The claim goes, and the volume with it, whatever was to become of it before. */
  async destroy(claim: VolumeClaim | undefined): Promise<void> {
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return;
    const volume = claim.spec?.volumeName;
    if (volume !== undefined) await this.#apply(volume, "Delete", {});
    const { name, namespace, uid } = claim.metadata;
    await this.#writer.delete(volumeClaims, {
      metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) },
    });
  }

  /** A claim without a volume goes, unless something has changed since it was seen: it may have one by now. */
  async discard({ metadata }: VolumeClaim): Promise<void> {
    if (metadata.deletionTimestamp === undefined) await this.#writer.delete(volumeClaims, { metadata });
  }

  /** The data of what is to be retained outlives its claim, and with that its namespace. */
  async retain(volumeClaim: VolumeClaim | undefined, observed: Observed): Promise<void> {
    const { wanted, before = [], volumeNote } = observed;
    const volume = volumeClaim?.spec?.volumeName;
    if (volume === undefined || wanted.deletionPolicy !== "Retain" || observed.volume !== "present") return;
    if (before.some(({ type, message }) => type === "Provisioned" && message === volumeNote)) return;
    const owner = volumeClaim?.metadata.annotations?.[ownerAnnotation];
    const data = { [nameAnnotation]: wanted.atSign, ...(owner !== undefined && { [ownerAnnotation]: owner }) };
    await this.#apply(volume, "Retain", data);
  }

  /** Whether the claim's volume has the data of that Atsign. Volumes are nothing that a tenant can write to. */
  async proves({ metadata, spec }: VolumeClaim, atSign: string): Promise<boolean> {
    if (spec?.volumeName === undefined) return false;
    const volume = await this.#reader.read<Volume>(volumes, { name: spec.volumeName });
    const isBound = metadata.uid !== undefined && volume?.spec?.claimRef?.uid === metadata.uid;
    return isBound && volume.metadata.annotations?.[nameAnnotation] === atSign;
  }

  async #apply(
    name: string,
    policy: "Retain" | "Delete",
    annotations: Readonly<Record<string, string>>,
  ): Promise<void> {
    const volume = await this.#reader.read<Volume>(volumes, { name });
    if (volume === undefined) return;
    const { uid, annotations: present } = volume.metadata;
    const isAnnotated = Object.entries(annotations).every(([name, value]) => present?.[name] === value);
    if (volume.spec?.persistentVolumeReclaimPolicy === policy && isAnnotated) return;
    const metadata = { name, annotations, ...(uid && { uid }) };
    const object = { apiVersion: "v1", kind: "PersistentVolume", metadata };
    await this.#writer.apply(volumes, { ...object, spec: { persistentVolumeReclaimPolicy: policy } } as Applied);
  }
}
