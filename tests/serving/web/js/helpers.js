// What the tests share: the cases that Python wrote, which ONNX Runtime runs, and what counts as equal.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { Bundle, Tensor } from "../../../../serving/web/index.js";
import { folder } from "../../../../serving/web/node.js";

const DTYPES = {
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  float16: Float32Array,
  float32: Float32Array,
  float64: Float64Array,
};
const RELATIVE = 1e-4;
const ABSOLUTE = 1e-6;

export const CASES = process.env.CASES;

// What Python wrote: arrays become tensors, bytes byte arrays.
export function revive(key, value) {
  if (value === null || typeof value !== "object") return value;
  if ("dims" in value) {
    const ArrayClass = DTYPES[value.dtype];
    return new Tensor(ArrayClass.from(value.data, ArrayClass === BigInt64Array ? BigInt : Number), value.dims, value.dtype);
  }
  return "bytes" in value && Array.isArray(value.bytes) ? Uint8Array.from(value.bytes) : value;
}

export const cases = () => JSON.parse(readFileSync(path.join(CASES, "cases.json"), "utf-8"), revive);

const WEB = new URL("../../../../serving/web/", import.meta.url);

// The options of whatever runs a graph: ONNX Runtime of this process, one thread. Without `given` the client is to find
// onnxruntime-web by itself.
export async function runtime({ given = true } = {}) {
  if (process.env.ORT === "native") return { ort: createRequire(WEB)("onnxruntime-node"), numThreads: 1 };
  const file = new URL("node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs", WEB);
  return given ? { ort: await import(file.href), numThreads: 1 } : { numThreads: 1 };
}

export const load = (place, options) => Bundle.load(folder(place), options);

// Is a value that JavaScript found the one that Python found? Floats within rounding, everything else to the last bit.
export function assertSame(found, expected, where = "answer") {
  if (expected instanceof Tensor) {
    assert.equal(String(found), String(expected), where);
    const float = expected.dtype.startsWith("float");
    expected.data.forEach((value, i) => {
      const near = Math.abs(found.data[i] - Number(value)) <= ABSOLUTE + RELATIVE * Math.abs(Number(value));
      assert.ok(float ? near : found.data[i] === value, `${where}[${i}]: ${found.data[i]}, expected ${value}`);
    });
  } else if (Array.isArray(expected)) {
    assert.equal(found.length, expected.length, `${where}.length`);
    expected.forEach((one, i) => assertSame(found[i], one, `${where}[${i}]`));
  } else if (expected !== null && typeof expected === "object") {
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort(), where);
    for (const [name, one] of Object.entries(expected)) assertSame(found[name], one, `${where}.${name}`);
  } else if (typeof expected === "number" && !Number.isInteger(expected)) {
    const near = Math.abs(found - expected) <= ABSOLUTE + RELATIVE * Math.abs(expected);
    assert.ok(near, `${where}: ${found}, expected ${expected}`);
  } else assert.equal(found, expected, where);
}

// What Python says of its own things, in the words of JavaScript.
const WORDS = [
  ["by name in a dict", "by name in an object"],
  ["add the batch dimension: x[np.newaxis].", "add the batch dimension: [x]."],
  ["`options` must be a dict", "`options` must be an object"],
  [/If all values are whole, cast them: x\.astype\('\w+'\)\./, "If all values are whole, round them: x.map(Math.round)."],
  ["Predictor.predict_text or Generator.generate_text", "Predictor.predictText or Generator.generateText"],
  ["make Predictor(..., graph='generate') or a Generator", "make Predictor.create(..., {graph: 'generate'}) or a Generator"],
  ["this keras_seq reads", "this keras-seq reads"],
  ["Received: ndarray", "Received: Tensor"],
  [/<U\d+ /, "str "],
  [/\b(\d+)\.0\b/g, "$1"],
];

export const inJavaScript = (message) => WORDS.reduce((text, [one, other]) => text.replace(one, other), message);
