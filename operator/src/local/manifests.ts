import {
  existsSync,
  type FSWatcher,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type AtSign, hostLabel } from "@atrium/protocol";
import { stringify } from "yaml";
import { type AtSignResource, ManifestError, maxManifestBytes, ownerOf, parseManifest } from "../at-sign-resource.ts";
import { watchDirectory } from "./files.ts";

/** A directory of manifests, one AtSign each, in files `*.yaml` or `*.yml`. */
export interface Manifests extends Disposable {
  /** by atSign; the last good content of each file */
  readonly present: ReadonlyMap<AtSign, AtSignResource>;
  /** Writes a manifest for an atSign that none names. It does not touch what is there. */
  add(atSign: AtSign): void;
}

/** The last good content of each file, kept while nobody looks: what is damaged meanwhile is not withdrawn. */
export interface ManifestMemory {
  all(): { file: string; text: string }[];
  keep(file: string, text: string): void;
  drop(file: string): void;
}

interface Options {
  readonly directory: string;
  /** what a directory that does not exist yet begins with */
  readonly initial: readonly AtSign[];
  readonly memory: ManifestMemory;
  /** @returns why a resource cannot be taken up, for the one who wrote it */
  readonly objection: (resource: AtSignResource) => string | undefined;
  /** after each change of `present`, and once at the beginning */
  readonly onChange: (present: ReadonlyMap<AtSign, AtSignResource>) => void;
  /** one line about a file that is not taken up, once for each fault */
  readonly onProblem: (line: string) => void;
  /** for tests: how long a file must be away to be withdrawn */
  readonly graceMs?: number;
  readonly pollMs?: number;
}

/** Editors write in several steps … */
const settleMs = 100;
/** … and some of them move the file away first: it is withdrawn when it stays away. */
const defaultGraceMs = 1_000;
/** Change events do not come from every file system. */
const defaultPollMs = 2_000;

/** @throws {Error} when the directory cannot be made */
export function openManifests(options: Options): Manifests {
  return new ManifestDirectory(options);
}

interface Entry {
  /** what was last judged; undefined before */
  text: string | undefined;
  /** the last good content */
  resource: AtSignResource | undefined;
  /** what is wrong with `text` */
  problem: string | undefined;
  /** on the monotonic clock, milliseconds; undefined while the file is there */
  missingSince: number | undefined;
}

class ManifestDirectory implements Manifests {
  readonly #options: Options;
  readonly #entries = new Map<string, Entry>();
  readonly #watcher: FSWatcher | undefined;
  readonly #poll: NodeJS.Timeout;
  #present: ReadonlyMap<AtSign, AtSignResource> = new Map();
  #settling: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  #changed = true;

  constructor(options: Options) {
    const { directory, initial, memory, pollMs = defaultPollMs } = options;
    this.#options = options;
    if (!existsSync(directory)) create(directory, initial);
    for (const { file, text } of memory.all()) this.#remember(file, text);
    // What is gone was taken away while nobody looked, not a moment ago by an editor.
    this.#look(0);
    this.#watcher = watchDirectory(directory, () => this.#lookIn(settleMs));
    this.#poll = setInterval(() => this.#look(), pollMs);
  }

  get present(): ReadonlyMap<AtSign, AtSignResource> {
    return this.#present;
  }

  add(atSign: AtSign): void {
    if (this.#present.has(atSign)) return;
    const file = join(this.#options.directory, `${hostLabel(atSign)}.yaml`);
    try {
      writeNew(file, manifestOf(atSign));
    } catch (error) {
      const reason = existsSync(file) ? "is there already, and does not name it" : messageOf(error);
      this.#options.onProblem(`${atSign} is not added: ${file} ${reason}`);
      return;
    }
    this.#look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#settling);
    clearInterval(this.#poll);
    this.#watcher?.close();
  }

  #remember(name: string, text: string): void {
    try {
      const resource = parseManifest(text);
      this.#entries.set(name, { text: undefined, resource, problem: undefined, missingSince: undefined });
    } catch (error) {
      // Another version of Atrium took it up.
      this.#options.onProblem(`${join(this.#options.directory, name)}: ${messageOf(error)}`);
    }
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#look(), ms);
  }

  /** @param graceMs a file that is away for so long is withdrawn */
  #look(graceMs = this.#options.graceMs ?? defaultGraceMs): void {
    try {
      const names = readdirSync(this.#options.directory).filter((name) => /^[^.].*\.ya?ml$/.test(name));
      this.#noteMissing(new Set(names));
      // Known files first, so that a newcomer cannot take an atSign over.
      for (const name of names.sort(this.#knownFirst)) this.#take(name);
      this.#dropMissing(graceMs);
      if (this.#changed) this.#tell();
      this.#problem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem) this.#options.onProblem(`manifests are not taken up: ${problem}`);
      this.#problem = problem;
    }
  }

  /** What could not be taken up is told again at the next look. */
  #tell(): void {
    const resources = [...this.#entries.values()].flatMap(({ resource }) => resource ?? []);
    this.#present = new Map(resources.map((resource) => [resource.spec.atSign, resource]));
    this.#options.onChange(this.#present);
    this.#changed = false;
  }

  readonly #knownFirst = (a: string, b: string): number => {
    const known = (name: string) => (this.#entries.get(name)?.resource === undefined ? 1 : 0);
    return known(a) - known(b) || (a < b ? -1 : 1);
  };

  #noteMissing(names: ReadonlySet<string>): void {
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) entry.missingSince = undefined;
      else entry.missingSince ??= performance.now();
    }
  }

  #dropMissing(graceMs: number): void {
    const now = performance.now();
    for (const [name, { missingSince = Number.POSITIVE_INFINITY }] of this.#entries) {
      if (now - missingSince >= graceMs) this.#drop(name);
      else if (missingSince !== Number.POSITIVE_INFINITY) this.#lookIn(graceMs);
    }
  }

  #drop(name: string): void {
    this.#options.memory.drop(name);
    this.#changed = this.#entries.get(name)?.resource !== undefined || this.#changed;
    this.#entries.delete(name);
  }

  /** Takes one file up, or says what is wrong with it; whatever it is, the others go on. */
  #take(name: string): void {
    const before = this.#entries.get(name);
    let text: string | undefined;
    try {
      text = readManifest(join(this.#options.directory, name));
      // What was refused is looked at again: the reason may have gone.
      if (text === before?.text && before?.problem === undefined) return;
      const resource = this.#checked(name, parseManifest(text), before?.resource);
      this.#options.memory.keep(name, text);
      this.#entries.set(name, { text, resource, problem: undefined, missingSince: undefined });
      this.#changed = true;
    } catch (error) {
      this.#refuse(name, text, messageOf(error));
    }
  }

  #refuse(name: string, text: string | undefined, problem: string): void {
    const before = this.#entries.get(name);
    this.#entries.set(name, { text, resource: before?.resource, problem, missingSince: undefined });
    if (before?.problem === problem) return;
    const kept = before?.resource === undefined ? "" : `; ${before.resource.spec.atSign} stays as it was`;
    this.#options.onProblem(`${join(this.#options.directory, name)}: ${problem}${kept}`);
  }

  /** @throws {ManifestError} */
  #checked(name: string, resource: AtSignResource, before: AtSignResource | undefined): AtSignResource {
    const { atSign } = resource.spec;
    if (before !== undefined && before.spec.atSign !== atSign) {
      throw new ManifestError(`spec.atSign cannot be changed from ${before.spec.atSign}: write another manifest`);
    }
    if (before !== undefined && ownerOf(before) !== ownerOf(resource)) {
      throw new ManifestError(`metadata.name and namespace cannot be changed from ${ownerOf(before)}`);
    }
    for (const [file, { resource: other, missingSince }] of this.#entries) {
      if (file === name || other === undefined) continue;
      const [sameAtSign, sameOwner] = [other.spec.atSign === atSign, ownerOf(other) === ownerOf(resource)];
      // A file that has got another name.
      if (missingSince !== undefined && sameAtSign && sameOwner) this.#drop(file);
      else if (sameAtSign) throw new ManifestError(`${atSign} is already in ${file}`);
      else if (sameOwner) throw new ManifestError(`the AtSign ${ownerOf(resource)} is already in ${file}`);
    }
    const objection = this.#options.objection(resource);
    if (objection !== undefined) throw new ManifestError(objection);
    return resource;
  }
}

/** Makes the directory with its first manifests in it, or not at all. */
function create(directory: string, atSigns: readonly AtSign[]): void {
  const temporary = `${directory}.new`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  for (const atSign of atSigns) {
    writeFileSync(join(temporary, `${hostLabel(atSign)}.yaml`), manifestOf(atSign), { mode: 0o600 });
  }
  renameSync(temporary, directory);
}

/** A whole file or none; never one that was there. */
function writeNew(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    linkSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** @throws {ManifestError} for what cannot be a manifest; reading a pipe would never end */
function readManifest(file: string): string {
  const status = statSync(file);
  if (!status.isFile()) throw new ManifestError("is not a file");
  if (status.size > maxManifestBytes) throw new ManifestError(`has more than ${maxManifestBytes} bytes`);
  return readFileSync(file, "utf8");
}

function manifestOf(atSign: AtSign): string {
  return stringify({
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSign",
    metadata: { name: hostLabel(atSign) },
    spec: { atSign },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
