/**
 * Memory for writes that the kernel nearly always takes at once, so that the same bytes serve again and again. Only
 * what it did not take at once stays as it is until it has left.
 */
export class Slab {
  #memory: Uint8Array;
  #used = 0;
  /** the last views from the beginning of the memory: packets tend to come in a few sizes */
  #last: Uint8Array;

  constructor(bytes: number) {
    this.#memory = new Uint8Array(bytes);
    this.#last = this.#memory.subarray(0, 0);
  }

  /** @returns a copy, good until the next call, or for ever after `keep` */
  copy(bytes: Uint8Array): Uint8Array {
    const view = this.#view(bytes.length);
    view.set(bytes);
    return view;
  }

  /** The last copy is still needed: its memory is not used again. */
  keep(copy: Uint8Array): void {
    this.#used += copy.length;
    this.#last = this.#memory.subarray(this.#used, this.#used);
  }

  #view(length: number): Uint8Array {
    if (this.#last.length === length) return this.#last;
    if (this.#used + length > this.#memory.length) {
      this.#memory = new Uint8Array(Math.max(length, this.#memory.length));
      this.#used = 0;
    }
    this.#last = this.#memory.subarray(this.#used, this.#used + length);
    return this.#last;
  }
}
