// What counts as white space, as punctuation, and as the small letter of another: ranges of code points. They stand in
// `tokenizer.json`, so that no browser's own version of Unicode has a say.

import { Fields } from "../fields.js";

export const LAST = 0x10ffff;

/** @typedef {"whitespace" | "punctuation" | "lower"} Rule */
/** @typedef {Partial<Record<Rule, number[][]>>} Rules */

/**
 * Reads the field `rules` of a tokenizer's file.
 * @param {Fields} fields
 * @param {readonly Rule[]} needed which of the rules must be there; the others are not looked at
 * @returns {Rules}
 */
export function readRules(fields, needed) {
  if (!needed.length) return {};
  const rules = new Fields(fields.get("rules", "object"), fields.path("rules"), fields.file);
  return Object.fromEntries(needed.map((name) => [name, readRanges(rules, name)]));
}

/**
 * @param {Fields} rules
 * @param {Rule} name
 * @returns {number[][]}
 */
function readRanges(rules, name) {
  const size = name === "lower" ? 4 : 2;
  const ranges = rules.get(name, "list");
  if (!ranges.length && name !== "lower") rules.refuse(name, "a list of at least one range", ranges);
  for (const [i, entry] of ranges.entries()) {
    if (!isRange(entry, size)) {
      const what = size === 4 ? "[first, last, step, delta]" : "[first, last]";
      rules.refuse(`${name}[${i}]`, `a range of code points ${what} from 0 to ${LAST}`, entry);
    }
  }
  return ranges;
}

/**
 * @param {any} entry
 * @param {number} size
 */
function isRange(entry, size) {
  if (!Array.isArray(entry) || entry.length !== size || !entry.every(Number.isInteger)) return false;
  const [first, last, step = 1, delta = 0] = entry;
  return 0 <= first && first <= last && last <= LAST && step >= 1 && first + delta >= 0 && last + delta <= LAST;
}

/**
 * A function from a character, one code point, to its small letter.
 * @param {readonly number[][]} ranges
 * @returns {(character: string) => string}
 */
export function lowering(ranges) {
  /** @type {Map<string, string>} */
  const table = new Map();
  for (const [first, last, step, delta] of ranges) {
    for (let code = first; code <= last; code += step) {
      table.set(String.fromCodePoint(code), String.fromCodePoint(code + delta));
    }
  }
  return (character) => table.get(character) ?? character;
}
