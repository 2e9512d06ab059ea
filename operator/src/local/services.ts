import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Address, formatAddress } from "@atrium/runtime/config.ts";
import { type DirectoryClient, directoryClient } from "../directory-client.ts";
import type { Identities } from "./identities.ts";
import type { Options } from "./options.ts";
import { addressOf } from "./process.ts";
import { cell } from "./registry-pass.ts";
import { StartError } from "./start-error.ts";
import { type Supervised, supervise } from "./supervised.ts";

/** Directory and gateway. */
export interface Services extends AsyncDisposable {
  /** where clients reach them, by address */
  readonly directory: Address;
  readonly gateway: Address;
  /** the provisioning API of the directory process that runs now; undefined while none does */
  readonly directoryApi: DirectoryClient | undefined;
  /** Takes no new connections from now on; resolves when the gateway has ended. */
  endGateway(): Promise<void>;
}

interface Parts {
  readonly options: Options;
  readonly logDirectory: string;
  readonly identities: Identities;
  /** where the routes are served */
  readonly routes: Address;
  /** after the directory was started again: it has forgotten everything */
  readonly onDirectoryUp: () => void;
  readonly onEvent: (line: string) => void;
}

/** The gateway ends when its connections have; those of atServers that end before do so at once. */
const gatewayDrainMs = 5_000;

/** @throws {StartError} when one of them does not start; none runs then */
export async function startServices(parts: Parts): Promise<Services> {
  const { options, identities, onDirectoryUp } = parts;
  await using stack = new AsyncDisposableStack();
  let api: DirectoryClient | undefined;
  const connect = (addresses: Readonly<Record<string, Address>>) => {
    api = directoryClient(addressOf(addresses, "admin"), identities.operator);
  };
  const disconnect = () => {
    api?.[Symbol.dispose]();
    api = undefined;
  };

  const [directory, gateway] = await Promise.allSettled([
    service("directory", parts, {
      environment: (before) => directoryEnvironment(parts, before.main),
      onUp(addresses) {
        connect(addresses);
        onDirectoryUp();
      },
      onDown: disconnect,
    }),
    service("gateway", parts, { environment: (before) => gatewayEnvironment(parts, before.main) }),
  ]);
  for (const started of [directory, gateway]) if (started.status === "fulfilled") stack.use(started.value);
  if (directory.status === "rejected") throw directory.reason;
  if (gateway.status === "rejected") throw gateway.reason;
  connect(directory.value.addresses);
  stack.defer(disconnect);

  const running = stack.move();
  const at = ({ addresses }: Supervised) => ({
    host: reachable(options.listen),
    port: addressOf(addresses, "main").port,
  });
  return {
    directory: at(directory.value),
    gateway: at(gateway.value),
    get directoryApi() {
      return api;
    },
    endGateway: () => gateway.value.end(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

type Watch = Pick<Parameters<typeof supervise>[0], "environment"> &
  Partial<Pick<Parameters<typeof supervise>[0], "onUp" | "onDown">>;

function service(
  name: "directory" | "gateway",
  { logDirectory, onEvent }: Parts,
  { environment, onUp, onDown }: Watch,
): Promise<Supervised> {
  return supervise({
    name,
    entry: programOf(name),
    logDirectory,
    environment,
    onUp(addresses) {
      onEvent(`the ${name} runs again`);
      onUp?.(addresses);
    },
    onDown(how) {
      onDown?.(how);
      onEvent(`the ${name} ended (${how}); it is started again`);
    },
  }).catch((cause) => {
    throw new StartError(`the ${name} does not start: ${cause instanceof Error ? cause.message : cause}`, { cause });
  });
}

function directoryEnvironment({ options, identities }: Parts, before: Address | undefined): Record<string, string> {
  return {
    DIRECTORY_LISTEN: formatAddress(before ?? { host: options.listen, port: options.directoryPort }),
    DIRECTORY_TLS: identities.directory,
    DIRECTORY_ADMIN_LISTEN: "127.0.0.1:0",
    DIRECTORY_ADMIN_CA: identities.certificates.caFile,
    DIRECTORY_HEALTH_LISTEN: "127.0.0.1:0",
    DIRECTORY_REGISTRY: "memory:",
    DIRECTORY_CELLS: cell,
    DIRECTORY_LOG_LEVEL: options.logLevel,
  };
}

function gatewayEnvironment(
  { options, identities, routes }: Parts,
  before: Address | undefined,
): Record<string, string> {
  return {
    GATEWAY_LISTEN: formatAddress(before ?? { host: options.listen, port: options.gatewayPort }),
    GATEWAY_ROUTES: `https://${formatAddress(routes)}/v1/routes`,
    GATEWAY_TLS: identities.gateway,
    GATEWAY_HEALTH_LISTEN: "127.0.0.1:0",
    GATEWAY_DRAIN_MS: String(gatewayDrainMs),
    GATEWAY_LOG_LEVEL: options.logLevel,
  };
}

/** The file that runs one of Atrium's apps. */
export function programOf(app: string): string {
  return resolve(fileURLToPath(import.meta.url), "../../../..", app, "src/main.ts");
}

/** What to connect to for what listens on all addresses. */
export function reachable(listen: string): string {
  return listen === "0.0.0.0" || listen === "::" ? "127.0.0.1" : listen;
}
