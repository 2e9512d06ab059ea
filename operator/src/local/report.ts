import type { AtSign } from "@atrium/protocol";
import type { Condition, ConditionType } from "../tenant/conditions.ts";
import type { PlatformView } from "./platform.ts";

/** What people were told of an Atsign. */
interface Told {
  /** whether they know its address, and how to activate it */
  readonly introduced: boolean;
  readonly activated: boolean;
  readonly status: string | undefined;
}

const serves = "serves again";

/** Turns changes of the Atsigns into lines for people: one for each event worth knowing. */
export class Report {
  readonly #port: number;
  #told: ReadonlyMap<AtSign, Told> = new Map();

  /** @param port of the gateway */
  constructor(port: number) {
    this.#port = port;
  }

  /** @returns what is new since the last time */
  lines(views: readonly PlatformView[]): string[] {
    const width = Math.max(0, ...views.map(({ atSign }) => atSign.length));
    const hostWidth = Math.max(0, ...views.map(({ host }) => host.length));
    const told = this.#told;
    const lines = views.flatMap((view) => {
      const news = this.#newsOf(view, told.get(view.atSign), hostWidth);
      return news.map((text) => `${view.atSign.padEnd(width)}   ${text}`);
    });
    this.#told = new Map(views.map((view) => [view.atSign, toldOf(view, told.get(view.atSign))]));
    const withdrawn = [...told.keys()].filter((atSign) => !this.#told.has(atSign));
    return [...lines, ...withdrawn.map((atSign) => `${atSign}   withdrawn`)];
  }

  #newsOf(view: PlatformView, before: Told | undefined, hostWidth: number): string[] {
    const { introduced, activated, status } = toldOf(view, before);
    if (introduced && before?.introduced !== true) {
      const address = `${view.host}:${this.#port}`.padEnd(hostWidth + `:${this.#port}`.length);
      return [`${address}   ${activationOf(view)}`];
    }
    const news = before?.activated === false && activated ? ["activated"] : [];
    // Before it is introduced, only trouble is news.
    const isNews = status !== undefined && status !== before?.status && (introduced || status !== serves);
    return isNews ? [...news, status] : news;
  }
}

function toldOf(view: PlatformView, before: Told | undefined): Told {
  return {
    introduced: view.answered || before?.introduced === true,
    activated: view.activated,
    status: statusOf(view) ?? before?.status,
  };
}

function activationOf({ atSign, activated, activationSecret }: PlatformView): string {
  if (activated) return "activated";
  if (activationSecret === undefined) return "not activated, and its secret cannot be read";
  return `not activated   npm run at -- activate ${atSign} --secret ${activationSecret}`;
}

/** @returns undefined for what comes and goes by itself */
function statusOf(view: PlatformView): string | undefined {
  const ready = conditionOf(view, "Ready");
  switch (ready?.reason) {
    case "Serving":
      return serves;
    case "Restarting": {
      const degraded = conditionOf(view, "Degraded");
      return degraded?.status
        ? `${degraded.message}; it is started again, later and later`
        : `ended (${ready.message}); it is started again`;
    }
    case "Suspended":
      return "suspended: its clients are refused";
    case "Unclaimed":
      return `not served: the directory refuses its record (${conditionOf(view, "Claimed")?.reason})`;
    default:
      return undefined;
  }
}

function conditionOf(view: PlatformView, type: ConditionType): Condition | undefined {
  return view.conditions.find((condition) => condition.type === type);
}
