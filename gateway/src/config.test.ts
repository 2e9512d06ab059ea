import { readSettings } from "@atrium/runtime/config.ts";
import { describe, expect, test } from "@jest/globals";
import { networkTest, settings } from "./config.ts";

const read = (environment: Record<string, string>) =>
  readSettings(settings, { GATEWAY_ROUTES: "file:///etc/routes.json", ...environment });

describe("the settings", () => {
  test("need to say where the routes are, and nothing else", () => {
    expect(read({})).toMatchObject({
      listen: { host: "0.0.0.0", port: 6464 },
      clusterListen: undefined,
      routes: { kind: "file", path: "/etc/routes.json" },
      helloMs: 5_000,
      idleMs: 900_000,
    });
    expect(() => readSettings(settings, {})).toThrow("GATEWAY_ROUTES is not set");
  });

  test("take a stream of routes", () => {
    const { routes } = read({ GATEWAY_ROUTES: "https://127.0.0.1:8443/v1/routes" });
    expect(routes).toEqual({ kind: "stream", url: new URL("https://127.0.0.1:8443/v1/routes") });
  });

  test.each(["routes.json", "http://127.0.0.1/v1/routes", "redis://127.0.0.1"])("refuse %s as routes", (text) => {
    expect(() => read({ GATEWAY_ROUTES: text })).toThrow("GATEWAY_ROUTES must be file:///… or https://…");
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/8,,", "all"])(
    "refuse %s as networks",
    (text) => {
      expect(() => read({ GATEWAY_PROXY_PROTOCOL_FROM: text })).toThrow("GATEWAY_PROXY_PROTOCOL_FROM must be a list");
    },
  );

  test("know the networks of load balancers", () => {
    const isProxy = networkTest(read({ GATEWAY_PROXY_PROTOCOL_FROM: "10.0.0.0/8, fd00::/8" }).proxyProtocolFrom);
    expect(["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"].map(isProxy)).toEqual([true, true, true]);
    expect(["11.0.0.1", "fe80::1", "::ffff:11.0.0.1", ""].map(isProxy)).toEqual([false, false, false, false]);
    expect(networkTest(read({}).proxyProtocolFrom)("10.1.2.3")).toBe(false);
  });
});
