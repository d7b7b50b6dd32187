// What all tokenizers do alike: from pieces of text to ids, and from ids to text.

import { InputError, listed, shorten } from "../errors.js";
import { Tensor } from "../tensor.js";
import { lowering } from "./rules.js";
import { readText, readTexts } from "./strings.js";

/** @typedef {import("./strings.js").Text} Text */
/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{ addStart?: boolean, addEnd?: boolean }} Frame whether start and end token are added; by default as the tokenizer has it */
/**
 * @typedef {object} Settings
 * @property {readonly string[]} vocabulary the tokens, each at its id; the first four are the special ones
 * @property {boolean} [lowercase] whether capitals become small letters first
 * @property {boolean} [addStart] whether the start token comes before each text
 * @property {boolean} [addEnd] whether the end token comes behind each text
 * @property {number | null} [maxLength] the most ids of a text; longer ones are cut, and the end token stays
 * @property {Rules} [rules]
 */

export const SPECIAL_TOKENS = Object.freeze(["<pad>", "<start>", "<end>", "<unk>"]);
export const PAD = 0;
export const START = 1;
export const END = 2;
export const UNKNOWN = 3;

/** @template [Id=number] ids are numbers, or for spellings lists of such */
export class Tokenizer {
  #lower;

  /** @param {Settings} settings */
  constructor({ vocabulary, lowercase = false, addStart = false, addEnd = false, maxLength = null, rules = {} }) {
    this.vocabulary = vocabulary;
    this.lowercase = lowercase;
    this.addStart = addStart;
    this.addEnd = addEnd;
    this.maxLength = maxLength;
    this.rules = rules;
    this.#lower = lowercase ? lowering(rules.lower ?? []) : null;
    /**
     * Token to id, without the special tokens: a text that spells them has nothing to do with them.
     * @type {ReadonlyMap<string, number>}
     * @protected
     */
    this.index = new Map(vocabulary.slice(SPECIAL_TOKENS.length).map((token, i) => [token, i + SPECIAL_TOKENS.length]));
  }

  /** How many ids there are. */
  get vocabularySize() {
    return this.vocabulary.length;
  }

  get padId() {
    return PAD;
  }

  get startId() {
    return START;
  }

  get endId() {
    return END;
  }

  get unknownId() {
    return UNKNOWN;
  }

  /** The shape of what stands for one token: none for an id. @type {readonly number[]} */
  get stepShape() {
    return [];
  }

  /**
   * The tokens of a text, whether or not they are in the vocabulary; without start and end.
   * @param {Text} text
   */
  split(text) {
    return this.splitCharacters(this.#lowered(readText(text)));
  }

  /**
   * The ids of texts, a list for each.
   * @param {readonly Text[]} texts
   * @param {Frame} [frame]
   * @returns {Id[][]}
   */
  encode(texts, frame) {
    const [first, last] = this.#framed(frame, this.special(START), this.special(END));
    return readTexts(texts).map((text) => this.#cut(first, this.idsOf(this.#lowered(text)), last));
  }

  /**
   * The tokens that stand behind the ids of `encode`, as they stand in the texts: capitals and unknown words too.
   * @param {readonly Text[]} texts
   * @param {Frame} [frame]
   * @returns {string[][]}
   */
  tokens(texts, frame) {
    const [first, last] = this.#framed(frame, SPECIAL_TOKENS[START], SPECIAL_TOKENS[END]);
    return readTexts(texts).map((text) => {
      const characters = [...text];
      return this.#cut(first, this.asWritten(characters, this.#lowered(text)), last);
    });
  }

  /**
   * The text that ids stand for: up to the first end token, without padding and start token. For several rows a list.
   * @param {Iterable<any> | Tensor} ids integers; or rows of such
   * @returns {any}
   */
  decode(ids) {
    const rows = [...(ids instanceof Tensor ? ids.toNested() : ids)];
    const nested = rows.length > 0 && (Array.isArray(rows[0]) || ArrayBuffer.isView(rows[0]));
    return nested ? rows.map((row) => [...this.pieces(row)].join("")) : [...this.pieces(rows)].join("");
  }

  /**
   * What each id adds to the text: joined, they are what `decode` gives.
   * @param {Iterable<number | bigint>} ids
   * @param {boolean} [begun] whether there is text before them, from which a word is to be kept apart
   */
  *pieces(ids, begun = false) {
    const spell = this.speller(begun);
    for (const id of ids) yield spell(id);
  }

  /**
   * A function from the next id of a text to what it adds: nothing for padding, a start token, and everything from the
   * first end token on.
   * @param {boolean} [begun] as in `pieces`
   * @returns {(id: number | bigint) => string}
   */
  speller(begun = false) {
    let ended = false;
    return (id) => {
      const value = typeof id === "bigint" ? Number(id) : id;
      if (!Number.isInteger(value) || value < 0 || value >= this.vocabularySize) {
        throw new InputError(
          `Ids must be integers from 0 to ${this.vocabularySize - 1}, as the vocabulary has ${this.vocabularySize} ` +
            `tokens. Received: ${shorten(id)}.`,
        );
      }
      ended ||= value === END;
      if (ended || value === PAD || value === START) return "";
      const piece = this.piece(this.vocabulary[value], begun);
      begun = true;
      return piece;
    };
  }

  /** @param {string} text */
  #lowered(text) {
    return this.#lower ? Array.from(text, this.#lower) : [...text];
  }

  /**
   * What comes before and behind the tokens.
   * @template T
   * @param {Frame | undefined} frame
   * @param {T} start
   * @param {T} end
   * @returns {[T[], T[]]}
   */
  #framed({ addStart = this.addStart, addEnd = this.addEnd } = {}, start, end) {
    return [addStart ? [start] : [], addEnd ? [end] : []];
  }

  /**
   * @template T
   * @param {T[]} first
   * @param {T[]} middle
   * @param {T[]} last
   */
  #cut(first, middle, last) {
    const items = [...first, ...middle, ...last];
    if (this.maxLength === null || items.length <= this.maxLength) return items;
    return [...items.slice(0, this.maxLength - last.length), ...last];
  }

  /**
   * What stands for a special token.
   * @param {number} id
   * @returns {Id}
   * @protected
   */
  special(id) {
    return /** @type {Id} */ (id);
  }

  /**
   * The tokens of a text that has been lowered where it has to be.
   * @param {readonly string[]} characters its code points
   * @returns {string[]}
   * @protected
   */
  splitCharacters(characters) {
    throw new TypeError(`${this.constructor.name} must define \`splitCharacters\` (${characters.length}).`);
  }

  /**
   * The ids of these tokens.
   * @param {readonly string[]} characters
   * @returns {Id[]}
   * @protected
   */
  idsOf(characters) {
    return /** @type {Id[]} */ (this.splitCharacters(characters).map((token) => this.index.get(token) ?? UNKNOWN));
  }

  /**
   * The tokens of a text that has not been lowered, which is cut at the same places: the rules see to that.
   * @param {readonly string[]} characters
   * @param {readonly string[]} _lowered
   * @returns {string[]}
   * @protected
   */
  asWritten(characters, _lowered) {
    return this.splitCharacters(characters);
  }

  /**
   * What a token adds to a text that has `begun` before it or not.
   * @param {string} token
   * @param {boolean} begun
   * @returns {string}
   * @protected
   */
  piece(token, begun) {
    throw new TypeError(`${this.constructor.name} must define \`piece\` (${listed([token, begun])}).`);
  }
}
