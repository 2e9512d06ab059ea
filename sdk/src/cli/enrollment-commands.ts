import { hostname } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { enrollApp, type Namespaces } from "../enroll.ts";
import { ClientError } from "../errors.ts";
import { atSignOf } from "../names.ts";
import type { Register } from "./commands.ts";
import { duration } from "./duration.ts";
import { printable } from "./failure.ts";

export function addOtp(register: Register): void {
  register<[string], { ttl?: number }>(
    "otp <atsign>",
    "prints a passcode by which a further app or device may ask to be let in, once",
    async (session, [name], { ttl }) => {
      await using client = await session.client(atSignOf(name));
      const passcode = await client.enrollments.passcode({ ttlMs: ttl });
      session.result({ passcode }, `${passcode}\n`);
    },
  ).addOption(new Option("--ttl <duration>", "how long it may; 5m without it").argParser(duration));
}

interface RequestOptions {
  readonly otp: string;
  readonly namespace?: Namespaces;
  readonly app: string;
  readonly device: string;
  readonly expiry?: number;
  readonly wait: number;
}

export function addEnrollRequest(register: Register): void {
  register<[string], RequestOptions>(
    "enroll request <atsign>",
    "asks to be let in as a further app or device, and waits until the owner approves it",
    async (session, [name], { otp: passcode, app, device, namespace: namespaces, expiry, wait }) => {
      if (namespaces === undefined) {
        throw new ClientError("invalid", "no namespace is asked for", {
          advice: "Name at least one: --namespace demo:rw.",
        });
      }
      const atSign = atSignOf(name);
      const keyFile = session.keyFileOf(atSign);
      const keys = await enrollApp({
        ...session.connecting(atSign),
        ...{ passcode, appName: app, deviceName: device, namespaces, expiryMs: expiry, keyFile, waitMs: wait },
        onPending: (id) => session.note(`at: waiting for the owner: at enroll approve ${atSign} ${id}`),
      });
      session.note(`${app} on ${device} may act for ${atSign} now. Its keys are in ${keyFile}.`);
      session.result({ atSign, enrollmentId: keys.enrollmentId, keys: keyFile });
    },
  )
    .requiredOption("--otp <passcode>", "what `at otp` printed where the owner is at home already")
    .addOption(
      new Option("--namespace <name:access>", "demo:rw, or demo:r to read only; may be given several times").argParser(
        namespaces,
      ),
    )
    .addOption(new Option("--app <name>", "what the owner knows the app by").default("at"))
    .addOption(
      new Option("--device <name>", "what the owner knows the device by").default(hostname(), "this machine's name"),
    )
    .addOption(new Option("--expiry <duration>", "to be let in for this time only").argParser(duration))
    .addOption(
      new Option("--wait <duration>", "how long to wait for the owner").argParser(duration).default(600_000, "10m"),
    )
    .addHelpText("after", "\nThe keys are written once the owner has approved it. Key files are never overwritten.");
}

export function addEnrollList(register: Register): void {
  register<[string], { pending?: true }>(
    "enroll list <atsign>",
    "prints the apps and devices that may act for the owner, that ask to, and that might",
    async (session, [name], { pending }) => {
      await using client = await session.client(atSignOf(name));
      for (const enrollment of await client.enrollments.list(pending ? ["pending"] : undefined)) {
        const { id, state, appName, deviceName, namespaces: granted } = enrollment;
        const namespaces = Object.entries(granted).map((entry) => entry.join(":"));
        const line = [id, state, appName, deviceName, namespaces.join(" ")].join("   ");
        session.result(enrollment, `${printable(line)}\n`);
      }
    },
  ).option("--pending", "those that wait for a decision only");
}

const decisions = {
  approve: "lets an app in that asks for it, and hands it the keys of the atSign",
  deny: "refuses an app that asks to be let in",
  revoke: "takes back what an app was granted, and closes its connections",
} as const;

export function addEnrollDecisions(register: Register): void {
  for (const decision of ["approve", "deny", "revoke"] as const) {
    register<[string, string], object>(
      `enroll ${decision} <atsign> <id>`,
      decisions[decision],
      async (session, [name, id]) => {
        await using client = await session.client(atSignOf(name));
        await client.enrollments[decision](id);
        session.result({ id, decision });
      },
    );
  }
}

function namespaces(text: string, before: Namespaces = {}): Namespaces {
  const [, name, access] = /^([^\s:@]+):(rw?)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be a namespace and r or rw, like demo:rw.");
  return { ...before, [name]: access === "r" ? "r" : "rw" };
}
