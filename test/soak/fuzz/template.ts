import fc from "fast-check";

/** What can stand in the holes of a template, by name. */
export type Holes = Readonly<Record<string, fc.Arbitrary<string>>>;

/**
 * Texts of a form that is written as the documents write it: `<name>` is a hole, `[…]` may be missing, `(a|b)` is one of
 * both.
 *
 * @example template("delete[:force]:<key>", { key })
 * @throws {Error} for a hole that nobody fills
 */
export function template(form: string, holes: Holes): fc.Arbitrary<string> {
  const tokens = form.match(/<\w+>|[[\]()|]|[^<[\]()|]+/g) ?? [];
  let next = 0;

  function alternatives(end: string | undefined): fc.Arbitrary<string> {
    const all = [sequence()];
    while (tokens[next] === "|") {
      next++;
      all.push(sequence());
    }
    if (tokens[next++] !== end) throw new Error(`${form} is no template`);
    return all.length === 1 && all[0] !== undefined ? all[0] : fc.oneof(...all);
  }

  function sequence(): fc.Arbitrary<string> {
    const parts: fc.Arbitrary<string>[] = [];
    for (let token = tokens[next]; token !== undefined && !/^[\])|]$/.test(token); token = tokens[next]) {
      next++;
      parts.push(part(token));
    }
    return fc.tuple(...parts).map((texts) => texts.join(""));
  }

  function part(token: string): fc.Arbitrary<string> {
    if (token === "[") return fc.oneof(fc.constant(""), alternatives("]"));
    if (token === "(") return alternatives(")");
    if (!token.startsWith("<")) return fc.constant(token);
    const hole = holes[token.slice(1, -1)];
    if (hole === undefined) throw new Error(`nothing fills ${token} of ${form}`);
    return hole;
  }

  return alternatives(undefined);
}
