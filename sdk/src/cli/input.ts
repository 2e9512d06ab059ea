import { readFileSync } from "node:fs";
import { ClientError, systemCode } from "../errors.ts";
import { maxValueBytes } from "../value.ts";

/**
 * Reads all of standard input. One newline at the end is not part of it: tools end their output with one, as `at get` does.
 *
 * @throws {ClientError} `invalid` when it is too long or not UTF-8
 */
export async function readInput(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    length += chunk.length;
    if (length > maxValueBytes + 1)
      throw new ClientError("invalid", `standard input is longer than ${maxValueBytes} bytes`);
    chunks.push(chunk);
  }
  return utf8(Buffer.concat(chunks), "standard input").replace(/\n$/, "");
}

export interface SecretSources {
  readonly secret?: string | undefined;
  readonly secretFile?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: AsyncIterable<Uint8Array>;
}

/**
 * The activation secret: from the option, where `-` means standard input; from a file; from ATRIUM_SECRET.
 *
 * @throws {ClientError} `invalid` when there is none
 */
export async function readSecret({ secret, secretFile, environment, input }: SecretSources): Promise<string> {
  if (secret !== undefined && secretFile !== undefined) {
    throw new ClientError("invalid", "--secret and --secret-file cannot be given both");
  }
  const found = (
    secretFile !== undefined
      ? readSecretFile(secretFile)
      : secret === "-"
        ? await readInput(input)
        : (secret ?? environment.ATRIUM_SECRET ?? "")
  ).trim();
  if (found === "") {
    throw new ClientError("invalid", "there is no activation secret", {
      advice: "Give it with --secret-file FILE, ATRIUM_SECRET, --secret - (standard input) or --secret SECRET.",
    });
  }
  return found;
}

function readSecretFile(file: string): string {
  try {
    return utf8(readFileSync(file), file);
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    throw new ClientError("local", `the secret file ${file} cannot be read (${systemCode(cause) ?? cause})`, { cause });
  }
}

function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ClientError("invalid", `${what} is not UTF-8 text`, { cause });
  }
}
