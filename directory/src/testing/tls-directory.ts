import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Pair, type TestCa, testCa } from "../../../test/kit/certificates.ts";

export interface TlsDirectory extends Disposable {
  readonly path: string;
  readonly authority: TestCa;
  /** PEM of its root */
  readonly ca: string;
  readonly caFile: string;
  readonly operator: Pair;
  /** puts a new certificate into the place of the old one */
  renew(): Pair;
}

const names = ["atrium.localhost", "directory.atrium.internal"];

/** What a directory is given: certificate and key in a directory of their own, and the CA of its clients. */
export function tlsDirectory(): TlsDirectory {
  const path = mkdtempSync(join(tmpdir(), "atrium-directory-tls-"));
  const ca = testCa();
  const caFile = join(path, "admin-ca.pem");
  writeFileSync(caFile, ca.pem);
  const issue = (...dns: string[]) => ca.issue({ dns, client: true });
  const renew = () => {
    const pair = issue(...names);
    writeFileSync(join(path, "certificate.pem"), pair.certificate);
    writeFileSync(join(path, "key.pem"), pair.key);
    return pair;
  };
  renew();
  return {
    path,
    authority: ca,
    ca: ca.pem,
    caFile,
    operator: issue("operator.atrium.internal"),
    renew,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
