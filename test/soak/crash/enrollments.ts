import { AppKeys, approve, request } from "../app.ts";
import { type AtServerClient, dataOf } from "../atserver-client.ts";
import { type AtServerProcess, atSign } from "../atserver-process.ts";
import type { Random } from "../random.ts";
import type { RunningAtServer } from "./atserver-driver.ts";
import { type Duty, type Round, untilKilled } from "./crash.ts";

type State = "pending" | "approved" | "denied" | "revoked" | "deleted";

interface Enrollment {
  readonly id: string;
  readonly appName: string;
  readonly keys: AppKeys;
  state: State;
  /** what it was asked to become, and has not said that it is */
  next: State | undefined;
}

const operations = {
  approve: { from: ["pending"], to: "approved" },
  deny: { from: ["pending"], to: "denied" },
  revoke: { from: ["approved"], to: "revoked" },
  unrevoke: { from: ["revoked"], to: "approved" },
  delete: { from: ["revoked", "denied"], to: "deleted" },
} as const satisfies Record<string, { from: readonly State[]; to: State }>;

/** What `pkam` says to an app that may not log in. */
const refusals: Readonly<Record<Exclude<State, "approved">, RegExp>> = {
  pending: /^error:AT0026:/,
  denied: /^error:AT0025:/,
  revoked: /^error:AT0027:/,
  deleted: /^error:AT0028:/,
};

const namespaces = { soak: "rw" } as const;
const deviceName = "device";
/** Beyond that many they are revoked and deleted rather than made. */
const enough = 25;
/** An atServer takes no more on one connection. */
const requestsPerConnection = 5;

/** Enrolments of apps: what was said of one holds, with all the records that belong to it. */
export class Enrollments implements Duty<RunningAtServer> {
  readonly name = "enrolments";
  readonly faults: string[] = [];
  readonly counts = { acknowledged: 0, underWay: 0 };
  readonly #known = new Map<string, Enrollment>();
  /** the request that is under way: its answer will tell the id */
  #asked: Pick<Enrollment, "appName" | "keys"> | undefined;

  async check({ owner, process }: RunningAtServer): Promise<void> {
    const listed: Record<string, { appName: string; status: State }> = JSON.parse(
      dataOf(await owner.ask("enroll:list")),
    );
    if (this.#asked !== undefined) this.counts.underWay++;
    for (const [key, { appName, status }] of Object.entries(listed)) {
      const id = key.replace(/\.new\.enrollments\.__manage@alice$/, "");
      this.#adopt(id, appName);
      this.#checkState(id, status);
    }
    this.#asked = undefined;
    for (const { id } of [...this.#known.values()]) {
      if (!(`${id}.new.enrollments.__manage${atSign}` in listed)) this.#checkState(id, "deleted");
    }
    for (const enrollment of this.#known.values()) await this.#checkRecords(enrollment, owner, process);
    for (const { id, state } of [...this.#known.values()]) if (state === "deleted") this.#known.delete(id);
  }

  async work(running: RunningAtServer, round: Round): Promise<void> {
    let guest: { client: AtServerClient; requests: number } | undefined;
    const step = async () => {
      const change = this.#choose(round.random);
      if (change !== undefined) await this.#change(change.operation, change.enrollment, running.owner);
      else {
        if (guest === undefined || guest.requests === requestsPerConnection) {
          guest?.client[Symbol.dispose]();
          guest = { client: await running.process.connect(), requests: 0 };
        }
        guest.requests++;
        await this.#request(guest.client, running.owner, `app${round.number}-${this.counts.acknowledged}`);
      }
      this.counts.acknowledged++;
      round.acknowledged();
    };
    await untilKilled(round, step).finally(() => guest?.client[Symbol.dispose]());
  }

  async #request(guest: AtServerClient, owner: AtServerClient, appName: string): Promise<void> {
    const otp = dataOf(await owner.ask("otp:get"));
    const keys = new AppKeys();
    this.#asked = { appName, keys };
    const id = await request(guest, { appName, deviceName, namespaces, otp, keys });
    this.#asked = undefined;
    this.#known.set(id, { id, appName, keys, state: "pending", next: undefined });
  }

  async #change(operation: keyof typeof operations, enrollment: Enrollment, owner: AtServerClient): Promise<void> {
    const { id } = enrollment;
    const { to } = operations[operation];
    enrollment.next = to;
    if (operation === "approve") await approve(owner, id);
    else dataOf(await owner.ask(`enroll:${operation}:${JSON.stringify({ enrollmentId: id })}`));
    enrollment.state = to;
    enrollment.next = undefined;
  }

  /** @returns undefined when a new one is to be requested */
  #choose(random: Random): { operation: keyof typeof operations; enrollment: Enrollment } | undefined {
    const full = this.#known.size > enough;
    if (!full && random.chance(0.3)) return undefined;
    const all = [...this.#known.values()];
    const possible = Object.entries(operations).flatMap(([operation, { from }]) =>
      full && operation === "unrevoke"
        ? []
        : all
            .filter(({ state }) => (from as readonly State[]).includes(state))
            .map((enrollment) => ({ operation: operation as keyof typeof operations, enrollment })),
    );
    return possible[random.below(possible.length)];
  }

  #adopt(id: string, appName: string): void {
    if (this.#known.has(id)) return;
    if (this.#asked?.appName === appName) {
      this.#known.set(id, { id, ...this.#asked, state: "pending", next: undefined });
    } else this.faults.push(`nobody asked for ${id} of ${appName}`);
  }

  #checkState(id: string, found: State): void {
    const enrollment = this.#known.get(id);
    if (enrollment === undefined) return;
    const { state, next } = enrollment;
    if (next !== undefined) this.counts.underWay++;
    if (found !== state && found !== next) this.faults.push(`${id} is ${found}, acknowledged ${state}, sent ${next}`);
    enrollment.state = found;
    enrollment.next = undefined;
  }

  async #checkRecords({ id, appName, keys, state }: Enrollment, owner: AtServerClient, server: AtServerProcess) {
    using client = await server.connect();
    const reply = await keys.tryLogin(client, id);
    if (state !== "approved") {
      if (!refusals[state].test(reply)) this.faults.push(`${id} is ${state}, but a login of it is told ${reply}`);
      return;
    }
    const replies = [
      reply,
      await client.ask(`keys:get:keyName:${id}.default_enc_private_key.__manage${atSign}`),
      await client.ask(`keys:get:keyName:${id}.default_self_enc_key.__manage${atSign}`),
      await owner.ask(`llookup:public:${appName}.${deviceName}.pkam.__pkams.__public_keys${atSign}`),
    ];
    const expected = [
      "data:success",
      `data:{"value":"private-${id}"}`,
      `data:{"value":"self-${id}"}`,
      `data:${JSON.stringify({ apkamPublicKey: keys.publicKey })}`,
    ];
    if (replies.join("\n") !== expected.join("\n"))
      this.faults.push(`${id} is approved, but has ${replies.join(", ")}`);
  }
}
