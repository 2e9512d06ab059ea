import { silent } from "@atrium/runtime/log.ts";
import type { RedisSettings } from "../registry/redis/link.ts";
import { redisRegistry } from "../registry/redis.ts";
import { type Registry, RegistryAway } from "../registry.ts";

/** Timeouts as short as a loaded machine allows. */
function redisSettings(url: string, settings: Partial<RedisSettings> = {}): RedisSettings {
  return { url: new URL(url), password: undefined, ca: undefined, prefix: "test", timeoutMs: 500, ...settings };
}

/** A replica's view of the registry in that Redis. */
export function replica(url: string, settings: Partial<RedisSettings> & { cells?: readonly string[] } = {}): Registry {
  const { cells = ["local"], ...redis } = settings;
  return redisRegistry({ redis: redisSettings(url, redis), cells, maxRemembered: 1_000, log: silent });
}

/** Asks again and again until it holds: for what happens soon but tells nobody. An absent registry is a no. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  const holdsNow = async () => {
    try {
      return await holds();
    } catch (error) {
      if (error instanceof RegistryAway) return false;
      throw error;
    }
  };
  while (!(await holdsNow())) {
    if (performance.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Marks the pass of every cell, as operators do after they have written all names. */
export async function complete(registry: Registry): Promise<void> {
  await eventually(() => !registry.away);
  const { id, cells } = await registry.state();
  for (const cell of Object.keys(cells)) await registry.markCell(cell, id);
}
