// Every code point a token.

import { Tokenizer } from "./tokenizer.js";

/** Every code point is a token: spaces, newlines and NUL like all others. */
export class CharTokenizer extends Tokenizer {
  /** @param {readonly string[]} characters @protected @override */
  splitCharacters(characters) {
    return [...characters];
  }

  /** @param {string} token @protected @override */
  piece(token) {
    return token;
  }
}
