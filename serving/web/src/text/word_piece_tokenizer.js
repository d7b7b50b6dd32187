// Words in pieces that the vocabulary has.

import { SPECIAL_TOKENS, Tokenizer, UNKNOWN } from "./tokenizer.js";
import { wordFinder } from "./words.js";

/** @typedef {import("./tokenizer.js").Settings & { splitAt?: string, prefix?: string, maxWordLength?: number }} PieceSettings */

/**
 * Words and marks of punctuation, each cut into the longest pieces that the vocabulary has, from left to right. A word
 * that cannot be covered, or is longer than `maxWordLength` code points, is one unknown token.
 */
export class WordPieceTokenizer extends Tokenizer {
  #find;
  /** @type {Map<string, number>} */
  #pieces;
  #longest;
  #prefixLength;

  /** @param {PieceSettings} settings */
  constructor({ splitAt = "words", prefix = "##", maxWordLength = 100, ...settings }) {
    super(settings);
    this.splitAt = splitAt;
    this.prefix = prefix;
    this.maxWordLength = maxWordLength;
    const { whitespace = [], punctuation = [] } = this.rules;
    this.#find = wordFinder(whitespace, splitAt === "words" ? punctuation : [], true);
    this.#pieces = new Map(this.index).set(SPECIAL_TOKENS[UNKNOWN], UNKNOWN);
    this.#longest = [...this.#pieces.keys()].reduce((most, piece) => Math.max(most, lengthOf(piece)), 0);
    this.#prefixLength = lengthOf(prefix);
  }

  /** @param {readonly string[]} characters @protected @override */
  splitCharacters(characters) {
    return this.#find(characters).flatMap(([start, end]) => {
      const word = characters.slice(start, end);
      // Of a word that is unknown the text is kept.
      return this.#cover(word).map((id) => (id === UNKNOWN ? word.join("") : this.vocabulary[id]));
    });
  }

  /** @param {readonly string[]} characters @protected @override */
  idsOf(characters) {
    return this.#find(characters).flatMap(([start, end]) => this.#cover(characters.slice(start, end)));
  }

  /** @param {readonly string[]} characters @param {readonly string[]} lowered @protected @override */
  asWritten(characters, lowered) {
    return this.#find(lowered).flatMap(([start, end]) => {
      const ids = this.#cover(lowered.slice(start, end));
      if (ids.length === 1 && ids[0] === UNKNOWN) return [characters.slice(start, end).join("")];
      let from = start;
      return ids.map((id, i) => {
        const to = from + lengthOf(this.vocabulary[id]) - (i ? this.#prefixLength : 0);
        const piece = characters.slice(from, to).join("");
        from = to;
        return i ? this.prefix + piece : piece;
      });
    });
  }

  /** @param {string} token @param {boolean} begun @protected @override */
  piece(token, begun) {
    if (token.startsWith(this.prefix) && token !== this.prefix) return token.slice(this.prefix.length);
    return begun ? ` ${token}` : token;
  }

  /**
   * The ids of a word's pieces.
   * @param {readonly string[]} word
   */
  #cover(word) {
    if (word.length > this.maxWordLength) return [UNKNOWN];
    /** @type {number[]} */
    const ids = [];
    let start = 0;
    while (start < word.length) {
      const prefix = start ? this.prefix : "";
      let end = Math.min(word.length, start + this.#longest - (start ? this.#prefixLength : 0));
      /** @type {number | undefined} */
      let id;
      for (; end > start && id === undefined; end--) id = this.#pieces.get(prefix + word.slice(start, end).join(""));
      if (id === undefined) return [UNKNOWN];
      ids.push(id);
      start = end + 1;
    }
    return ids;
  }
}

/** @param {string} text */
const lengthOf = (text) => [...text].length;
