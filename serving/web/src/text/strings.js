// What a caller gives as text, made a string that UTF-8 can spell.

import { InputError, kindOf, shorten } from "../errors.js";

/** @typedef {string | Uint8Array} Text a string, or bytes of UTF-8 */

/**
 * A text as a string in which every code point has a place in UTF-8: U+FFFD takes the place of each lone surrogate, and
 * of each maximal part of bytes that is no UTF-8 (the Unicode Standard, 3.9).
 * @param {unknown} value
 * @param {string} [what] what messages call it
 */
export function readText(value, what = "A text") {
  if (value instanceof Uint8Array) return new TextDecoder("utf-8", { ignoreBOM: true }).decode(value);
  if (typeof value !== "string") {
    throw new InputError(
      `${what} must be a string. Received: ${kindOf(value)} ${shorten(value)}. Ids go into predict() and generate().`,
    );
  }
  return value.replace(/\p{Surrogate}/gu, "\ufffd");
}

/**
 * A batch of texts.
 * @param {unknown} values
 */
export function readTexts(values) {
  if (typeof values === "string" || values instanceof Uint8Array) {
    throw new InputError(`Texts must come as a list. Received: ${shorten(values)}. Put it into a list: [text].`);
  }
  if (!Array.isArray(values)) {
    throw new InputError(`Texts must come as a list of strings. Received: ${kindOf(values)} ${shorten(values)}.`);
  }
  if (!values.length) {
    throw new InputError("Texts must come as a list of at least one string. Received: an empty list.");
  }
  return values.map((value, i) => readText(value, `Text ${i}`));
}
