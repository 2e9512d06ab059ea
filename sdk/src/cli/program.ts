import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ClientError } from "../errors.ts";
import { commands, type Register } from "./commands.ts";
import { exitCodeOf, failureOf, formatFailure, formatFailureJson } from "./failure.ts";
import { Progress } from "./progress.ts";
import { type CommonOptions, Session, type Surroundings } from "./session.ts";

const generalHelp = `
Examples:
  at activate @alice --secret-file secret.txt
  at put @alice phone.demo "+1 555 0100"
  at put @alice public:nick.demo Al
  at get @alice phone.demo
  at put @alice @bob:room.demo 4711
  at get @bob room.demo@alice
  at get @bob public:nick.demo@alice
  at notify @alice @bob:door.demo "somebody is there"
  at monitor @bob
  at scan @alice '\\.demo@'
  at otp @alice
  at enroll request @alice --otp K7QX2M --namespace demo:rw --keys other.atKeys
  at enroll list @alice

Where the platform is: --platform, or --directory with --ca, or ATRIUM_PLATFORM, or ATRIUM_DIRECTORY with
ATRIUM_CA, or .atrium/platform.json in the current directory, which \`npm start\` writes.

Environment:
  ATRIUM_PLATFORM, ATRIUM_DIRECTORY, ATRIUM_CA   as the options of these names
  ATRIUM_SECRET                                  the activation secret
  ATRIUM_PASSPHRASE                              opens a passphrase-protected key file

Output: results on standard output, everything else on standard error. With --json each result is one JSON object
in one line, and a failure is {"error": {"reason", "message", "step", "advice", "code"}} on standard error.

Exit codes:
  0  done
  1  failed: refused by the atServer, damaged data, a file that cannot be read or written
  2  the command line, a key, a value or the platform file is wrong
  3  not found: no such record, or no such atSign
  4  not accepted: secret, keys or key file
  5  not reached: no connection or no answer in time
  6  not trusted: the server's certificate`;

/** Runs `at` once. @returns the exit code */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stderr } = surroundings;
  // Faults in the command line have to be reported before it is understood.
  const given = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length);
  const json = given.includes("--json");
  const quiet = json || given.includes("--quiet");
  using progress = new Progress((line) => quiet || stderr.write(`at: ${line}\n`));
  try {
    await program(surroundings, progress).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = failureOf(error instanceof CommanderError ? usageError(error) : error, progress.step);
    stderr.write(json ? formatFailureJson(failure) : formatFailure(failure));
    return exitCodeOf(failure);
  }
}

function usageError(error: CommanderError): ClientError {
  const message = error.code === "commander.help" ? "no command was given" : error.message.replace(/^error: /, "");
  return new ClientError("invalid", message, { advice: "See at --help, or at help COMMAND.", cause: error });
}

function program(surroundings: Surroundings, progress: Progress): Command {
  const { stdout, version } = surroundings;
  const at = new Command("at")
    .description("Stores and reads the records of an atSign, on any platform of the Atsign Protocol.")
    .version(version, "--version", "print the version")
    .option("--platform <file>", "the platform file: directory, gateway and CA in one")
    .option("--directory <host:port>", "the directory")
    .option("--ca <file>", "the CA certificates to trust, PEM; the machine's own without it")
    .option("--keys <file>", "the key file; $HOME/.atsign/keys/@NAME_key.atKeys without it")
    .addOption(
      new Option("--timeout <seconds>", "how long each step may take").argParser(seconds).default(20_000, "20"),
    )
    .option("--json", "print results and failures as JSON")
    .option("--quiet", "print results and failures only")
    .addHelpText("after", generalHelp)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // Faults are reported by run, in the form that was asked for.
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: () => undefined });
  const register: Register = (usage, description, action) => {
    const { parent, own } = placeOf(at, usage);
    return parent
      .command(own)
      .description(description)
      .action(async (...received: unknown[]) => {
        const [options, self] = received.splice(-2) as [object, Command];
        const session = new Session(surroundings, self.optsWithGlobals<CommonOptions>(), progress);
        await action(session, received as never, options as never);
      });
  };
  for (const add of commands) add(register);
  return at;
}

const groups: Readonly<Record<string, string>> = { enroll: "lets further apps and devices act for the owner" };

/** `enroll list <atsign>` is a command of the command `enroll`. */
function placeOf(at: Command, usage: string): { parent: Command; own: string } {
  const [, group = "", own] = /^(\w+) (\w.*)$/.exec(usage) ?? [];
  if (own === undefined) return { parent: at, own: usage };
  const known = at.commands.find((command) => command.name() === group);
  return { parent: known ?? at.command(group).description(groups[group] ?? ""), own };
}

function seconds(text: string): number {
  const value = Number(text);
  if (value >= 0.1 && value <= 3600) return value * 1000;
  throw new InvalidArgumentError("It must be a number of seconds from 0.1 to 3600.");
}
