// Rows of different lengths: read, padded or grouped, run, and given back again.

import { DTYPES, isFloat } from "./dtypes.js";
import { InputError, shape, show } from "./errors.js";
import { asArray, cast, checkArray, checkLimits, checkShape, checkSizes, checkValues, describe, refuse } from "./inputs.js";
import { Tensor, sizeOf } from "./tensor.js";

/** @typedef {import("./graph_spec.js").GraphSpec} GraphSpec */
/** @typedef {import("./tensor_spec.js").TensorSpec} TensorSpec */
/** @typedef {import("./inputs.js").Raw} Raw */
/** @typedef {Record<string, Tensor>} Tensors */
/** @typedef {Record<string, Tensor | Tensor[]>} Answer output name to tensor, or to a list of one tensor a row */
/** @typedef {{ tensors: Tensor[], lengths: number[] }} Block rows of equal lengths, checked: a tensor for each input, and their length along each of `rowDims` */
/** @typedef {{ blocks: Block[], whole: boolean }} Rows one block for arrays, one a row for lists */

/**
 * Name of the dimension along which rows of this input may differ: the second one, if it is dynamic.
 * @param {TensorSpec} spec
 */
export const rowDim = (spec) => (typeof spec.shape[1] === "string" ? spec.shape[1] : undefined);

/**
 * Names of the dimensions along which rows may differ.
 * @param {GraphSpec} graph
 */
const rowDims = (graph) => [...new Set(graph.inputs.map(rowDim))].filter((dim) => dim !== undefined);

/**
 * Reads and checks everything that a caller gives.
 * @param {Record<string, any>} values input name to value: an array, or a list of rows, each of its own length. An array
 *   beside a list counts as rows of equal length.
 * @param {GraphSpec} graph
 * @returns {Rows}
 */
export function readRows(values, graph) {
  const { inputs, limits } = graph;
  const dims = rowDims(graph);
  if (inputs.some((spec) => Array.isArray(values[spec.name]) && rowDim(spec) !== undefined)) {
    const columns = inputs.map((spec) => readList(values[spec.name], spec, limits));
    checkLengths(columns, graph);
    const measured = dims.map((dim) => columns[inputs.findIndex((spec) => rowDim(spec) === dim)]);
    const blocks = columns[0].map((_, i) => ({
      tensors: columns.map((rows) => rows[i]),
      lengths: measured.map((rows) => rows[i].dims[1]),
    }));
    return { blocks, whole: false };
  }
  const tensors = inputs.map((spec) => readArray(values[spec.name], spec, limits));
  const sizes = checkSizes(inputs.map((spec, i) => [spec, tensors[i].dims]));
  return { blocks: [{ tensors, lengths: dims.map((dim) => sizes[dim]) }], whole: true };
}

/**
 * @param {unknown} value
 * @param {TensorSpec} spec
 * @param {Record<string, number>} limits
 */
function readArray(value, spec, limits) {
  const tensor = checkArray(value, spec);
  checkLimits(tensor.dims, spec, limits);
  return tensor;
}

/**
 * The rows of an input, each `(1, ...)`.
 * @param {unknown} value
 * @param {TensorSpec} spec
 * @param {Record<string, number>} limits
 * @returns {Tensor[]}
 */
function readList(value, spec, limits) {
  const dim = rowDim(spec);
  if (dim === undefined || !Array.isArray(value)) {
    const tensor = readArray(value, spec, limits);
    return Array.from({ length: tensor.dims[0] }, (_, i) => tensor.slice(0, i, i + 1));
  }
  const rows = value.map((row) => asArray(row, spec));
  if (!rows.length) refuse(spec, "the batch is empty", "a list of 0 rows", "Give at least one row.");
  rows.forEach((row, i) => {
    if (row.dims[0] === 0) {
      refuse(spec, `row ${i} has length zero`, `${rows.length} rows`, "Leave empty rows out of the batch.");
    }
    if (row.dims.length !== spec.shape.length - 1) {
      const mend = "Give a list of rows; for a batch of one, a list with one row in it.";
      const wrong = `row ${i} has ${row.dims.length} dimensions, not ${spec.shape.length - 1}`;
      refuse(spec, wrong, `row ${i}: ${shape(row.dims)}`, mend);
    }
    checkShape({ ...row, dims: [1, ...row.dims] }, spec);
    checkLimits([rows.length, ...row.dims], spec, limits, i);
    // Refused before rows of other types are put beside it.
    if (row.dtype === "str" || row.dtype === "object") cast(row, spec, (raw) => `row ${i}: ${describe(raw)}`);
    if (shape(row.dims.slice(1)) !== shape(rows[0].dims.slice(1))) {
      const wrong = `row ${i} has shape ${shape(row.dims)}, row 0 has ${shape(rows[0].dims)}`;
      refuse(spec, wrong, `${rows.length} rows`, `Rows may differ along ${show(dim)} only.`);
    }
  });
  const lengths = rows.map((row) => row.dims[0]);
  const range = `${lengths.reduce((a, b) => Math.min(a, b))} to ${most(lengths)}`;
  const received = (/** @type {Raw} */ flat) => `${flat.dtype}, ${rows.length} rows of ${range} steps`;
  /** @param {number[]} index */
  const position = ([step, ...rest]) => {
    let row = 0;
    for (; step >= lengths[row]; row++) step -= lengths[row];
    return shape([row, step, ...rest]);
  };
  const flat = cast(endToEnd(rows), spec, received);
  checkValues(flat, spec, received, position);
  let end = 0;
  return lengths.map((length) => {
    end += length;
    const part = flat.slice(0, end - length, end);
    return new Tensor(part.data, [1, ...part.dims], part.dtype);
  });
}

/**
 * Rows end to end along their first axis, in a type that takes them all.
 * @param {readonly Raw[]} rows
 * @returns {Raw}
 */
function endToEnd(rows) {
  const [first] = rows;
  const dims = [rows.reduce((sum, row) => sum + row.dims[0], 0), ...first.dims.slice(1)];
  const types = new Set(rows.map((row) => row.dtype));
  const numbers = rows.every((row) => row.numbers);
  const alike = types.size === 1 && rows.every((row) => row.data.constructor === first.data.constructor);
  const float = [...types].some((dtype) => isFloat(/** @type {any} */ (dtype)));
  const dtype = alike ? /** @type {import("./dtypes.js").DType} */ (first.dtype) : float ? "float64" : "int64";
  const ArrayClass = alike ? /** @type {any} */ (first.data.constructor) : DTYPES[dtype].array;
  const data = new ArrayClass(sizeOf(dims));
  let offset = 0;
  for (const row of rows) {
    /** @type {(value: any) => any} */
    const convert = dtype === "int64" ? BigInt : Number;
    data.set(alike ? row.data : Array.from(/** @type {any} */ (row.data), convert), offset);
    offset += row.data.length;
  }
  return { dtype, data, dims, numbers };
}

/**
 * Refuses inputs that disagree on the number of rows or on their lengths.
 * @param {readonly Tensor[][]} columns
 * @param {GraphSpec} graph
 */
function checkLengths(columns, graph) {
  const [first] = graph.inputs;
  /** @type {Map<string, [TensorSpec, number[]]>} */
  const known = new Map();
  graph.inputs.forEach((spec, column) => {
    const rows = columns[column];
    if (rows.length !== columns[0].length) {
      throw new InputError(
        `Inputs must have the same number of rows: ${show(first.name)} has ${columns[0].length}, ` +
          `${show(spec.name)} has ${rows.length}.`,
      );
    }
    const dim = rowDim(spec);
    if (dim === undefined) return;
    const lengths = rows.map((row) => row.dims[1]);
    const [other, others] = known.get(dim) ?? [spec, lengths];
    known.set(dim, [other, others]);
    const row = lengths.findIndex((length, i) => length !== others[i]);
    if (row >= 0) {
      throw new InputError(
        `Row ${row} must have one length along ${show(dim)} in every input: ${show(other.name)} has ${others[row]}, ` +
          `${show(spec.name)} has ${lengths[row]}.`,
      );
    }
  });
}

/**
 * Runs a caller's rows in as few calls as there can be. Rows are padded to the longest where the graph masks padding;
 * where it does not, rows of one length make one call.
 * @param {Rows} rows
 * @param {GraphSpec} graph
 * @param {(feeds: Tensors) => Promise<Tensors>} run
 * @returns {Promise<Answer>} the answer that each row gets alone: for rows given as a list a list of tensors, each cut to
 *   its row's length, for an output with a dynamic dimension beside the batch; a tensor for any other, and for arrays. A
 *   dimension `target`, which no input has, is as long as the longest hypothesis, of the row or of the array, where the
 *   graph tells the lengths in an output `lengths`.
 */
export async function runRows({ blocks, whole }, graph, run) {
  const dims = rowDims(graph);
  const unpadded = new Set(graph.inputs.filter((spec) => spec.pad_value === null).map(rowDim));
  const fixed = dims.flatMap((dim, i) => (unpadded.has(dim) ? [i] : []));
  /** @type {Map<string, Block[]>} */
  const calls = new Map();
  for (const block of blocks) {
    const key = fixed.map((i) => block.lengths[i]).join();
    const members = calls.get(key);
    if (members) members.push(block);
    else calls.set(key, [block]);
  }
  const tellsTarget = !dims.includes("target") && graph.outputs.some((spec) => spec.name === "lengths");
  /** @type {Map<Block, Tensors>} */
  const found = new Map();
  for (const members of calls.values()) {
    const answer = await run(join(members, graph));
    let start = 0;
    for (const block of members) {
      const end = start + block.tensors[0].dims[0];
      /** @param {Tensor} tensor */
      const own = (tensor) => (members.length === 1 ? tensor : tensor.slice(0, start, end));
      /** @type {Record<string, number>} */
      const sizes = Object.fromEntries(dims.map((dim, i) => [dim, block.lengths[i]]));
      if (tellsTarget) sizes.target = most(Array.from(own(answer.lengths).data, Number));
      found.set(block, Object.fromEntries(graph.outputs.map((spec) => [spec.name, cut(own(answer[spec.name]), spec, sizes)])));
      start = end;
    }
  }
  const answers = blocks.map((block) => /** @type {Tensors} */ (found.get(block)));
  return whole ? answers[0] : byRow(answers, graph);
}

/** @param {readonly number[]} values */
const most = (values) => values.reduce((a, b) => Math.max(a, b), 0);

/**
 * The rows of all blocks as one tensor for each input, filled up to the longest.
 * @param {readonly Block[]} blocks
 * @param {GraphSpec} graph
 * @returns {Tensors}
 */
function join(blocks, graph) {
  return Object.fromEntries(
    graph.inputs.map((spec, column) => {
      const tensors = blocks.map((block) => block.tensors[column]);
      if (tensors.length === 1) return [spec.name, tensors[0]];
      const sizes = tensors.map((tensor) => tensor.dims[1]);
      const longest = most(sizes);
      if (rowDim(spec) === undefined || sizes.every((size) => size === longest)) {
        return [spec.name, Tensor.concat(tensors)];
      }
      const rest = tensors[0].dims.slice(2);
      const batch = Tensor.full(spec.dtype, [tensors.length, longest, ...rest], spec.pad_value ?? 0);
      const length = longest * sizeOf(rest);
      tensors.forEach((tensor, i) => batch.data.set(/** @type {any} */ (tensor.data), i * length));
      return [spec.name, batch];
    }),
  );
}

/**
 * Rows of an output without what stands for padding.
 * @param {Tensor} tensor
 * @param {TensorSpec} spec
 * @param {Record<string, number>} sizes
 */
function cut(tensor, spec, sizes) {
  return spec.shape.reduce((part, dim, axis) => {
    return axis && Object.hasOwn(sizes, dim) && sizes[dim] < part.dims[axis] ? part.slice(axis, 0, sizes[dim]) : part;
  }, tensor);
}

/**
 * The answers of blocks of one row each, put together.
 * @param {readonly Tensors[]} answers
 * @param {GraphSpec} graph
 * @returns {Answer}
 */
function byRow(answers, graph) {
  return Object.fromEntries(
    graph.outputs.map((spec) => {
      const rows = answers.map((answer) => answer[spec.name]);
      const dynamic = spec.shape.slice(1).some((dim) => typeof dim === "string");
      return [spec.name, dynamic ? rows.map((row) => row.row(0)) : Tensor.concat(rows)];
    }),
  );
}
