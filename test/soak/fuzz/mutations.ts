import fc from "fast-check";

/** Spoils the bytes of a command. Line ends are not its matter. */
type Mutation = (line: Buffer) => Buffer;

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const at = (line: Buffer, where: number) => Math.floor(where * (line.length + 1));
const inserted = (line: Buffer, where: number, bytes: Uint8Array) =>
  Buffer.concat([line.subarray(0, at(line, where)), bytes, line.subarray(at(line, where))]);

/** Not UTF-8, or at the edge of it. */
const oddBytes = ["ff", "c080", "eda080", "f4908080", "e2", "00", "0d", "7f", "efbbbf", "f09f9880", "cc81"].map((hex) =>
  Buffer.from(hex, "hex"),
);

const mutation: fc.Arbitrary<Mutation> = fc.oneof<fc.Arbitrary<Mutation>[]>(
  place.map((where) => (line) => line.subarray(0, at(line, where))),
  place.map((where) => (line) => line.subarray(at(line, where))),
  fc.tuple(place, fc.constantFrom(...oddBytes)).map(
    ([where, bytes]) =>
      (line) =>
        inserted(line, where, bytes),
  ),
  fc.tuple(place, fc.uint8Array({ maxLength: 6 })).map(
    ([where, bytes]) =>
      (line) =>
        inserted(line, where, bytes),
  ),
  fc.tuple(place, fc.integer({ min: 100, max: 5_000 })).map(
    ([where, length]) =>
      (line) =>
        inserted(line, where, Buffer.alloc(length, "n")),
  ),
  // A part twice: an item of the metadata, an atSign.
  fc.tuple(place, place).map(([from, to]) => (line) => {
    const [start = 0, end = 0] = [at(line, from), at(line, to)].sort((left, right) => left - right);
    return Buffer.concat([line.subarray(0, end), line.subarray(start)]);
  }),
  fc.tuple(place, fc.nat({ max: 7 })).map(([where, bit]) => (line) => {
    const flipped = Buffer.from(line);
    const index = at(line, where);
    if (index < flipped.length) flipped[index] = (flipped[index] ?? 0) ^ (1 << bit);
    return flipped;
  }),
  fc.constantFrom<Mutation>(
    (line) => Buffer.from(line.toString().toUpperCase()),
    (line) => Buffer.from(line.toString().replaceAll(":", " : ")),
    (line) => Buffer.from(line.toString().replaceAll(":", "::")),
    (line) => Buffer.concat([Buffer.from("\t "), line, Buffer.from(" \r")]),
  ),
);

/** Most lines are left as they are, so that there is something for the others to meet. */
export const mutations: fc.Arbitrary<Mutation> = fc
  .oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }) },
  )
  .map((all) => (line) => all.reduce((spoilt, mutate) => mutate(spoilt), line));
