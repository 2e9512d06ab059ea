import { decrypted } from "./proofs.ts";
import {
  type Ask,
  type Bytes,
  type Closes,
  type Crowd,
  connectionsOf,
  type Decrypts,
  type Exchange,
  type Later,
  type Members,
  type On,
  type Page,
  type Repeat,
  type Row,
  type Sees,
  type Step,
} from "./row.ts";
import { type Given, type Line, Missing, Target } from "./target.ts";
import { type Functions, filled, matched, type Variables } from "./template.ts";

export interface Result {
  readonly row: Row;
  /** `differs`: it failed where another server may; `needs`: the target has not got what the row uses */
  readonly outcome: "ok" | "FAIL" | "differs" | "needs";
  readonly why?: string;
  readonly ms: number;
}

interface Options {
  /** whether what Atrium does otherwise on purpose may be as the reference has it */
  readonly reference?: boolean;
  readonly onResult?: (result: Result) => void;
}

const replyMs = 10_000;
const repeatMs = 15_000;
const pauseMs = 50;
const silenceMs = 150;
/** A longer reply needs several TLS records. */
const recordBytes = 16_000;
const atOnce = 12;

/** Runs rows, many at the same time, those of a group in their order, and what must be alone last. */
export async function runRows(rows: readonly Row[], given: Given, options: Options = {}): Promise<Result[]> {
  using target = new Target(given);
  const run = async (row: Row): Promise<Result> => {
    const result = await runRow(row, target, options.reference ?? false);
    options.onResult?.(result);
    return result;
  };
  const inOrder = async (group: readonly Row[]) => {
    const results: Result[] = [];
    for (const row of group) results.push(await run(row));
    return results;
  };
  const laneOf = ({ slow, group }: Row) => group ?? (slow ? "slow" : "free");
  const { free = [], slow = [], alone = [], ...groups } = Object.groupBy(rows, laneOf);
  const queue = [...free];
  const worker = async () => {
    const results: Result[] = [];
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) results.push(await run(row));
    return results;
  };
  const together = await Promise.all([
    Promise.all(slow.map(run)),
    ...Array.from({ length: atOnce }, worker),
    ...Object.values(groups).map((group) => inOrder(group)),
  ]);
  return [...together.flat(), ...(await inOrder(alone))];
}

class Mismatch extends Error {}

let numbered = 0;
const runId = Date.now().toString(36);

async function runRow(row: Row, target: Target, reference: boolean): Promise<Result> {
  const began = performance.now();
  const lines = new Map<On, Line>();
  const variables: Variables = new Map([
    ["name", target.named("alice")],
    ["n", `c${runId}x${numbered++}`],
  ]);
  const result = (outcome: Result["outcome"], why?: string): Result => ({
    row,
    outcome,
    ms: Math.round(performance.now() - began),
    ...(why !== undefined && { why }),
  });
  try {
    for (const name of row.needs ?? []) target.need(name);
    for (const on of connectionsOf(row)) lines.set(on, await target.take(on));
    for (const [index, step] of row.steps.entries()) {
      const on = "on" in step ? step.on : step[0];
      const line = lines.get(on);
      if (line === undefined) throw new Error(`no connection ${on}`);
      try {
        await runStep(step, { line, variables, target, functions: target.functions });
      } catch (error) {
        throw error instanceof Mismatch ? new Mismatch(`step ${index + 1} [${on}] ${error.message}`) : error;
      }
    }
    for (const [on, line] of lines) checkSilent(on, line);
  } catch (error) {
    for (const line of lines.values()) line.fresh = false;
    if (error instanceof Missing) return result("needs", error.message);
    const why = error instanceof Mismatch ? error.message : `${error instanceof Error ? error.stack : error}`;
    return result(row.differs !== undefined && reference ? "differs" : "FAIL", why);
  } finally {
    for (const [on, line] of lines) target.give(on, line);
  }
  return result("ok");
}

interface Context {
  readonly line: Line;
  readonly variables: Variables;
  readonly target: Target;
  readonly functions: Functions;
}

async function runStep(step: Step, context: Context): Promise<void> {
  if (!("on" in step)) return await exchange(fromTuple(step), context);
  if ("send" in step) return await exchange(step, context);
  if ("until" in step) return await repeat(step, context);
  if ("bytes" in step) return await bytes(step, context);
  if ("sees" in step) return await sees(step, context);
  if ("unseen" in step) return unseen(step.unseen, context);
  if ("later" in step) return later(step, context);
  if ("decrypts" in step) return decrypts(step);
  if ("members" in step) return members(step, context);
  if ("pages" in step) return await page(step, context);
  if ("crowd" in step) return await crowd(step, context);
  if ("ends" in step) context.line.wire.take();
  await closes("closes" in step ? step : {}, context);
}

function fromTuple([on, send, is]: Exchange): Ask {
  return { on, send, is };
}

async function exchange({ send, is, afterMs = 0, minMs = 0, maxMs = replyMs }: Ask, context: Context): Promise<void> {
  if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
  const { line } = context;
  const command = text(send, context);
  checkSilent("it", line);
  const began = performance.now();
  noteCommand(command, line);
  line.wire.send(`${command}\n`);
  if (/^monitor/i.test(command) && is === "") {
    line.monitoring = true;
    return;
  }
  if (line.monitoring) await replyAmongNotifications(command, text(is, context), context);
  else await reply(command, text(is, context), context);
  const took = performance.now() - began;
  if (took < minMs - 2) throw new Mismatch(`${shown(command)} was answered after ${Math.round(took)} ms, not ${minMs}`);
  if (took > maxMs) throw new Mismatch(`${shown(command)} was answered after ${Math.round(took)} ms, not ${maxMs}`);
}

/** What makes a connection another than it was. */
function noteCommand(command: string, line: Line): void {
  if (/^(?:from|cram|pkam|pol|monitor|@exit|enroll:request)/i.test(command)) line.fresh = false;
}

async function reply(command: string, expected: string, context: Context): Promise<void> {
  const { line, variables } = context;
  const whole = wholeReply(expected, line);
  const over = ({ text: came, closed }: { text: string; closed: boolean }) =>
    closed || matched(whole, came) !== undefined || /\n./s.test(came);
  await line.wire.until(over, replyMs);
  const { text: came, records } = line.wire.take();
  const captured = matched(whole, came);
  if (captured === undefined) throw mismatch(command, whole, came);
  if (records.length > 1 && came.length < recordBytes) {
    throw new Mismatch(
      `${shown(command)} was answered in ${records.length} TLS records: ${shown(records.join(" | "))}`,
    );
  }
  for (const [name, value] of captured) variables.set(name, value);
  line.prompt = promptOf(came, line.prompt);
}

/** With the prompt that must follow, unless the row says it. */
function wholeReply(expected: string, line: Line): string {
  if (expected.includes("\n") || expected.startsWith("@")) return expected;
  const login = expected === "data:success" && line.prompt === "@";
  if (login) throw new Error("a row must say the prompt that follows a login");
  return `${expected}\n${line.peer && /^error:AT\d{4}-/.test(expected) ? "@" : line.prompt}`;
}

/** Only an error on a peer's connection is followed by another prompt than that of the state. */
function promptOf(came: string, before: string): string {
  const prompt = /(?:^|\n)(@(?:[^\s@]+@)?)$/.exec(came)?.[1] ?? before;
  return came.startsWith("error:AT") && prompt === "@" && before !== "@" ? before : prompt;
}

/** On a monitor: the first line that is no notification, and no prompt around it. */
async function replyAmongNotifications(command: string, expected: string, context: Context): Promise<void> {
  const line = await nextLine(context, (each) => !each.startsWith("notification: "), replyMs);
  const captured = line === undefined ? undefined : matched(expected, line);
  if (captured === undefined) throw mismatch(command, expected, line ?? context.line.wire.received.text);
  for (const [name, value] of captured) context.variables.set(name, value);
}

async function repeat({ until, is }: Repeat, context: Context): Promise<void> {
  const { line } = context;
  const deadline = performance.now() + repeatMs;
  for (;;) {
    const command = text(until, context);
    line.wire.send(`${command}\n`);
    await line.wire.until(({ text: came }) => /\n./s.test(came), replyMs);
    const { text: came } = line.wire.received;
    if (matched(wholeReply(text(is, context), line), came) !== undefined || performance.now() > deadline) {
      return await reply(command, text(is, context), context);
    }
    line.wire.take();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function bytes({ bytes: sent, gives, atOnce: together }: Bytes, context: Context): Promise<void> {
  const { line } = context;
  line.fresh = false;
  for (const chunk of Array.isArray(sent) ? sent : [sent]) {
    line.wire.send(typeof chunk === "string" ? text(chunk, context) : chunk);
    // For the chunks to travel apart.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (gives === null) {
    if (await line.wire.until((received) => received.text !== "", silenceMs)) {
      throw mismatch("these bytes", "nothing", line.wire.take().text);
    }
    return;
  }
  const expected = text(gives, context);
  await line.wire.until((received) => matched(expected, received.text) !== undefined, replyMs);
  const { text: came, records } = line.wire.take();
  const captured = matched(expected, came);
  if (captured === undefined) throw mismatch("these bytes", expected, came);
  if (together && records.length > 1) throw new Mismatch(`answered in ${records.length} TLS records: ${shown(came)}`);
  for (const [name, value] of captured) context.variables.set(name, value);
  line.prompt = promptOf(came, line.prompt);
}

async function sees({ sees: template, minMs = 0, maxMs = replyMs }: Sees, context: Context): Promise<void> {
  const expected = text(template, context);
  const began = performance.now();
  const line = await nextLine(context, (each) => matched(expected, each) !== undefined, maxMs);
  if (line === undefined) throw mismatch("the monitor", expected, context.line.wire.received.text);
  const took = performance.now() - began;
  if (took < minMs - 2) throw new Mismatch(`${shown(line)} came after ${Math.round(took)} ms, not ${minMs}`);
  for (const [name, value] of matched(expected, line) ?? []) context.variables.set(name, value);
}

/**
 * The first line of a monitor that will do; those before it stay, to be looked at again.
 *
 * @returns undefined when none comes
 */
async function nextLine(context: Context, will: (line: string) => boolean, maxMs: number): Promise<string | undefined> {
  const { wire } = context.line;
  const find = () => wire.received.text.split("\n").slice(0, -1).find(will);
  await wire.until(() => find() !== undefined, maxMs);
  const found = find();
  if (found !== undefined) {
    const lines = wire.take().text.split("\n");
    lines.splice(lines.indexOf(found), 1);
    wire.putBack(lines.join("\n"));
  }
  return found;
}

function unseen(template: string, context: Context): void {
  const expected = text(template, context);
  const seen = context.line.wire.received.text.split("\n").find((line) => matched(expected, line) !== undefined);
  if (seen !== undefined) throw new Mismatch(`saw ${shown(seen)}`);
}

async function closes({ minMs = 0, maxMs = replyMs }: Partial<Closes>, { line }: Context): Promise<void> {
  line.fresh = false;
  const began = performance.now();
  await line.wire.until(({ closed }) => closed, maxMs);
  const took = performance.now() - began;
  const { closed, text: came } = line.wire.take();
  if (!closed) throw new Mismatch("the connection was not closed");
  if (came !== "") throw mismatch("the end", "nothing", came);
  if (took < minMs - 2) throw new Mismatch(`the connection was closed after ${Math.round(took)} ms, not ${minMs}`);
}

function later({ later: [first, second] }: Later, { variables }: Context): void {
  const [earlier = "", after = ""] = [variables.get(first), variables.get(second)];
  const time = (date: string) => (/^\d+$/.test(date) ? Number(date) : Date.parse(date));
  if (!(time(after) > time(earlier))) throw new Mismatch(`${after} is not later than ${earlier}`);
}

function members({ members: name, are = {}, have = [] }: Members, context: Context): void {
  const inside = context.variables.get(name) ?? "";
  // A JSON text inside a JSON text has its quotes escaped.
  const object = JSON.parse(`{${inside.startsWith('\\"') ? JSON.parse(`"${inside}"`) : inside}}`);
  for (const member of [...have, ...Object.keys(are)]) {
    if (!(member in object)) throw new Mismatch(`${member} is missing in ${shown(JSON.stringify(object))}`);
  }
  for (const [member, template] of Object.entries(are)) {
    const expected = typeof template === "string" ? text(template, context) : template;
    if (object[member] !== expected) throw mismatch(member, `${expected}`, `${object[member]}`);
  }
}

async function page({ on, pages, are }: Page, context: Context): Promise<void> {
  await exchange({ on, send: pages, is: "data:[<page:any>]" }, context);
  const found = JSON.parse(`[${context.variables.get("page")}]`).length;
  const { least, most } = typeof are === "number" ? { least: are, most: are } : are;
  if (found < least || found > most) throw mismatch(pages, `${least} to ${most} entries`, `${found}`);
}

async function crowd({ on, crowd: count, told }: Crowd, { target }: Context): Promise<void> {
  const heard = await target.crowd(on, count);
  if (heard !== told) throw mismatch(`the last of at most ${count} connections`, told, heard);
}

function decrypts({ decrypts: cipher, iv, to }: Decrypts): void {
  const plain = decrypted(cipher, iv);
  if (plain !== to) throw mismatch(cipher, to, plain);
}

/** Only a monitor says something without being asked, and only notifications. */
function checkSilent(on: On, line: Line): void {
  const { text: came } = line.wire.received;
  const alien = line.monitoring
    ? came.split("\n").find((each) => each !== "" && !each.startsWith("notification: "))
    : came;
  if (alien !== undefined && alien !== "") throw new Mismatch(`[${on}] said unasked ${shown(alien)}`);
}

function text(template: string, { variables, target, functions }: Context): string {
  return filled(target.named(template), variables, functions);
}

function mismatch(command: string, expected: string, came: string): Mismatch {
  return new Mismatch(`${shown(command)}: expected ${shown(expected)}, saw ${shown(came)}`);
}

function shown(long: string): string {
  const line = JSON.stringify(long);
  return line.length > 600 ? `${line.slice(0, 500)} … ${line.slice(-90)}` : line;
}
