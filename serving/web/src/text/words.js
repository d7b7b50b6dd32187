// Cuts a text into words and marks of punctuation.

import { LAST } from "./rules.js";

const SPACE = 1;
const MARK = 2;

/**
 * A function from a text, code point by code point, to where its words begin and end.
 * @param {readonly number[][]} spaces code points that separate words
 * @param {readonly number[][]} marks code points that separate words and are no part of any; none where punctuation
 *   counts as letters
 * @param {boolean} keepMarks whether each mark is a word by itself
 * @returns {(characters: readonly string[]) => [number, number][]}
 */
export function wordFinder(spaces, marks, keepMarks) {
  const kinds = new Uint8Array(LAST + 1);
  for (const [first, last] of spaces) kinds.fill(SPACE, first, last + 1);
  for (const [first, last] of marks) kinds.fill(MARK, first, last + 1); // what is in both is a mark, as in Python
  return (characters) => {
    /** @type {[number, number][]} */
    const found = [];
    let start = -1;
    characters.forEach((character, i) => {
      const kind = kinds[/** @type {number} */ (character.codePointAt(0))];
      if (!kind) {
        if (start < 0) start = i;
        return;
      }
      if (start >= 0) found.push([start, i]);
      start = -1;
      if (kind === MARK && keepMarks) found.push([i, i + 1]);
    });
    if (start >= 0) found.push([start, characters.length]);
    return found;
  };
}
