/**
 * A service for tests, as its environment says: ready at once or never, ends by itself after a time, or does not react
 * to being asked to end.
 */
const { SERVICE_READY = "yes", SERVICE_LIVES_MS, SERVICE_EXIT = "0", SERVICE_STUBBORN, SERVICE_SAYS } = process.env;

if (SERVICE_SAYS !== undefined) process.stdout.write(`${SERVICE_SAYS}\n`);
if (SERVICE_LIVES_MS !== undefined) setTimeout(() => process.exit(Number(SERVICE_EXIT)), Number(SERVICE_LIVES_MS));
process.on("SIGTERM", () => {
  if (SERVICE_STUBBORN === undefined) process.exit(143);
});
process.once("disconnect", () => process.exit(143));
if (SERVICE_READY === "yes") {
  process.send?.({ type: "ready", addresses: { main: { host: "127.0.0.1", port: process.pid } } });
}
setInterval(() => undefined, 60_000);
