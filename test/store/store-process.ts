import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../server-image/src/store/store-process.ts", import.meta.url));

/** How long a call may take, unless the process is stopped: then its answer comes when it comes. */
const callDeadlineMs = 20_000;

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly name: string; readonly message: string; readonly reason?: string };
}

/** What a call on the store in the other process threw. */
class RemoteError extends Error {
  readonly reason: string | undefined;

  constructor({ name, message, reason }: NonNullable<Answer["error"]>) {
    super(message);
    this.name = name;
    this.reason = reason;
  }
}

/** Everything that is in a store. */
export interface Contents {
  readonly records: [key: string, value: string][];
  readonly log: [key: string, commitId: number][];
  readonly lastCommitId: number;
}

/** A store in a process of its own, which can be stopped and killed. */
export class StoreProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, (answer: Answer) => void>();
  readonly #events = new EventEmitter();
  readonly #exited: Promise<unknown>;
  #lastId = 0;

  constructor() {
    this.#child = fork(program, {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (message: Answer | { event: string }) => {
      if ("event" in message) this.#events.emit(message.event);
      else this.#settle(message);
    });
    this.#exited = once(this.#child, "exit").then(() => {
      const error = { name: "Gone", message: "the process has ended" };
      for (const id of this.#calls.keys()) this.#settle({ id, error });
    });
  }

  /** @returns once it is open; `waiting` events come before while a lock is held */
  async open(options: { directory: string; epoch: number; openDeadlineMs?: number }): Promise<void> {
    await this.#call("open", options, 2 * callDeadlineMs);
  }

  put(key: string, value: string): Promise<number> {
    return this.#call("put", { key, value });
  }

  remove(key: string): Promise<number> {
    return this.#call("remove", { key });
  }

  /** The process stops in its transaction, with an event `inside`; what is returned settles after it went on. */
  putAndStopInside(key: string, value: string): Promise<number> {
    return this.#call("putAndStopInside", { key, value });
  }

  get(key: string): Promise<string | null> {
    return this.#call("get", { key });
  }

  check(): Promise<void> {
    return this.#call("check", {});
  }

  state(): Promise<{ writable: boolean; lastCommitId: number }> {
    return this.#call("state", {});
  }

  readAll(): Promise<Contents> {
    return this.#call("readAll", {});
  }

  /** Resolves at the next event of that name. */
  async event(name: "waiting" | "stale" | "inside"): Promise<void> {
    await once(this.#events, name, { signal: AbortSignal.timeout(callDeadlineMs) });
  }

  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  continue(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends it without giving it a chance to tidy up. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #call<T>(call: string, args: object, deadlineMs = callDeadlineMs): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      const timer = setTimeout(() => {
        this.#settle({ id, error: { name: "Late", message: `no answer to ${call} in ${deadlineMs} ms` } });
      }, deadlineMs);
      this.#calls.set(id, ({ result, error }) => {
        clearTimeout(timer);
        if (error === undefined) resolve(result as T);
        else reject(new RemoteError(error));
      });
      this.#child.send({ id, call, args }, (error) => {
        if (error !== null) this.#settle({ id, error: { name: "Gone", message: error.message } });
      });
    });
  }

  #settle(answer: Answer): void {
    this.#calls.get(answer.id)?.(answer);
    this.#calls.delete(answer.id);
  }
}
