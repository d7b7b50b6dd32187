// Graphs in ONNX's own format (protocol buffers), read as far as it takes to change what they ask for.
//
// The JavaScript interfaces of ONNX Runtime know the inputs alone that must be fed. What may be left out, such as options
// and the ids that a text stands for, is an initializer in the file and an input at once, and cannot be fed: "invalid
// input" in onnxruntime-web, silence in onnxruntime-node. So the initializers go before the graph is loaded.

/** @typedef {{ number: number, from: number, start: number, end: number, value: number }} Field one field of a message: its number, where it and its content begin and end, and its value where it is an integer */
/** @typedef {{ name: string, operator: string, domain: string, takes: string[], gives: string[] }} Node a node, with what the graphs within it take from outside among what it takes */

// Field numbers of onnx.proto.
const MODEL = { graph: 7 };
const GRAPH = { node: 1, initializer: 5, output: 12 };
const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 };
const ATTRIBUTE = { graph: 6, graphs: 11 };
const TENSOR_NAME = 8;
const VALUE_NAME = 1;

const utf8 = new TextDecoder();

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {[number, number]} the number, and where it ends
 */
function varint(bytes, at) {
  let value = 0;
  for (let shift = 1; ; shift *= 128) {
    if (at >= bytes.length) throw new RangeError("the file ends within a number");
    const byte = bytes[at++];
    value += (byte & 127) * shift;
    if (byte < 128) return [value, at];
  }
}

/** @param {number} value */
function toVarint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

/**
 * The fields of a message.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 * @returns {Generator<Field>}
 */
function* fieldsOf(bytes, start, end) {
  for (let at = start; at < end; ) {
    const from = at;
    const [tag, content] = varint(bytes, at);
    const wire = tag % 8;
    let value = 0;
    let first = content;
    if (wire === 0) [value, at] = varint(bytes, content);
    else if (wire === 1) at = content + 8;
    else if (wire === 5) at = content + 4;
    else if (wire === 2) {
      const [length, begin] = varint(bytes, content);
      [first, at] = [begin, begin + length];
    } else throw new RangeError(`a field has the unknown form ${wire}`);
    if (at > end) throw new RangeError("the file ends within a field");
    yield { number: Math.floor(tag / 8), from, start: first, end: at, value };
  }
}

/** @type {(bytes: Uint8Array, field: Field) => string} */
const text = (bytes, field) => utf8.decode(bytes.subarray(field.start, field.end));

/**
 * A string field of a message, empty where it has none.
 * @param {Uint8Array} bytes
 * @param {Field} message
 * @param {number} number
 */
function nameIn(bytes, message, number) {
  for (const field of fieldsOf(bytes, message.start, message.end)) if (field.number === number) return text(bytes, field);
  return "";
}

/**
 * @param {Uint8Array} bytes
 * @param {Field} message
 * @returns {Node}
 */
function readNode(bytes, message) {
  /** @type {Node} */
  const node = { name: "", operator: "", domain: "", takes: [], gives: [] };
  for (const field of fieldsOf(bytes, message.start, message.end)) {
    if (field.number === NODE.input) node.takes.push(text(bytes, field));
    else if (field.number === NODE.output) node.gives.push(text(bytes, field));
    else if (field.number === NODE.name) node.name = text(bytes, field);
    else if (field.number === NODE.operator) node.operator = text(bytes, field);
    else if (field.number === NODE.domain) node.domain = text(bytes, field);
    else if (field.number === NODE.attribute) {
      for (const part of fieldsOf(bytes, field.start, field.end)) {
        if (part.number !== ATTRIBUTE.graph && part.number !== ATTRIBUTE.graphs) continue;
        for (const inner of nodesOf(bytes, part)) node.takes.push(...inner.takes);
        for (const given of fieldsOf(bytes, part.start, part.end)) {
          if (given.number === GRAPH.output) node.takes.push(nameIn(bytes, given, VALUE_NAME));
        }
      }
    }
  }
  return node;
}

/**
 * @param {Uint8Array} bytes
 * @param {Field} graph
 */
function* nodesOf(bytes, graph) {
  for (const field of fieldsOf(bytes, graph.start, graph.end)) {
    if (field.number === GRAPH.node) yield readNode(bytes, field);
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Field}
 */
function graphOf(bytes) {
  for (const field of fieldsOf(bytes, 0, bytes.length)) if (field.number === MODEL.graph) return field;
  throw new RangeError("there is no graph in it");
}

/**
 * The nodes of a file's graph, those of graphs within it left out.
 * @param {Uint8Array} bytes
 * @returns {Node[]}
 */
export const onnxNodes = (bytes) => [...nodesOf(bytes, graphOf(bytes))];

/**
 * The file with a graph whose inputs must all be fed, and which computes no more than is asked for.
 * @param {Uint8Array} bytes
 * @param {readonly string[]} fed inputs that are to lose their initializers
 * @param {readonly string[]} outputs what is asked for; other outputs go, and the nodes behind them
 * @returns {Uint8Array}
 */
export function rewriteOnnx(bytes, fed, outputs) {
  const graph = graphOf(bytes);
  const fields = [...fieldsOf(bytes, graph.start, graph.end)];
  const needed = new Set(outputs);
  /** @type {Set<Field>} */
  const idle = new Set();
  for (const field of fields.filter(({ number }) => number === GRAPH.node).reverse()) {
    const node = readNode(bytes, field); // nodes stand behind those whose outputs they take
    if (node.gives.some((name) => needed.has(name))) for (const name of node.takes) needed.add(name);
    else idle.add(field);
  }
  const kept = fields.filter((field) => {
    if (field.number === GRAPH.node) return !idle.has(field);
    if (field.number === GRAPH.output) return outputs.includes(nameIn(bytes, field, VALUE_NAME));
    if (field.number !== GRAPH.initializer) return true;
    const name = nameIn(bytes, field, TENSOR_NAME);
    return needed.has(name) && !fed.includes(name);
  });
  const parts = kept.map((field) => bytes.subarray(field.from, field.end));
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Uint8Array.from([(MODEL.graph << 3) | 2, ...toVarint(length)]);
  return endToEnd([bytes.subarray(0, graph.from), head, ...parts, bytes.subarray(graph.end)]);
}

/** @param {readonly Uint8Array[]} parts */
function endToEnd(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
