// Graphs in ONNX Runtime's own format (FlatBuffers, ort.fbs), changed as onnx_file.js changes those of ONNX.

// Indices of fields in their tables.
const SESSION_MODEL = 1;
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZERS = 0;
const TENSOR_NAME = 0;

const IDENTIFIER = "ORTM";

/** @param {Uint8Array} bytes */
export const isOrt = (bytes) => String.fromCharCode(...bytes.subarray(4, 8)) === IDENTIFIER;

/**
 * The file with a graph in which some inputs must be fed: they lose their initializers. Inputs and outputs of strings
 * stay.
 * @param {Uint8Array} bytes
 * @param {readonly string[]} fed
 * @returns {Uint8Array}
 */
export function rewriteOrt(bytes, fed) {
  const file = new Uint8Array(bytes); // a copy, of buffers of Node too
  const view = new DataView(file.buffer);
  /** @param {number} at */
  const follow = (at) => at + view.getUint32(at, true);
  /** Where a field of a table lies; 0 where the table has none. @type {(table: number, index: number) => number} */
  const field = (table, index) => {
    const fields = table - view.getInt32(table, true);
    const entry = 4 + 2 * index;
    const offset = entry < view.getUint16(fields, true) ? view.getUint16(fields + entry, true) : 0;
    return offset && table + offset;
  };
  /** @type {(table: number, index: number) => number} */
  const within = (table, index) => {
    const at = field(table, index);
    if (!at) throw new RangeError("it lacks what every file of ONNX Runtime has");
    return follow(at);
  };
  const utf8 = new TextDecoder();
  /** @param {number} at */
  const string = (at) => utf8.decode(file.subarray(at + 4, at + 4 + view.getUint32(at, true)));

  const graph = within(within(follow(0), SESSION_MODEL), MODEL_GRAPH);
  if (!field(graph, GRAPH_INITIALIZERS)) return file;
  const initializers = within(graph, GRAPH_INITIALIZERS);
  let count = view.getUint32(initializers, true);
  for (let i = count - 1; i >= 0; i--) {
    const place = initializers + 4 + 4 * i;
    if (!fed.includes(string(within(follow(place), TENSOR_NAME)))) continue;
    // The last one takes its place; offsets count from where they stand.
    const last = initializers + 4 * count;
    view.setUint32(place, view.getUint32(last, true) + last - place, true);
    count -= 1;
  }
  view.setUint32(initializers, count, true);
  return file;
}
