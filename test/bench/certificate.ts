import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testCa, writeIdentity } from "../kit/certificates.ts";
import type { Resources } from "./resources.ts";

/** A P-256 certificate in files, the same kind for ours and for the peers. */
export interface Certificate {
  /** has certificate.pem, key.pem, trust.pem, and activation where a secret was given */
  readonly directory: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

interface Options {
  readonly dns: readonly string[];
  readonly client?: boolean;
  readonly activation?: string;
}

/** All issued by one root of this run. */
export class Certificates {
  readonly caFile: string;
  readonly #ca = testCa();
  readonly #resources: Resources;

  constructor(resources: Resources) {
    this.#resources = resources;
    this.caFile = join(resources.directory(), "ca.pem");
    writeFileSync(this.caFile, this.#ca.pem);
  }

  issue({ activation, ...options }: Options): Certificate {
    const directory = this.#resources.directory();
    const secret = activation === undefined ? {} : { activation };
    writeIdentity(directory, { ...this.#ca.issue(options), trust: this.#ca.pem, ...secret });
    return {
      directory,
      certificateFile: join(directory, "certificate.pem"),
      keyFile: join(directory, "key.pem"),
      caFile: this.caFile,
    };
  }
}
