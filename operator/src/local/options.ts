import { isIP } from "node:net";
import { resolve } from "node:path";
import { type AtSign, ProtocolError, parseAtSign } from "@atrium/protocol";
import { type LogLevel, logLevels } from "@atrium/runtime/log.ts";
import { Command, InvalidArgumentError, Option } from "commander";

/** What `npm start` was asked for. */
export interface Options {
  /** to be there, besides those that have a manifest */
  readonly atSigns: readonly AtSign[];
  /** absolute path */
  readonly data: string;
  readonly zone: string;
  readonly directoryPort: number;
  /** more names on the directory's certificate */
  readonly directoryNames: readonly string[];
  readonly gatewayPort: number;
  /** the address that directory and gateway listen on */
  readonly listen: string;
  /** of everything that runs; the logs are in the data directory */
  readonly logLevel: LogLevel;
}

const help = `
Each Atsign is an atServer process of its own. Manifests (kind: AtSign) in DIR/atsigns/*.yaml are picked up and withdrawn
while it runs. DIR/platform.json says where everything is, for \`npm run at\` and for other tools.

Ctrl-C stops everything in order; a second Ctrl-C at once. What was acknowledged is there at the next start.`;

/** Ends the process for \`--help\` and for wrong usage, as the library does. */
export function parseOptions(argv: readonly string[]): Options {
  const command = new Command("npm start --")
    .description("Runs directory, gateway and atServers on this machine, without Kubernetes.")
    .option("--atsign <@name>", "an Atsign to host; repeatable (@alice and @bob on the first start)", collectAtSign)
    .option("--data <dir>", "where everything is kept", ".atrium")
    .option("--zone <name>", "the domain that the atServers' host names are in", domainName, "atrium.localhost")
    .option("--directory-port <port>", "port of the directory; 0 takes a free one", port, 6400)
    .option("--directory-name <name>", "one more name on the directory's certificate; repeatable", collectName)
    .option("--gateway-port <port>", "port of the gateway; 0 takes a free one", port, 6464)
    .option("--listen <address>", "IP address that directory and gateway listen on", ipAddress, "127.0.0.1")
    .addOption(
      new Option("--log-level <level>", "what is written to DIR/log")
        .choices(logLevels)
        .default("info")
        .env("ATRIUM_LOG_LEVEL"),
    )
    .addHelpText("after", help)
    .allowExcessArguments(false)
    .showHelpAfterError("(npm start -- --help says more)")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "Atrium: ")) });
  const {
    atsign = [],
    data,
    zone,
    directoryPort,
    directoryName = [],
    gatewayPort,
    listen,
    logLevel,
  } = command.parse(argv, { from: "user" }).opts();
  if (isUnderLocalhost(zone) && !["127.0.0.1", "0.0.0.0", "::"].includes(listen)) {
    command.error(
      `Atrium: names under localhost always mean 127.0.0.1: with --listen ${listen}, choose a --zone, too.`,
    );
  }
  if (directoryPort !== 0 && directoryPort === gatewayPort) {
    command.error(`Atrium: directory and gateway cannot both have port ${gatewayPort}.`);
  }
  return {
    atSigns: atsign,
    data: resolve(data),
    zone,
    directoryPort,
    directoryNames: directoryName,
    gatewayPort,
    listen,
    logLevel,
  };
}

function collectAtSign(text: string, before: readonly AtSign[] = []): AtSign[] {
  try {
    return [...before, parseAtSign(text)];
  } catch (error) {
    if (error instanceof ProtocolError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function collectName(text: string, before: readonly string[] = []): string[] {
  return [...before, domainName(text)];
}

function domainName(text: string): string {
  const name = text.toLowerCase();
  if (!/^(?=.{1,200}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new InvalidArgumentError("It must be a domain name such as at.example.org.");
  }
  return name;
}

function ipAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError("It must be an IP address such as 0.0.0.0.");
  return text;
}

/** @see RFC 6761, section 6.3 */
export function isUnderLocalhost(zone: string): boolean {
  return /(?:^|\.)localhost$/.test(zone);
}

function port(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= 65_535)) throw new InvalidArgumentError("It must be a whole number from 0 to 65535.");
  return number;
}
