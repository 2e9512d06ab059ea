import { join } from "node:path";
import type { Log } from "@atrium/runtime/log.ts";
import { type Certificates, openCertificates } from "./certificates.ts";
import type { Options } from "./options.ts";

/** Certificates of the platform's own parts; those of the atServers are provided when they start. */
export interface Identities extends Disposable {
  readonly certificates: Certificates;
  /** directories with certificate.pem, key.pem and trust.pem */
  readonly directory: string;
  readonly gateway: string;
  operator(): { certificate: string; key: string; trust: string };
  /** Calls the listener whenever the operator's own certificate was renewed. */
  onRenewal(listener: () => void): void;
}

/** The name by which parts of the platform know the directory, whatever its clients call it. */
const directoryName = "directory.atrium.internal";

/** @throws {StartError} when the present root cannot be used */
export async function openIdentities(
  { data, zone, directoryNames }: Pick<Options, "data" | "zone" | "directoryNames">,
  log: Log,
): Promise<Identities> {
  const permitted = [zone, "localhost", "atrium.internal", ...directoryNames];
  const certificates = await openCertificates({ data, permitted, log });
  const [directory, gateway, operator] = ["directory", "gateway", "operator"].map((name) =>
    join(data, "identity", name),
  ) as [string, string, string];
  let renewed = () => {};

  const dnsNames = [...new Set([zone, "localhost", directoryName, ...directoryNames])];
  await certificates.provide(directory, { dnsNames, client: false });
  await certificates.provide(gateway, { dnsNames: ["gateway.atrium.internal"], client: true });
  await certificates.provide(operator, { dnsNames: ["operator.atrium.internal"], client: true }, () => renewed());
  return {
    certificates,
    directory,
    gateway,
    operator: () => certificates.read(operator),
    onRenewal(listener) {
      renewed = listener;
    },
    [Symbol.dispose]: () => certificates[Symbol.dispose](),
  };
}
