import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { type AtSign, hostLabel } from "@atrium/protocol";
import { stringify } from "yaml";
import { type AtSignResource, ManifestError, parseManifest } from "../at-sign-resource.ts";
import { writeAtomically } from "./files.ts";

/** A directory of manifests, one AtSign each, in files `*.yaml` or `*.yml`. */
export interface Manifests extends Disposable {
  /** by atSign; the last good content of each file */
  readonly present: ReadonlyMap<AtSign, AtSignResource>;
  /** Writes a manifest for an atSign that none names. */
  add(atSign: AtSign): void;
}

interface Known {
  readonly text: string;
  readonly resource: AtSignResource | undefined;
}

/** Editors write in several steps. */
const settleMs = 100;
/** Change events do not come from every file system. */
const pollMs = 2_000;

/**
 * @param onChange after each change of `present`
 * @param onProblem one line about a file that is not taken up, once for each content
 */
export function openManifests({
  directory,
  onChange,
  onProblem,
}: {
  directory: string;
  onChange: () => void;
  onProblem: (line: string) => void;
}): Manifests {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files = new Map<string, Known>();
  let present = new Map<AtSign, AtSignResource>();
  let problem: string | undefined;

  const read = (): boolean => {
    const names = readdirSync(directory).filter((name) => /^[^.].*\.ya?ml$/.test(name));
    let changed = false;
    for (const name of files.keys()) {
      if (!names.includes(name)) changed = files.delete(name) || changed;
    }
    // Known files first, so that a newcomer cannot take an atSign over.
    const ordered = names.sort((a, b) => Number(files.has(b)) - Number(files.has(a)) || (a < b ? -1 : 1));
    for (const name of ordered) changed = readFile(name) || changed;
    return changed;
  };
  const readFile = (name: string): boolean => {
    const known = files.get(name);
    const text = readFileSync(join(directory, name), "utf8");
    if (known?.text === text) return false;
    try {
      files.set(name, { text, resource: checked(name, parseManifest(text), known?.resource) });
      return true;
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      files.set(name, { text, resource: known?.resource });
      const kept = known?.resource === undefined ? "" : `; ${known.resource.spec.atSign} stays as it was`;
      onProblem(`${join(directory, name)}: ${error.message}${kept}`);
      return false;
    }
  };
  const checked = (name: string, resource: AtSignResource, before: AtSignResource | undefined): AtSignResource => {
    const { atSign } = resource.spec;
    if (before !== undefined && before.spec.atSign !== atSign) {
      throw new ManifestError(
        `spec.atSign cannot be changed from ${before.spec.atSign}; write another manifest for ${atSign}`,
      );
    }
    const other = [...files].find(([file, { resource: held }]) => file !== name && held?.spec.atSign === atSign);
    if (other !== undefined) throw new ManifestError(`${atSign} is already in ${other[0]}`);
    return resource;
  };
  const refresh = () => {
    try {
      const changed = read();
      problem = undefined;
      if (!changed) return;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== problem) onProblem(`${directory}: ${text}`);
      problem = text;
      return;
    }
    present = new Map(
      [...files.values()].flatMap(({ resource }) => (resource === undefined ? [] : [[resource.spec.atSign, resource]])),
    );
    onChange();
  };

  refresh();
  let settling: NodeJS.Timeout | undefined;
  const watcher = watchDirectory(directory, () => {
    clearTimeout(settling);
    settling = setTimeout(refresh, settleMs);
  });
  const poll = setInterval(refresh, pollMs);
  return {
    get present() {
      return present;
    },
    add(atSign) {
      if (present.has(atSign)) return;
      writeAtomically(join(directory, `${hostLabel(atSign)}.yaml`), manifestOf(atSign));
      refresh();
    },
    [Symbol.dispose]() {
      clearTimeout(settling);
      clearInterval(poll);
      watcher?.close();
    },
  };
}

/** @returns undefined where this system cannot watch: the poll sees changes, too, only later */
function watchDirectory(directory: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, onEvent);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined; // for instance too many watches on this machine
  }
}

function manifestOf(atSign: AtSign): string {
  return stringify({
    apiVersion: "atrium.dev/v1alpha1",
    kind: "AtSign",
    metadata: { name: hostLabel(atSign) },
    spec: { atSign },
  });
}
