import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a figure opens while it is measured: ended in reverse order, even when the measurement fails. */
export class Resources implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** A new empty directory, under TMPDIR: durable writes are measured on whatever disk that is. */
  directory(): string {
    const directory = mkdtempSync(join(tmpdir(), "atrium-bench-"));
    this.#stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
