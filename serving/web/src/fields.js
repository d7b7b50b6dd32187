// Reads one JSON object field by field, with errors that name the field.

import { BundleError, shorten } from "./errors.js";

export const MANIFEST = "bundle.json";

/** @typedef {"string" | "integer" | "number" | "boolean" | "object" | "list"} Kind */
/** @typedef {{ optional?: boolean }} Optional */

/** @type {Record<Kind, string>} */
const NAMES = {
  string: "a string",
  integer: "an integer",
  number: "a number",
  boolean: "true or false",
  object: "an object",
  list: "a list",
};

/** @type {Record<Kind, (value: unknown) => boolean>} */
const FITS = {
  string: (value) => typeof value === "string",
  integer: Number.isInteger,
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  object: (value) => value !== null && typeof value === "object" && !Array.isArray(value),
  list: Array.isArray,
};

/**
 * One JSON object and where it stands in its file. Fields nobody asks for are left alone: a later writer of the same
 * schema version may add some.
 */
export class Fields {
  /** @type {Record<string, any>} */
  #value;

  /**
   * @param {any} value the parsed JSON value; anything but an object is refused
   * @param {string} [where] dotted path of the object, such as `graphs.model.inputs[0]`; empty for the whole file
   * @param {string} [file] what messages call the file
   */
  constructor(value, where = "", file = MANIFEST) {
    this.where = where;
    this.file = file;
    if (!FITS.object(value)) {
      throw new BundleError(`${file}: ${this.#here()} must be an object. Received: ${shorten(value)}.`);
    }
    this.#value = value;
  }

  #here() {
    if (this.where) return `\`${this.where}\``;
    return this.file === MANIFEST ? "the manifest" : "what it holds";
  }

  /**
   * The dotted path of a field, for messages and for nested objects.
   * @param {string} name
   */
  path(name) {
    return this.where ? `${this.where}.${name}` : name;
  }

  /**
   * Raises the error for a field: what it must be, and what it is.
   * @param {string} name
   * @param {string} expected
   * @param {unknown} received
   * @returns {never}
   */
  refuse(name, expected, received) {
    throw new BundleError(`${this.file}: \`${this.path(name)}\` must be ${expected}. Received: ${shorten(received)}.`);
  }

  /**
   * A field, which must be there and of a kind; with `optional` it may also be null or absent.
   * @param {string} name
   * @param {Kind} kind
   * @param {Optional} [how]
   * @returns {any}
   */
  get(name, kind, { optional = false } = {}) {
    const there = Object.hasOwn(this.#value, name);
    const value = there ? this.#value[name] : null;
    if (value === null && optional) return null;
    if (!there) {
      const present = this.names.map((key) => `\`${key}\``).join(", ") || "none";
      throw new BundleError(`${this.file}: \`${this.path(name)}\` is missing. Fields of ${this.#here()}: ${present}.`);
    }
    if (!FITS[kind](value)) this.refuse(name, NAMES[kind] + (optional ? " or null" : ""), value);
    return value;
  }

  /**
   * A field as a string that is not empty.
   * @param {string} name
   * @param {Optional} [how]
   * @returns {string}
   */
  text(name, how) {
    const value = this.get(name, "string", how);
    if (value === "") this.refuse(name, "a string that is not empty", value);
    return value;
  }

  /**
   * A field as an integer of at least `minimum`.
   * @param {string} name
   * @param {Optional & { minimum?: number }} [how]
   * @returns {any}
   */
  integer(name, { minimum = 0, optional = false } = {}) {
    const value = this.get(name, "integer", { optional });
    if (value !== null && value < minimum) this.refuse(name, `at least ${minimum}`, value);
    return value;
  }

  /**
   * A field as true, false, a number or null.
   * @param {string} name
   * @returns {boolean | number | null}
   */
  scalar(name) {
    const value = Object.hasOwn(this.#value, name) ? this.#value[name] : null;
    if (value !== null && typeof value !== "boolean" && typeof value !== "number") {
      this.refuse(name, "a number, true, false or null", value);
    }
    return value;
  }

  /**
   * A field as a list, each element read by `read(element, its path)`; with `optional`, empty for null.
   * @template T
   * @param {string} name
   * @param {(value: any, where: string) => T} read
   * @param {Optional} [how]
   * @returns {T[]}
   */
  listOf(name, read, how) {
    const items = this.get(name, "list", how) ?? [];
    return items.map((/** @type {any} */ item, /** @type {number} */ i) => read(item, `${this.path(name)}[${i}]`));
  }

  /**
   * A field as an object, each of its values read by `read(value, its path)`; with `optional`, empty for null.
   * @template T
   * @param {string} name
   * @param {(value: any, where: string) => T} read
   * @param {Optional} [how]
   * @returns {Record<string, T>}
   */
  mapOf(name, read, how) {
    const items = Object.entries(this.get(name, "object", how) ?? {});
    return Object.fromEntries(items.map(([key, item]) => [key, read(item, this.path(`${name}.${key}`))]));
  }

  /**
   * A field as an object whose values are all of one kind, such as operator type to count; with `optional`, empty for
   * null.
   * @param {string} name
   * @param {Kind} kind
   * @param {Optional} [how]
   * @returns {Record<string, any>}
   */
  tableOf(name, kind, how) {
    const table = new Fields(this.get(name, "object", how) ?? {}, this.path(name), this.file);
    return Object.fromEntries(table.names.map((key) => [key, table.get(key, kind)]));
  }

  /** Names of the fields that are there. */
  get names() {
    return Object.keys(this.#value);
  }
}
