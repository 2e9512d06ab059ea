/**
 * A process that wants to lead, and while it does creates one ConfigMap after the other, without any precondition. It says
 * `leading` and `lost` on standard output. Its only argument is a {@link Candidate} in JSON.
 */
import { ApiClient, pathOf } from "../api.ts";
import { Leader, type Term } from "../leader.ts";
import { TermOverError } from "../term.ts";
import { configMap, configMaps, credentials } from "./control-plane.ts";

export interface Candidate {
  readonly plane: { readonly url: string; readonly ca: string; readonly token: string };
  readonly namespace: string;
  /** of the process; also its user agent */
  readonly identity: string;
  readonly leaseMs: number;
  readonly deadlineMs: number;
  readonly renewMs: number;
}

const { plane, namespace, identity, ...times } = JSON.parse(process.argv[2] ?? "") as Candidate;
const client = new ApiClient(credentials(plane), { userAgent: identity });
const say = (line: string) => process.stdout.write(`${line}\n`);
let writes = 0;

async function write(term: Term): Promise<void> {
  while (!term.over.aborted) {
    const body = configMap(namespace, `${identity}-${writes++}`);
    try {
      await client.request({ method: "POST", path: pathOf(configMaps, { namespace }), body, term });
    } catch (error) {
      if (!(error instanceof TermOverError)) say(String(error));
    }
  }
  say("lost");
}

const leader = new Leader({
  ...{ client, namespace, name: "leader", identity, ...times },
  onError: (error) => say(String(error)),
});
await leader.run(async (term) => {
  say("leading");
  await write(term);
}, new AbortController().signal);
