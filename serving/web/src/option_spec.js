// A scalar that a caller of a graph may leave out, such as the `alpha` of a beam search.

import { DTYPES, isBig, isFloat } from "./dtypes.js";
import { InputError, kindOf, listed, show } from "./errors.js";
import { Fields } from "./fields.js";
import { Tensor } from "./tensor.js";
import { readDType } from "./tensor_spec.js";

/** @typedef {import("./dtypes.js").DType} DType */
/** @typedef {boolean | number} Scalar */

/**
 * Is a value from JSON a finite one of this type, within what the type holds?
 * @param {any} value
 * @param {DType} dtype
 */
function suits(value, dtype) {
  if (dtype === "bool") return typeof value === "boolean";
  const { low, high } = DTYPES[dtype];
  return (isFloat(dtype) ? typeof value === "number" : Number.isInteger(value)) && low <= value && value <= high;
}

export class OptionSpec {
  /**
   * @param {string} name the option's name in the graph
   * @param {DType} dtype
   * @param {Scalar} initial its value where a caller gives none
   * @param {Scalar | null} [minimum] the least valid value; null where the type alone bounds it
   * @param {Scalar | null} [maximum] the largest valid value; null where the type alone bounds it
   */
  constructor(name, dtype, initial, minimum = null, maximum = null) {
    this.name = name;
    this.dtype = dtype;
    this.default = initial;
    this.minimum = minimum;
    this.maximum = maximum;
    Object.freeze(this);
  }

  /**
   * @param {any} value
   * @param {string} where
   */
  static fromJSON(value, where) {
    const fields = new Fields(value, where);
    const dtype = readDType(fields);
    const [minimum, maximum] = ["minimum", "maximum"].map((name) => {
      const bound = fields.scalar(name);
      if (bound !== null && !suits(bound, dtype)) fields.refuse(name, `a ${dtype} value or null`, bound);
      return bound;
    });
    const initial = fields.scalar("default");
    if (initial === null || !suits(initial, dtype)) fields.refuse("default", `a ${dtype} value`, initial);
    const spec = new OptionSpec(fields.text("name"), dtype, /** @type {Scalar} */ (initial), minimum, maximum);
    if (!spec.#within(/** @type {Scalar} */ (initial))) fields.refuse("default", spec.range, initial);
    return spec;
  }

  /** The bounds in words, such as `from 1 to 64`; empty where there are none. */
  get range() {
    const { minimum, maximum } = this;
    if (minimum !== null && maximum !== null) return `from ${minimum} to ${maximum}`;
    return minimum !== null ? `at least ${minimum}` : maximum !== null ? `at most ${maximum}` : "";
  }

  toString() {
    return `${this.dtype}, ${this.default} unless given${this.range && `, ${this.range}`}`;
  }

  /** @param {Scalar | bigint} value */
  #within(value) {
    return (this.minimum === null || value >= this.minimum) && (this.maximum === null || value <= this.maximum);
  }

  /**
   * A value as the graph takes it: a tensor of no dimensions, in the option's type.
   * @param {unknown} given a number; whole ones are taken for floats, and fractions not for integers
   */
  check(given) {
    let value = given;
    if (value instanceof Tensor && value.size === 1) value = value.dtype === "bool" ? Boolean(value.data[0]) : value.data[0];
    const kind = typeof value;
    const float = isFloat(this.dtype);
    const takes =
      this.dtype === "bool"
        ? kind === "boolean"
        : kind === "bigint" || (kind === "number" && (float || Number.isInteger(value) || !Number.isFinite(value)));
    if (!takes) {
      this.#refuse(`a single ${this.dtype} value`, kind === "object" && value !== null ? kindOf(value) : show(value));
    }
    const number = /** @type {number | bigint} */ (value); // true and false compare as 1 and 0
    if (kind === "number" && !Number.isFinite(number)) this.#refuse("a finite number", String(number));
    const { low, high } = DTYPES[this.dtype];
    if (!(low <= number && number <= high)) {
      this.#refuse(`within what ${this.dtype} holds, from ${low} to ${high}`, String(number));
    }
    if (!this.#within(number)) this.#refuse(this.range, String(number));
    const tensor = Tensor.full(this.dtype, []);
    tensor.data[0] = /** @type {any} */ (isBig(tensor.data) ? BigInt(number) : Number(number));
    return tensor;
  }

  /**
   * @param {string} expected
   * @param {string} received
   */
  #refuse(expected, received) {
    throw new InputError(`Option ${show(this.name)} must be ${expected}. Received: ${received}.`);
  }
}

/**
 * The value of every option of a graph: the caller's, or the manifest's default.
 * @param {unknown} given option name to number; null or undefined for none
 * @param {readonly OptionSpec[]} specs
 * @returns {Record<string, Tensor>}
 */
export function checkOptions(given, specs) {
  const options = given ?? {};
  if (typeof options !== "object" || Array.isArray(options)) {
    throw new InputError(`\`options\` must be an object of option name to number. Received: ${kindOf(options)}.`);
  }
  const values = new Map(Object.entries(options).filter(([, value]) => value !== undefined));
  const valid = specs.map((spec) => spec.name);
  const unknown = [...values.keys()].filter((name) => !valid.includes(name));
  if (unknown.length) {
    throw new InputError(`The graph has no option ${listed(unknown)}. Valid names: ${listed(valid)}.`);
  }
  return Object.fromEntries(
    specs.map((spec) => [spec.name, spec.check(values.has(spec.name) ? values.get(spec.name) : spec.default)]),
  );
}
