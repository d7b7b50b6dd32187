// Checks what a caller gives against what a graph takes, before ONNX Runtime sees it.

import { DTYPES, EXACT, dtypeOf, isBig, isFloat, isInteger } from "./dtypes.js";
import { InputError, kindOf, listed, shape, show } from "./errors.js";
import { Tensor, sizeOf } from "./tensor.js";

/** @typedef {import("./dtypes.js").DType} DType */
/** @typedef {import("./dtypes.js").Data} Data */
/** @typedef {import("./tensor_spec.js").TensorSpec} TensorSpec */
/** @typedef {import("./tensor.js").Nested} Nested */
/** @typedef {Tensor | { data: Data, dims: readonly number[], dtype?: DType, type?: string } | Data | Nested} Value what a graph's input may be given as */

/**
 * Values and their shape, before anything is known of whether they suit.
 * @typedef {object} Raw
 * @property {DType | "str" | "object"} dtype
 * @property {Data | any[]} data
 * @property {readonly number[]} dims
 * @property {boolean} [numbers] numbers of JavaScript, each of which may stand for an integer or a float
 */

/**
 * Raises the error for one input: its name, what is wrong, what it takes, what came, how to mend it.
 * @param {TensorSpec} spec
 * @param {string} wrong
 * @param {string} received
 * @param {string} mend
 * @returns {never}
 */
export function refuse(spec, wrong, received, mend) {
  throw new InputError(`Input ${show(spec.name)}: ${wrong}. Expected: ${spec}. Received: ${received}. ${mend}`);
}

/** @param {Raw} raw */
export const describe = (raw) => `${raw.dtype} ${shape(raw.dims)}`;

/** @param {unknown} value @returns {value is { data: any, dims: readonly number[], dtype?: string, type?: string }} */
const isTensor = (value) => typeof value === "object" && value !== null && "data" in value && "dims" in value;

/**
 * Pairs what the caller gave with the graph's inputs.
 * @param {unknown} inputs an object of input name to value; or the value itself where there is only one input
 * @param {readonly TensorSpec[]} specs
 * @returns {Record<string, any>}
 */
export function nameInputs(inputs, specs) {
  const valid = specs.map((spec) => spec.name);
  const named =
    typeof inputs === "object" && inputs !== null && !Array.isArray(inputs) && !ArrayBuffer.isView(inputs) && !isTensor(inputs);
  if (!named) {
    if (specs.length > 1) {
      throw new InputError(
        `The graph takes ${specs.length} inputs (${listed(valid)}), so they must be given by name in an object. ` +
          `Received: ${kindOf(inputs)}.`,
      );
    }
    return { [valid[0]]: inputs };
  }
  const values = /** @type {Record<string, unknown>} */ (inputs);
  const unknown = Object.keys(values).filter((name) => !valid.includes(name));
  const missing = valid.filter((name) => !Object.hasOwn(values, name));
  if (unknown.length || missing.length) {
    const parts = [];
    if (unknown.length) parts.push(`unknown: ${listed(unknown)}`);
    if (missing.length) parts.push(`missing: ${listed(missing)}`);
    throw new InputError(`Inputs do not match the graph's (${parts.join("; ")}). Valid names: ${listed(valid)}.`);
  }
  return Object.fromEntries(valid.map((name) => [name, values[name]]));
}

/**
 * The value as an array of whatever type it has.
 * @param {unknown} value
 * @param {TensorSpec} spec
 * @returns {Raw}
 */
export function asArray(value, spec) {
  if (isTensor(value)) return ofTensor(value, spec);
  const dtype = dtypeOf(value);
  if (dtype) return { dtype, data: /** @type {Data} */ (value), dims: [/** @type {Data} */ (value).length] };
  return ofNested(value, spec);
}

/**
 * @param {{ data: any, dims: readonly number[], dtype?: string, type?: string }} value
 * @param {TensorSpec} spec
 * @returns {Raw}
 */
function ofTensor({ data, dims, dtype, type }, spec) {
  const said = /** @type {DType | undefined} */ (dtype ?? type);
  try {
    return new Tensor(data, dims, said);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return refuse(spec, "cannot be made an array", `${kindOf(data)}, dims ${show(dims)}, dtype ${said}`, error.message);
  }
}

const NESTED = "Give a typed array, a Tensor or nested lists.";

/**
 * @param {unknown} value
 * @param {TensorSpec} spec
 * @returns {Raw}
 */
function ofNested(value, spec) {
  /** @type {number[]} */
  const dims = [];
  for (let level = listOf(value); level; level = listOf(level[0])) dims.push(level.length);
  /** @type {any[]} */
  const flat = [];
  /** @param {unknown} entry @param {number} depth */
  const collect = (entry, depth) => {
    const list = listOf(entry);
    if (list ? list.length !== dims[depth] : depth !== dims.length) {
      refuse(spec, "cannot be made an array (the lists in it are not all of one length)", kindOf(value), NESTED);
    }
    if (list) for (const one of list) collect(one, depth + 1);
    else flat.push(entry);
  };
  collect(value, 0);
  const kinds = new Set(flat.map((entry) => typeof entry));
  if (kinds.has("string")) return { dtype: "str", data: flat, dims };
  if (![...kinds].every((kind) => kind === "number" || kind === "boolean" || kind === "bigint")) {
    if (value === undefined || value === null || (kinds.size === 1 && !dims.length)) {
      refuse(spec, "cannot be made an array", kindOf(value), NESTED);
    }
    return { dtype: "object", data: flat, dims };
  }
  if (kinds.size === 1 && kinds.has("boolean")) return { dtype: "bool", data: Uint8Array.from(flat, Number), dims };
  if (kinds.has("bigint") && flat.every((entry) => typeof entry === "bigint" || Number.isSafeInteger(Number(entry)))) {
    const big = flat.map(BigInt);
    const { low, high } = DTYPES.int64;
    if (big.every((entry) => low <= entry && entry <= high)) {
      return { dtype: "int64", data: BigInt64Array.from(big), dims, numbers: true };
    }
    return { dtype: "object", data: flat, dims };
  }
  const data = Float64Array.from(flat, Number);
  return { dtype: data.every(Number.isSafeInteger) ? "int64" : "float64", data, dims, numbers: true };
}

/**
 * @param {unknown} value
 * @returns {any[] | null}
 */
const listOf = (value) => (Array.isArray(value) ? value : dtypeOf(value) ? Array.from(/** @type {any} */ (value)) : null);

/**
 * Checks rank, fixed dimensions, and that no dimension is zero.
 * @param {Raw} raw
 * @param {TensorSpec} spec
 */
export function checkShape(raw, spec) {
  const { dims } = raw;
  if (dims.length !== spec.shape.length) {
    let mend = `It must have ${spec.shape.length} dimensions.`;
    if (dims.length === spec.shape.length - 1) mend += " For a batch of one, add the batch dimension: [x].";
    refuse(spec, `has ${dims.length} dimensions, not ${spec.shape.length}`, describe(raw), mend);
  }
  spec.shape.forEach((dim, axis) => {
    if (typeof dim === "number" && dims[axis] !== dim) {
      const mend = `Give an array with ${dim} entries along axis ${axis}.`;
      refuse(spec, `axis ${axis} has size ${dims[axis]}, not ${dim}`, describe(raw), mend);
    }
    if (dims[axis] === 0) {
      const what = axis === 0 ? "the batch is empty" : `axis ${axis} (${show(dim)}) has length zero`;
      refuse(spec, what, describe(raw), "Give at least one entry; leave empty rows out of the batch.");
    }
  });
}

/**
 * Checks that no dimension is larger than the model allows.
 * @param {readonly number[]} dims of the input, the batch first
 * @param {TensorSpec} spec
 * @param {Record<string, number>} limits dimension name to its largest size
 * @param {number} [row] which row of a list has this shape; undefined for a whole array
 */
export function checkLimits(dims, spec, limits, row) {
  spec.shape.forEach((dim, axis) => {
    if (!Object.hasOwn(limits, dim) || dims[axis] <= limits[dim]) return;
    const which = row === undefined ? "" : `row ${row}: `;
    const mend = `Cut it to ${limits[dim]}, or train and export a model that allows more.`;
    const wrong = `${which}${show(dim)} is ${dims[axis]} long, and the model takes ${limits[dim]} at most`;
    refuse(spec, wrong, row === undefined ? `shape ${shape(dims)}` : `row ${row}: ${shape(dims.slice(1))}`, mend);
  });
}

/**
 * The values in the dtype the graph takes, where none changes by it (a float may be rounded to fewer digits).
 * @param {Raw} raw the input as it came, or all its rows end to end
 * @param {TensorSpec} spec
 * @param {(raw: Raw) => string} [received] says in messages what came
 * @returns {Tensor}
 */
export function cast(raw, spec, received = describe) {
  const { dtype, data, dims, numbers } = raw;
  const target = spec.dtype;
  if (dtype === "str" || dtype === "object") {
    const mend =
      "The graph takes numbers, of one type throughout. Texts go into Predictor.predictText or Generator.generateText " +
      "if the bundle has a tokenizer; without one, look strings up in the vocabulary the model was trained with.";
    return refuse(spec, "strings or mixed objects are no numbers", received(raw), mend);
  }
  if (dtype === target && !numbers) return new Tensor(/** @type {Data} */ (data), dims, target);
  if (isFloat(target)) return toFloat(raw, spec, received);
  if (isFloat(dtype)) {
    const mend = `If all values are whole, round them: x.map(Math.round).`;
    return refuse(spec, `${dtype} is not cast to ${target}, as fractions would be lost`, received(raw), mend);
  }
  const { low, high, array } = DTYPES[target];
  checkRange(raw, low, high, spec, `${target} holds values`, received);
  const big = isBig(new array(0));
  return new Tensor(array.from(/** @type {any} */ (data), big ? BigInt : Number), dims, target);
}

/**
 * @param {Raw} raw
 * @param {TensorSpec} spec
 * @param {(raw: Raw) => string} received
 */
function toFloat(raw, spec, received) {
  const target = /** @type {"float16" | "float32" | "float64"} */ (spec.dtype);
  const source = /** @type {DType} */ (raw.dtype);
  if (isInteger(source) && !(raw.numbers && !isBig(raw.data))) {
    checkRange(raw, -EXACT[target], EXACT[target], spec, `${target} holds all integers`, received);
  }
  const { array, high } = DTYPES[target];
  const values = array.from(/** @type {any} */ (raw.data), Number);
  const narrower = !isFloat(source) || DTYPES[source].bytes > DTYPES[target].bytes;
  const last = target === "float16" ? 65520 : high; // from half way to the next power of two on, it would be infinite
  const tooLarge = (/** @type {number} */ value, /** @type {number} */ i) =>
    (target === "float16" ? Math.abs(value) >= last : !Number.isFinite(value)) && Number.isFinite(Number(raw.data[i]));
  if (narrower && values.some(tooLarge)) {
    refuse(spec, `a value is too large for ${target}`, received(raw), "Scale the input as in training.");
  }
  return new Tensor(values, raw.dims, target);
}

/**
 * @param {Raw} raw
 * @param {bigint | number} low
 * @param {bigint | number} high
 * @param {TensorSpec} spec
 * @param {string} rule
 * @param {(raw: Raw) => string} received
 */
function checkRange(raw, low, high, spec, rule, received) {
  let least = high;
  let most = low;
  for (const value of raw.data) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least < low || most > high) {
    const value = least < low ? least : most;
    const mend = "Check where the value comes from.";
    refuse(spec, `${rule} from ${low} to ${high}, not ${value}`, received(raw), mend);
  }
}

/**
 * Checks that floats are finite and ids are within their table.
 * @param {Tensor} tensor
 * @param {TensorSpec} spec
 * @param {(raw: Raw) => string} [received]
 * @param {(index: number[]) => string} [position] turns an index into words, where the tensor is not shaped as the
 *   caller's value was
 */
export function checkValues(tensor, spec, received = describe, position = shape) {
  const { data, dims } = tensor;
  const at = (/** @type {number} */ i) => position(indexOf(i, dims));
  if (isFloat(spec.dtype)) {
    const i = data.findIndex((/** @type {any} */ value) => !Number.isFinite(value));
    if (i >= 0) {
      const value = Number.isNaN(data[i]) ? "nan" : Number(data[i]) > 0 ? "inf" : "-inf";
      refuse(spec, `the value at ${at(i)} is ${value}`, received(tensor), "Find out where it arises, or leave the row out.");
    }
  }
  const { maximum } = spec;
  if (maximum !== null) {
    const i = data.findIndex((/** @type {any} */ value) => value < 0 || value > maximum);
    if (i >= 0) {
      const mend = "Map what is not in the vocabulary to its unknown token, as in training.";
      refuse(spec, `ids run from 0 to ${maximum}, and the one at ${at(i)} is ${data[i]}`, received(tensor), mend);
    }
  }
}

/**
 * @param {number} flat
 * @param {readonly number[]} dims
 */
function indexOf(flat, dims) {
  return dims.map((dim, axis) => Math.floor(flat / sizeOf(dims.slice(axis + 1))) % dim);
}

/**
 * The value as the tensor the graph takes.
 * @param {unknown} value
 * @param {TensorSpec} spec
 */
export function checkArray(value, spec) {
  const raw = asArray(value, spec);
  checkShape(raw, spec);
  const tensor = cast(raw, spec);
  checkValues(tensor, spec);
  return tensor;
}

/**
 * Checks that dimensions of one name have one size throughout the inputs.
 * @param {readonly (readonly [TensorSpec, readonly number[]])[]} sizes each input's spec and its actual shape
 * @returns {Record<string, number>} dimension name to size
 */
export function checkSizes(sizes) {
  /** @type {Map<string, [number, string]>} */
  const known = new Map();
  for (const [spec, dims] of sizes) {
    spec.shape.forEach((dim, axis) => {
      if (typeof dim !== "string") return;
      const [other, name] = known.get(dim) ?? [dims[axis], spec.name];
      known.set(dim, [other, name]);
      if (other !== dims[axis]) {
        throw new InputError(
          `Inputs must agree in dimension ${show(dim)}: ${show(name)} has ${other}, ${show(spec.name)} has ` +
            `${dims[axis]}. Give every input the same rows, and each row the same length in all of them.`,
        );
      }
    });
  }
  return Object.fromEntries([...known].map(([dim, [size]]) => [dim, size]));
}
