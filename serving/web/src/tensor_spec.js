// What a graph takes and gives: name, dtype and shape of one tensor.

import { DTYPES, isFloat, isInteger } from "./dtypes.js";
import { BundleError, listed, shape, shorten } from "./errors.js";
import { Fields } from "./fields.js";

/** @typedef {import("./dtypes.js").DType} DType */
/** @typedef {readonly (number | string)[]} Shape fixed dimensions as integers, dynamic ones by name; `batch` first */

/**
 * @param {Fields} fields
 * @returns {DType}
 */
export function readDType(fields) {
  const dtype = fields.text("dtype");
  if (!Object.hasOwn(DTYPES, dtype)) fields.refuse("dtype", `one of ${listed(Object.keys(DTYPES))}`, dtype);
  return /** @type {DType} */ (dtype);
}

/**
 * @param {Fields} fields
 * @returns {Shape}
 */
function readShape(fields) {
  /** @type {any[]} */
  const dims = fields.get("shape", "list");
  if (!dims.every((dim) => (typeof dim === "string" && dim) || (Number.isInteger(dim) && dim > 0))) {
    fields.refuse("shape", "a list of positive integers and names of dynamic dimensions", dims);
  }
  if (dims[0] !== "batch" || dims.lastIndexOf("batch") !== 0) {
    fields.refuse("shape", "a list with 'batch' as its first dimension and nowhere else", dims);
  }
  return Object.freeze(dims);
}

/** One input or output of a graph. */
export class TensorSpec {
  /**
   * @param {string} name the tensor's name in the graph
   * @param {DType} dtype
   * @param {Shape} dims
   * @param {boolean | number | null} [padValue] inputs only: what may fill a row of a batch up to the longest because
   *   the model masks it; null where padding would change the answer
   * @param {number | null} [maximum] integer inputs only: the largest valid value where the input indexes a table
   */
  constructor(name, dtype, dims, padValue = null, maximum = null) {
    this.name = name;
    this.dtype = dtype;
    this.shape = dims;
    this.pad_value = padValue;
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
    const padValue = fields.scalar("pad_value");
    const fits =
      padValue === null ||
      (dtype === "bool"
        ? typeof padValue === "boolean"
        : typeof padValue === "number" && (isFloat(dtype) || Number.isInteger(padValue)));
    if (!fits) fields.refuse("pad_value", `a ${dtype} value or null`, padValue);
    const maximum = fields.integer("maximum", { optional: true });
    if (maximum !== null && !isInteger(dtype)) {
      fields.refuse("maximum", `null for an input of type ${dtype}`, maximum);
    }
    return new TensorSpec(fields.text("name"), dtype, readShape(fields), padValue, maximum);
  }

  /** Type and shape, such as `int32 (batch, time)`. */
  toString() {
    return `${this.dtype} ${shape(this.shape)}`;
  }
}

/** One state of a streaming graph; a stream starts with zeros and feeds `output` back as `input`. */
export class StateSpec {
  /**
   * @param {string} name the state's own name, such as `lstm_1.h`
   * @param {string} input name of the graph's input that takes the state
   * @param {string} output name of the graph's output that gives the next state
   * @param {DType} dtype
   * @param {Shape} dims fixed behind the batch but for one dimension at most, which grows from zero
   */
  constructor(name, input, output, dtype, dims) {
    this.name = name;
    this.input = input;
    this.output = output;
    this.dtype = dtype;
    this.shape = dims;
    Object.freeze(this);
  }

  /**
   * @param {any} value
   * @param {string} where
   */
  static fromJSON(value, where) {
    const fields = new Fields(value, where);
    const dims = readShape(fields);
    if (dims.slice(1).filter((dim) => typeof dim === "string").length > 1) {
      throw new BundleError(
        `bundle.json: \`${where}.shape\` must be fixed but for 'batch' and one dimension that grows from zero. ` +
          `Received: ${shorten([...dims])}.`,
      );
    }
    return new StateSpec(fields.text("name"), fields.text("input"), fields.text("output"), readDType(fields), dims);
  }

  /** Name of the dimension that grows with the steps; undefined for a state that keeps its size. */
  get growingDim() {
    return this.shape.slice(1).find((dim) => typeof dim === "string");
  }

  /** Whether it says how many steps there were. */
  get countsSteps() {
    return this.name.split(".").at(-1) === "position" && this.shape.length === 2 && this.shape[1] === 1;
  }

  /**
   * Its shape in a stream of `batch` sequences after some steps.
   * @param {number} batch
   * @param {number} [steps]
   */
  shapeAfter(batch, steps = 0) {
    return [batch, ...this.shape.slice(1).map((dim) => (typeof dim === "string" ? steps : dim))];
  }
}
