// Words and marks of punctuation.

import { Tokenizer } from "./tokenizer.js";
import { wordFinder } from "./words.js";

/** @typedef {import("./tokenizer.js").Settings & { splitAt?: string, punctuation?: string }} WordSettings */

export const SPLITS = Object.freeze(["words", "whitespace"]);
export const PUNCTUATION = Object.freeze(["split", "remove", "keep"]);

/**
 * Words: what stands between white space and punctuation. With `splitAt` `whitespace`, whatever stands between white
 * space; `punctuation` says whether each mark is a token (`split`), left out (`remove`) or a letter like others
 * (`keep`).
 * @template [Id=number]
 * @extends {Tokenizer<Id>}
 */
export class WordTokenizer extends Tokenizer {
  #find;

  /** @param {WordSettings} settings */
  constructor({ splitAt = "words", punctuation = "split", ...settings }) {
    super(settings);
    this.splitAt = splitAt;
    this.punctuation = punctuation;
    const whole = splitAt === "whitespace" || punctuation === "keep";
    const { whitespace = [], punctuation: marks = [] } = this.rules;
    this.#find = wordFinder(whitespace, whole ? [] : marks, punctuation === "split");
  }

  /** @param {readonly string[]} characters @protected @override */
  splitCharacters(characters) {
    return this.#find(characters).map(([start, end]) => characters.slice(start, end).join(""));
  }

  /** @param {string} token @param {boolean} begun @protected @override */
  piece(token, begun) {
    return begun ? ` ${token}` : token;
  }
}
