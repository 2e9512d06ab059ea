/**
 * How clients put bytes into a value, which is text: 15 bits per character, the first bit of a byte first, filled up with
 * zeros at the end. U+3480 to U+4DB5, U+4E00 to U+8925 and U+AC00 to U+D7A3 are the values of 15 bits in their order; U+3400
 * to U+347F those of 7 bits, for a last character that needs no more. Others are passed over, as the client libraries do.
 *
 * @returns how many bytes a text holds
 * @see https://pub.dev/packages/at_base2e15
 */
export function base2e15Bytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += widthOf(text.charCodeAt(i));
  return Math.floor(bits / 8);
}

/** Takes a text apart piece by piece. */
export class Base2e15Decoder {
  #bits = 0;
  #width = 0;

  /** @returns the bytes that are whole now */
  decode(piece: string): Buffer {
    const bytes = Buffer.allocUnsafe(Math.ceil((piece.length * 15 + this.#width) / 8));
    let length = 0;
    for (let i = 0; i < piece.length; i++) {
      const unit = piece.charCodeAt(i);
      const width = widthOf(unit);
      if (width === 0) continue;
      this.#bits = (this.#bits << width) | bitsOf(unit);
      this.#width += width;
      while (this.#width >= 8) {
        this.#width -= 8;
        bytes[length++] = this.#bits >> this.#width;
      }
      this.#bits &= (1 << this.#width) - 1;
    }
    return bytes.subarray(0, length);
  }
}

function widthOf(unit: number): 0 | 7 | 15 {
  if (unit < 0x3400 || unit > 0xd7a3) return 0;
  if (unit < 0x3480) return 7;
  return unit <= 0x4db5 || (unit >= 0x4e00 && unit <= 0x8925) || unit >= 0xac00 ? 15 : 0;
}

/** @param unit one that stands for some bits */
function bitsOf(unit: number): number {
  if (unit < 0x3480) return unit - 0x3400;
  if (unit <= 0x4db5) return unit - 0x3480;
  return unit <= 0x8925 ? unit - 0x4e00 + 0x1936 : unit - 0xac00 + 0x545c;
}
