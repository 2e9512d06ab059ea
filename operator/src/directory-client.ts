import { Agent, request } from "node:https";
import { type AtSign, parseAtSign } from "@atrium/protocol";
import type { Address } from "@atrium/runtime/config.ts";
import type { Listing } from "./tenant/observe.ts";

/** What the directory holds of one name. */
export interface DirectoryRecord {
  readonly atSign: AtSign;
  /** undefined parks the name */
  readonly host: Address | undefined;
  readonly claim: string;
  readonly generation: number;
  /** the name was this claim's before: only then is it written to a directory that may lack names */
  readonly held: boolean;
}

interface RegistryState {
  readonly id: string;
  readonly complete: boolean;
  /** those that have marked that all their names are in it */
  readonly cells: Readonly<Record<string, unknown>>;
}

export interface RecordPage {
  readonly records: readonly Pick<DirectoryRecord, "atSign" | "claim" | "generation">[];
  /** undefined: this was the last */
  readonly next: string | undefined;
}

/** The directory's provisioning API. */
export interface DirectoryClient extends Disposable {
  /** @throws {Error} when the directory cannot be reached or does not know what to do with it */
  put(record: DirectoryRecord): Promise<Listing>;
  /** Gives a name back; one that is not ours is left alone. @throws {Error} */
  release(record: Pick<DirectoryRecord, "atSign" | "claim" | "generation">): Promise<void>;
  /** Gives a name to another claim. @returns what is known of it then; @throws {Error} */
  handOver(change: Pick<DirectoryRecord, "atSign" | "claim"> & { readonly to: string }): Promise<Listing>;
  /** A page of the records whose claims begin like this. @param cursor of the next page, as the one before says; @throws {Error} */
  list(claimPrefix: string, cursor?: string): Promise<RecordPage>;
  /** @throws {Error} */
  registry(): Promise<RegistryState>;
  /** Says that all names of this cell have been written to the registry of that id. @throws {Error} */
  markComplete(cell: string, registry: string): Promise<void>;
}

/** The directory answered, and not as was hoped for. */
export class DirectoryError extends Error {
  override readonly name = "DirectoryError";
  /** of HTTP */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const requestMs = 5_000;
const maxAnswerBytes = 1_048_576;

/** @param tls gives the present certificate: it is renewed while the client lives */
export function directoryClient(
  address: Address,
  tls: () => { certificate: string; key: string; trust: string },
): DirectoryClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });

  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    const { certificate, key, trust } = tls();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request({
      ...address,
      method,
      path,
      agent,
      cert: certificate,
      key,
      ca: trust,
      servername: "directory.atrium.internal",
      signal: AbortSignal.timeout(requestMs),
      headers:
        text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      let received = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        received += chunk;
        if (received.length > maxAnswerBytes) response.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(received) });
        } catch (cause) {
          reject(new Error("the answer is not JSON", { cause }));
        }
      });
    });
    outgoing.end(text);
    try {
      return await promise;
    } catch (cause) {
      throw new Error(`the directory's provisioning API failed: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
  };

  return {
    async put({ atSign, host, claim, generation, held }) {
      const answer = await ask("PUT", pathOf(atSign), {
        host: host?.host ?? null,
        ...(host && { port: host.port }),
        claim,
        generation,
        held,
      });
      if (answer.status === 200) return { state: "ours", generation, parked: host === undefined };
      const reason = answer.body.reason;
      if (reason === "claimed" || reason === "host-taken" || reason === "stale-generation")
        return { state: "refused", reason };
      if (reason === "incomplete") return { state: "unknown", waitsForNames: true };
      throw refusal(answer);
    },
    async release({ atSign, claim, generation }) {
      const query = new URLSearchParams({ claim, generation: String(generation) });
      const answer = await ask("DELETE", `${pathOf(atSign)}?${query}`);
      if (answer.status !== 200 && answer.body.reason !== "absent" && answer.body.reason !== "claimed")
        throw refusal(answer);
    },
    async handOver({ atSign, claim, to }) {
      const answer = await ask("POST", `${pathOf(atSign)}/handover`, { claim, to });
      // One that nobody holds, or somebody else does, is not ours either way.
      const gone = answer.body.reason === "absent" || answer.body.reason === "claimed";
      if (answer.status !== 200 && !gone) throw refusal(answer);
      return { state: "refused", reason: "claimed" };
    },
    async list(claimPrefix, cursor = "0") {
      const answer = await ask("GET", `/v1/records?${new URLSearchParams({ claimPrefix, cursor })}`);
      if (answer.status !== 200 || !Array.isArray(answer.body.records)) throw refusal(answer);
      const { records, next } = answer.body;
      return { records: records.map(listed), next: typeof next === "string" ? next : undefined };
    },
    async registry() {
      const answer = await ask("GET", "/v1/registry");
      if (answer.status !== 200 || typeof answer.body.id !== "string") throw refusal(answer);
      const cells = typeof answer.body.cells === "object" && answer.body.cells !== null ? answer.body.cells : {};
      return { id: answer.body.id, complete: answer.body.complete === true, cells: { ...cells } };
    },
    async markComplete(cell, registry) {
      const answer = await ask("PUT", `/v1/cells/${cell}`, { registry });
      if (answer.status !== 200) throw refusal(answer);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

/** @throws {Error} when it is no record */
function listed({ name, claim, generation }: Record<string, unknown>): RecordPage["records"][number] {
  if (typeof name !== "string" || typeof claim !== "string" || typeof generation !== "number") {
    throw new Error("the directory lists what is no record");
  }
  return { atSign: parseAtSign(name), claim, generation };
}

function pathOf(atSign: AtSign): string {
  return `/v1/records/${encodeURIComponent(atSign.slice(1))}`;
}

function refusal({ status, body }: Answer): DirectoryError {
  const detail = typeof body.detail === "string" ? body.detail : "no detail";
  return new DirectoryError(status, `the directory answered ${status}: ${detail}`);
}
