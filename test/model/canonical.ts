import type { Command } from "./command.ts";
import type { World } from "./world.ts";

/** Records that an atServer has for itself; the model knows none. */
const own = /__manage@|__public_keys@|signing_p/;

/**
 * A reply without what the model cannot know: dates when the clock is not ours, the order of what has none, and what the
 * atServer has for itself.
 *
 * @param reply without newline, its prompt behind it
 */
export function canonical(reply: string, { verb }: Command, { advance }: Pick<World, "advance">): string {
  const [, payload = "", prompt = ""] = /^data:(.*?)(@(?:alice@|bob@)?)$/s.exec(reply) ?? [];
  const text = payload === "" ? reply : `data:${selected(payload, verb)}${prompt}`;
  return advance === undefined ? text.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z/g, "<date>") : text;
}

function selected(payload: string, verb: Command["verb"]): string {
  if (verb === "scan") {
    const names: string[] = JSON.parse(payload);
    return JSON.stringify(names.filter((name) => !own.test(name)).toSorted());
  }
  if (verb === "config:block:show" && payload !== "null") return JSON.stringify(JSON.parse(payload).toSorted());
  if (verb === "notify:list" && payload !== "null") return JSON.stringify(JSON.parse(payload).map(listed));
  if (verb === "notify:fetch") {
    const { id, notificationStatus } = JSON.parse(payload);
    return JSON.stringify({ id, notificationStatus });
  }
  return payload;
}

/** Its time is the atServer's, its metadata are not the model's. */
function listed({ epochMillis: _time, metadata: _metadata, ...rest }: Record<string, unknown>): object {
  return rest;
}
