// Reads `tokenizer.json`, field by field.

import { BundleError, listed, messageOf, shorten, show } from "../errors.js";
import { Fields } from "../fields.js";
import { CharTokenizer } from "./char_tokenizer.js";
import { readRules } from "./rules.js";
import { SPECIAL_TOKENS } from "./tokenizer.js";
import { WordCharacterTokenizer } from "./word_character_tokenizer.js";
import { WordPieceTokenizer } from "./word_piece_tokenizer.js";
import { PUNCTUATION, SPLITS, WordTokenizer } from "./word_tokenizer.js";

/** @typedef {import("./tokenizer.js").Tokenizer<any>} Tokenizer */

const SCHEMA_VERSION = 1;
/** @type {Record<string, new (settings: any) => Tokenizer>} */
const KINDS = { char: CharTokenizer, word: WordTokenizer, wordchar: WordCharacterTokenizer, wordpiece: WordPieceTokenizer };

/**
 * Makes the tokenizer that a file describes.
 * @param {Uint8Array | Record<string, any>} source the content of a `tokenizer.json`, as bytes or parsed
 * @param {string} [file] what messages call it
 * @returns {Tokenizer}
 */
export function loadTokenizer(source, file = "tokenizer.json") {
  if (!(source instanceof Uint8Array)) return make(source, file);
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(source));
  } catch (error) {
    throw new BundleError(
      `${file} is not JSON in UTF-8: ${messageOf(error)}. It is damaged or cut short, or no tokenizer: save the ` +
        "tokenizer again, or copy the bundle anew from where it is whole.",
      { cause: error },
    );
  }
  return make(value, file);
}

/**
 * @param {any} value
 * @param {string} file
 */
function make(value, file) {
  const object = value !== null && typeof value === "object";
  if (!object || !Object.hasOwn(value, "schema_version") || !Object.hasOwn(value, "vocabulary")) {
    throw new BundleError(
      `${file} is not a tokenizer that keras_seq wrote: it has no \`schema_version\` and \`vocabulary\`. ` +
        `Received: ${shorten(value)}.`,
    );
  }
  const fields = new Fields(value, "", file);
  const version = fields.integer("schema_version", { minimum: 1 });
  if (version > SCHEMA_VERSION) {
    throw new BundleError(
      `${file} has schema version ${version} of tokenizers; this keras-seq reads up to ${SCHEMA_VERSION}. ` +
        "Upgrade keras-seq: `npm install keras-seq@latest`.",
    );
  }
  const kind = choice(fields, "kind", Object.keys(KINDS));
  /** @type {Record<string, any>} */
  const settings = {
    vocabulary: readVocabulary(fields),
    lowercase: fields.get("lowercase", "boolean"),
    addStart: fields.get("add_start", "boolean"),
    addEnd: fields.get("add_end", "boolean"),
    maxLength: fields.integer("max_length", { minimum: 1, optional: true }),
  };
  /** @type {import("./rules.js").Rule[]} */
  const needed = settings.lowercase ? ["lower"] : [];
  if (kind !== "char") {
    settings.splitAt = choice(fields, "split", SPLITS);
    needed.push("whitespace");
  }
  if (kind === "word" || kind === "wordchar") settings.punctuation = choice(fields, "punctuation", PUNCTUATION);
  if (kind === "wordchar") {
    settings.numFirst = fields.integer("num_first", { minimum: 1 });
    settings.numLast = fields.integer("num_last");
  } else if (kind === "wordpiece") {
    settings.prefix = fields.text("prefix");
    settings.maxWordLength = fields.integer("max_word_length", { minimum: 1 });
  }
  if (settings.splitAt === "words" && settings.punctuation !== "keep") needed.push("punctuation");
  return new KINDS[kind]({ ...settings, rules: readRules(fields, needed) });
}

/**
 * @param {Fields} fields
 * @param {string} name
 * @param {readonly string[]} choices
 */
function choice(fields, name, choices) {
  const value = fields.text(name);
  if (!choices.includes(value)) fields.refuse(name, `one of ${listed(choices)}`, value);
  return value;
}

/**
 * @param {Fields} fields
 * @returns {readonly string[]}
 */
function readVocabulary(fields) {
  /** @type {any[]} */
  const tokens = fields.get("vocabulary", "list");
  const wrong = tokens.findIndex((token) => typeof token !== "string" || !token);
  if (wrong >= 0) fields.refuse(`vocabulary[${wrong}]`, "a string that is not empty", tokens[wrong]);
  if (SPECIAL_TOKENS.some((token, i) => tokens[i] !== token)) {
    fields.refuse("vocabulary", `a list that starts with ${listed(SPECIAL_TOKENS)}`, tokens.slice(0, SPECIAL_TOKENS.length));
  }
  const seen = new Set();
  const twice = tokens.find((token) => seen.size === seen.add(token).size);
  if (twice !== undefined) {
    const count = tokens.filter((token) => token === twice).length;
    fields.refuse("vocabulary", "a list in which no token stands twice", `${show(twice)} ${count} times`);
  }
  return Object.freeze(tokens);
}
