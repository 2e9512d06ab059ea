import { ProtocolError, parseAtSign } from "@atrium/protocol";

/** As nearly every name arrives: already normalised, with or without its `@`. */
const plainName = /^@?[a-z0-9_-]+$/;

/**
 * The name that a text means, in the form that the registry knows it by.
 *
 * @param text with or without `@`
 * @returns normalised, without `@`; undefined for what can be nobody's name
 */
export function nameOf(text: string): string | undefined {
  if (plainName.test(text)) return text.charCodeAt(0) === 0x40 ? text.slice(1) : text;
  try {
    return parseAtSign(text).slice(1);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
