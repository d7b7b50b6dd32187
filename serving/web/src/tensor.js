// Arrays of numbers with a shape: what graphs take and give.

import { DTYPES, dtypeOf, isBig } from "./dtypes.js";
import { InputError, kindOf, shape } from "./errors.js";

/** @typedef {import("./dtypes.js").DType} DType */
/** @typedef {import("./dtypes.js").Data} Data */
/** @typedef {any[] | number | bigint | boolean} Nested numbers, or lists of such to any depth */

/**
 * Numbers in a typed array, the last axis fastest. Values of `float16` lie in a `Float32Array`, those of `bool` in a
 * `Uint8Array`, those of `int64` in a `BigInt64Array`.
 */
export class Tensor {
  /** @type {Data} */
  data;
  /** @type {readonly number[]} */
  dims;
  /** @type {DType} */
  dtype;

  /**
   * @param {Data} data
   * @param {readonly number[]} [dims] by default one axis
   * @param {DType} [dtype] by default what the array tells
   */
  constructor(data, dims, dtype) {
    const found = dtype ?? dtypeOf(data);
    if (found === undefined || !Object.hasOwn(DTYPES, found) || !(data instanceof DTYPES[found].array)) {
      throw new InputError(
        `A tensor's data must be a typed array that suits its dtype. Received: ${kindOf(data)}, dtype ${dtype}.`,
      );
    }
    this.data = data;
    this.dims = Object.freeze(dims === undefined ? [data.length] : Array.from(dims, Number));
    this.dtype = found;
    if (this.dims.some((dim) => !Number.isInteger(dim) || dim < 0) || sizeOf(this.dims) !== data.length) {
      throw new InputError(
        `A tensor of shape ${shape(this.dims)} must have ${sizeOf(this.dims)} values. Received: ${data.length}.`,
      );
    }
  }

  /**
   * A tensor of some type filled with zeros, or with a value.
   * @param {DType} dtype
   * @param {readonly number[]} dims
   * @param {number | boolean} [value]
   */
  static full(dtype, dims, value = 0) {
    const data = new DTYPES[dtype].array(sizeOf(dims));
    if (value) data.fill(isBig(data) ? BigInt(value) : Number(value));
    return new Tensor(data, dims, dtype);
  }

  /** How many values it has. */
  get size() {
    return this.data.length;
  }

  /** Type and shape, such as `int32 (2, 3)`. */
  toString() {
    return `${this.dtype} ${shape(this.dims)}`;
  }

  /**
   * The values in lists of lists; integers of 64 bits as numbers where they are safe ones, booleans as such.
   * @returns {any}
   */
  toNested() {
    /** @param {number} axis @param {number} at @returns {any} */
    const nest = (axis, at) =>
      axis === this.dims.length
        ? plain(this.data[at], this.dtype)
        : Array.from({ length: this.dims[axis] }, (_, i) => nest(axis + 1, at * this.dims[axis] + i));
    return nest(0, 0);
  }

  /**
   * One entry of the first axis, in memory of its own.
   * @param {number} index
   */
  row(index) {
    const rows = this.slice(0, index, index + 1);
    return new Tensor(rows.data, this.dims.slice(1), this.dtype);
  }

  /**
   * The entries from `start` to `end` along an axis, in memory of their own.
   * @param {number} axis
   * @param {number} start
   * @param {number} [end] by default all
   */
  slice(axis, start, end = this.dims[axis]) {
    const from = Math.min(start, this.dims[axis]);
    const to = Math.max(from, Math.min(end, this.dims[axis]));
    const dims = this.dims.with?.(axis, to - from) ?? this.dims.map((dim, i) => (i === axis ? to - from : dim));
    const inner = sizeOf(this.dims.slice(axis + 1));
    const outer = sizeOf(this.dims.slice(0, axis));
    const length = (to - from) * inner;
    const data = new DTYPES[this.dtype].array(outer * length);
    for (let i = 0; i < outer; i++) {
      const begin = (i * this.dims[axis] + from) * inner;
      data.set(/** @type {any} */ (this.data.subarray(begin, begin + length)), i * length);
    }
    return new Tensor(data, dims, this.dtype);
  }

  /** The same values in memory of their own. */
  copy() {
    return new Tensor(this.data.slice(), this.dims, this.dtype);
  }

  /**
   * Tensors end to end along an axis.
   * @param {readonly Tensor[]} parts of one type, and of one size along every other axis
   * @param {number} [axis]
   */
  static concat(parts, axis = 0) {
    const [first] = parts;
    const total = parts.reduce((sum, part) => sum + part.dims[axis], 0);
    const inner = sizeOf(first.dims.slice(axis + 1));
    const outer = sizeOf(first.dims.slice(0, axis));
    const data = new DTYPES[first.dtype].array(outer * total * inner);
    let offset = 0;
    for (let i = 0; i < outer; i++) {
      for (const part of parts) {
        const length = part.dims[axis] * inner;
        data.set(/** @type {any} */ (part.data.subarray(i * length, (i + 1) * length)), offset);
        offset += length;
      }
    }
    return new Tensor(
      data,
      first.dims.map((dim, i) => (i === axis ? total : dim)),
      first.dtype,
    );
  }
}

/**
 * How many values a shape has.
 * @param {readonly number[]} dims
 */
export const sizeOf = (dims) => dims.reduce((product, dim) => product * dim, 1);

/**
 * @param {number | bigint} value
 * @param {DType} dtype
 */
function plain(value, dtype) {
  if (dtype === "bool") return Boolean(value);
  return typeof value === "bigint" && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
    ? Number(value)
    : value;
}
