// The types of numbers that bundles know: their NumPy names, the arrays that hold them, what they can hold.

/** @typedef {"bool" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64" | "float16" | "float32" | "float64"} DType */
/** @typedef {Int8Array | Int16Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array | Uint32Array | BigUint64Array | Float32Array | Float64Array} Data */

/**
 * @typedef {object} DTypeInfo
 * @property {any} array the class of arrays that hold its values; those of float16 lie in a `Float32Array`
 * @property {"b" | "i" | "u" | "f"} kind as in NumPy
 * @property {bigint | number} low the least finite value
 * @property {bigint | number} high the largest finite value
 * @property {string} npy how NumPy's files name it
 * @property {number} bytes of one value, in NumPy and ONNX Runtime
 */

/** @param {number} bits @returns {[bigint, bigint]} */
const signed = (bits) => [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];

/** @type {(array: any, kind: "b" | "i" | "u" | "f", bounds: [bigint, bigint] | [number, number], npy: string) => DTypeInfo} */
const info = (array, kind, [low, high], npy) => ({ array, kind, low, high, npy, bytes: Number(npy.slice(2)) });

/** @type {Record<DType, DTypeInfo>} */
export const DTYPES = {
  bool: info(Uint8Array, "b", [0n, 1n], "|b1"),
  int8: info(Int8Array, "i", signed(8), "|i1"),
  int16: info(Int16Array, "i", signed(16), "<i2"),
  int32: info(Int32Array, "i", signed(32), "<i4"),
  int64: info(BigInt64Array, "i", signed(64), "<i8"),
  uint8: info(Uint8Array, "u", [0n, 2n ** 8n - 1n], "|u1"),
  uint16: info(Uint16Array, "u", [0n, 2n ** 16n - 1n], "<u2"),
  uint32: info(Uint32Array, "u", [0n, 2n ** 32n - 1n], "<u4"),
  uint64: info(BigUint64Array, "u", [0n, 2n ** 64n - 1n], "<u8"),
  float16: info(Float32Array, "f", [-65504, 65504], "<f2"),
  float32: info(Float32Array, "f", [-3.4028234663852886e38, 3.4028234663852886e38], "<f4"),
  float64: info(Float64Array, "f", [-Number.MAX_VALUE, Number.MAX_VALUE], "<f8"),
};

/** Up to here, on both sides of zero, every integer has a float of its own. */
export const EXACT = { float16: 2 ** 11, float32: 2 ** 24, float64: 2 ** 53 };

/** @param {DType} dtype */
export const isFloat = (dtype) => DTYPES[dtype].kind === "f";

/** @param {DType} dtype */
export const isInteger = (dtype) => DTYPES[dtype].kind === "i" || DTYPES[dtype].kind === "u";

/** @param {unknown} data @returns {data is BigInt64Array | BigUint64Array} */
export const isBig = (data) => data instanceof BigInt64Array || data instanceof BigUint64Array;

/**
 * The type whose values a typed array holds, as far as the array tells; undefined for what is none.
 * @param {unknown} data
 * @returns {DType | undefined}
 */
export function dtypeOf(data) {
  const found = Object.entries(DTYPES).find(
    ([name, { array }]) => name !== "bool" && name !== "float16" && data instanceof array,
  );
  return data instanceof Uint8ClampedArray ? "uint8" : /** @type {DType | undefined} */ (found?.[0]);
}

const wide = new Float32Array(1);
const bitsOfWide = new Uint32Array(wide.buffer);

/**
 * The bits of the float16 nearest to a number, of two the even one.
 * @param {number} value
 */
export function toHalf(value) {
  wide[0] = value;
  const bits = bitsOfWide[0];
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction ? 0x200 : 0);
  const shifted = exponent - 112; // the exponent's bias is 127 there and 15 here
  if (shifted >= 31) return sign | 0x7c00;
  // Below the least normal number the leading one is written out, and the fraction moves to the right.
  const [whole, shift] = shifted > 0 ? [(shifted << 23) | fraction, 13] : [fraction | 0x800000, 14 - shifted];
  if (shift > 24) return sign;
  const half = 1 << (shift - 1);
  const rest = whole & ((1 << shift) - 1);
  const rounded = whole >>> shift;
  return sign | (rounded + (rest > half || (rest === half && rounded & 1) ? 1 : 0));
}

/**
 * The number that the bits of a float16 stand for.
 * @param {number} bits
 */
export function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}
