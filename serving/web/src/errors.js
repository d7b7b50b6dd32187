// The errors of the client, the tree of keras_seq.serving.errors, and how values look in messages.

/** Something went wrong while loading or running a bundle; the root of every error that the client raises itself. */
export class ServingError extends Error {
  /**
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The bundle cannot be used: missing, damaged, foreign, or written by a newer version. */
export class BundleError extends ServingError {}

/** The inputs do not suit the graph. The message names the input, what it takes, what came and how to mend it. */
export class InputError extends ServingError {}

/**
 * What an error says.
 * @param {unknown} error
 */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Names for a message: quoted and in their own order, or a word that says there are none.
 * @param {Iterable<unknown>} names
 */
export const listed = (names) => [...names].map((name) => show(name)).join(", ") || "none";

/**
 * The value as a message shows it.
 * @param {unknown} value
 * @returns {string}
 */
export function show(value) {
  if (typeof value === "string") {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    return quote + JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", quote === "'" ? "\\'" : "'") + quote;
  }
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "function") return String(value);
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([key, one]) => `${show(key)}: ${show(one)}`).join(", ")}}`;
  }
  return String(value);
}

/**
 * The same, cut to `limit` characters.
 * @param {unknown} value
 * @param {number} [limit]
 */
export function shorten(value, limit = 80) {
  // A long list would be spelt whole to be cut then.
  const text = show(Array.isArray(value) && value.length > limit ? value.slice(0, limit) : value);
  return text.length <= limit ? text : `${text.slice(0, limit - 3)}...`;
}

/**
 * A shape as messages have it, `(2, 3)` or `(2,)`.
 * @param {Iterable<number | string>} dims
 */
export function shape(dims) {
  const all = [...dims];
  return `(${all.join(", ")}${all.length === 1 ? "," : ""})`;
}

/**
 * What kind of thing a value is, for messages.
 * @param {unknown} value
 */
export function kindOf(value) {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return value.constructor?.name || "object";
}
