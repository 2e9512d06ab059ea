import { connect, type TLSSocket } from "node:tls";
import type { Address } from "@atrium/runtime/config.ts";
import type { Log } from "@atrium/runtime/log.ts";
import { RecentMap } from "./recent-map.ts";

/** Another directory, for the names that are not ours. */
export interface Upstream {
  /** From memory, at once. Only addresses are remembered: a name that is unknown now may be taken in a moment. */
  recall(name: string): Address | undefined;
  /**
   * Never rejects.
   * @returns `unknown` when upstream said so, `none` when it said nothing that counts
   */
  find(name: string): Promise<Address | "unknown" | "none">;
}

export interface UpstreamSettings {
  readonly address: Address;
  /** PEM; the system's roots when undefined */
  readonly ca: string | undefined;
  /** for connection, handshake and answer together */
  readonly deadlineMs: number;
  /** how long an address is remembered; clients remember one for an hour besides */
  readonly rememberMs: number;
  readonly maxRemembered: number;
  /** questions at one time; more are no answer at once */
  readonly maxQuestions: number;
}

/**
 * Asks as clients do: a connection per question. Directories limit the unknown names of a connection, and their answers
 * carry no name by which questions on one connection could be told apart after a fault.
 */
export function openUpstream(settings: UpstreamSettings, log: Log): Upstream {
  const remembered = new RecentMap<{ address: Address; untilMs: number }>(settings.maxRemembered);
  const questions = new Map<string, Promise<Address | "unknown" | "none">>();

  let trouble: string | undefined;
  // Said once for each kind of trouble, not once for each question.
  const note = (now: string | undefined) => {
    if (now === trouble) return;
    if (now !== undefined) log.warn({ trouble: now }, "upstream does not answer");
    else log.info("upstream answers again");
    trouble = now;
  };

  const question = async (name: string): Promise<Address | "unknown" | "none"> => {
    try {
      const answer = await ask(name, settings);
      note(undefined);
      if (answer !== "unknown") {
        remembered.set(name, { address: answer, untilMs: performance.now() + settings.rememberMs });
      }
      return answer;
    } catch (error) {
      note(error instanceof Error ? error.message : String(error));
      return "none";
    } finally {
      questions.delete(name);
    }
  };

  return {
    recall(name) {
      const entry = remembered.get(name);
      return entry !== undefined && performance.now() < entry.untilMs ? entry.address : undefined;
    },
    find(name) {
      const running = questions.get(name);
      if (running !== undefined) return running;
      if (questions.size >= settings.maxQuestions) return Promise.resolve("none");
      const started = question(name);
      questions.set(name, started);
      return started;
    },
  };
}

/** An answer with its greeting is at most a host name of 253 characters, a port and the prompts. */
const maxAnswerBytes = 512;

/** @throws {Error} when there is no answer in time, or none that makes sense */
async function ask(name: string, settings: UpstreamSettings): Promise<Address | "unknown"> {
  const { host, port } = settings.address;
  const { ca, deadlineMs } = settings;
  const socket = connect({ host, port, servername: host, ...(ca !== undefined && { ca }) });
  const deadline = setTimeout(
    () => socket.destroy(new Error(`no answer from ${host}:${port} in ${deadlineMs} ms`)),
    deadlineMs,
  );
  try {
    return await dialogue(socket, name);
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

async function dialogue(socket: TLSSocket, name: string): Promise<Address | "unknown"> {
  let text = "";
  let asked = false;
  for await (const chunk of socket.setEncoding("latin1")) {
    text += chunk;
    if (text.length > maxAnswerBytes) throw new Error("upstream answered too much");
    if (!asked && text.startsWith("@")) {
      asked = true;
      socket.write(`${name}\n`);
    }
    if (asked && text.endsWith("\r\n@")) return parseAnswer(text.slice(1, -3));
  }
  throw new Error("upstream closed without an answer");
}

const hostAndPort = /^([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):(\d{1,5})$/;

function parseAnswer(text: string): Address | "unknown" {
  if (text === "null") return "unknown";
  const [, host, port] = hostAndPort.exec(text) ?? [];
  if (host === undefined || !(Number(port) <= 65_535)) throw new Error("upstream answered neither null nor an address");
  return { host: host.toLowerCase(), port: Number(port) };
}
