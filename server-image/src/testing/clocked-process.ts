/** An atServer of tests in a process of its own, whose clock stands still until the parent says by how much it goes on. */
import { secret } from "./atserver.ts";
import { listen } from "./listener.ts";

const { server, clock } = await listen();

process.on("message", ({ advanceMs }: { advanceMs: number }) => {
  clock.advance(advanceMs);
  process.send?.({ nowMs: clock.nowMs });
});
process.on("disconnect", () => process.exit());
process.send?.({ address: server.address, secret, nowMs: clock.nowMs });
