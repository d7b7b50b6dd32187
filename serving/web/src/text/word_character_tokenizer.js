// How each word is spelt, at its beginning and at its end.

import { InputError } from "../errors.js";
import { PAD, UNKNOWN } from "./tokenizer.js";
import { WordTokenizer } from "./word_tokenizer.js";

/** @typedef {import("./word_tokenizer.js").WordSettings & { numFirst?: number, numLast?: number }} SpellingSettings */

/**
 * Words as a `WordTokenizer` finds them, each as the ids of its first and of its last characters. Of a shorter word the
 * first ids stand at the left and the last ones at the right, with padding in between. Start and end count as words of
 * one character.
 * @extends {WordTokenizer<number[]>}
 */
export class WordCharacterTokenizer extends WordTokenizer {
  /** @param {SpellingSettings} settings */
  constructor({ numFirst = 8, numLast = 8, ...settings }) {
    super(settings);
    this.numFirst = numFirst;
    this.numLast = numLast;
  }

  /** @override */
  get stepShape() {
    return [this.numFirst + this.numLast];
  }

  /**
   * Refused: of a long word the middle is lost.
   * @override
   * @returns {never}
   */
  speller() {
    throw new InputError(
      `A WordCharacterTokenizer cannot write ids as text: of each word it keeps the first ${this.numFirst} and the ` +
        `last ${this.numLast} characters alone. Use the tokenizer of an input that has all of the text.`,
    );
  }

  /** @override @returns {never} */
  decode() {
    return this.speller();
  }

  /** @param {number} id @protected @override */
  special(id) {
    return this.#spelt([id]);
  }

  /** @param {readonly string[]} characters @protected @override */
  idsOf(characters) {
    return this.splitCharacters(characters).map((word) => {
      return this.#spelt(Array.from(word, (character) => this.index.get(character) ?? UNKNOWN));
    });
  }

  /** @param {number[]} ids */
  #spelt(ids) {
    const first = ids.slice(0, this.numFirst);
    const last = this.numLast ? ids.slice(-this.numLast) : [];
    const missing = this.numFirst - first.length + this.numLast - last.length;
    return [...first, ...new Array(missing).fill(PAD), ...last];
  }
}
