// The text of one graph of a bundle: its tokenizers and its labels.

import { isFloat } from "../dtypes.js";
import { BundleError, InputError, ServingError, kindOf, listed, shorten, show } from "../errors.js";
import { rowDim } from "../ragged.js";
import { Tensor, sizeOf } from "../tensor.js";
import { readTexts } from "./strings.js";

/** @typedef {import("../bundle.js").Bundle} Bundle */
/** @typedef {import("./tokenizer_file.js").Tokenizer} Tokenizer */
/** @typedef {import("../ragged.js").Answer} Answer */
/** @typedef {Record<string, string[][]>} Tokens input name to the tokens of each text */

/** The input that holds what a language model is to go on with. */
const PROMPT = "prompt";
/** Under this name stands the tokenizer of what a graph generates, where it is another than that of its prompts. */
const TARGET = "target";

/** What turns texts into the inputs of a graph, and its outputs into words. */
export class BundleText {
  #bundle;
  #graph;
  #spec;
  #files;

  /**
   * @param {Bundle} bundle
   * @param {string} graph
   */
  constructor(bundle, graph) {
    this.#bundle = bundle;
    this.#graph = graph;
    this.#spec = bundle.graph(graph);
    this.#files = new Map(Object.entries(bundle.manifest.tokenizers).map(([name, { file }]) => [name, file]));
    const { inputs, outputs } = this.#spec;
    /** Output name to what the entries of its last axis stand for. @type {Record<string, string[]>} */
    this.labels = pick(bundle.labels, outputs.map((spec) => spec.name));
    /** Input name to the tokenizer of its texts, for those inputs that have one. @type {Record<string, Tokenizer>} */
    this.tokenizers = pick(bundle.tokenizers, inputs.map((spec) => spec.name));
    /** The tokenizer of what the graph generates; undefined where nothing is known of it. @type {Tokenizer | undefined} */
    this.target = { ...bundle.tokenizers }[TARGET] ?? this.tokenizers[PROMPT];
    for (const spec of outputs) {
      const count = this.labels[spec.name]?.length ?? 0;
      const entries = spec.shape.at(-1);
      const fits = entries === count || (entries === 1 && count === 2);
      if (count && isFloat(spec.dtype) && !fits) {
        throw new BundleError(
          `${bundle.name}: bundle.json has ${count} labels for output ${show(spec.name)} of graph ${show(graph)}, ` +
            `which is ${spec}. Export the model again, with a label for each entry of the last axis, or two for a ` +
            "single score.",
        );
      }
    }
  }

  /** Whether one text is enough for a row: every input has a tokenizer of its own, and all have the same steps. */
  get oneText() {
    const { inputs } = this.#spec;
    const dims = new Set(inputs.map(rowDim));
    const files = new Set(inputs.map((spec) => this.#files.get(spec.name))); // of one tokenizer they want several texts
    return dims.size === 1 && !dims.has(undefined) && !files.has(undefined) && files.size === inputs.length;
  }

  /**
   * Texts as what `Predictor.predict` takes.
   * @param {unknown} texts a list of texts, each of which goes into every input where `oneText` is true; with other
   *   inputs beside it, input name to a list of texts, and for an input without tokenizer to what `predict` takes
   * @param {Record<string, number>} [limits] the largest sizes of dimensions by name
   * @returns {[Record<string, any>, Tokens]} input name to rows of ids, one id at least (padding, for a text without
   *   tokens); and input name to the tokens of each text
   */
  encode(texts, limits = this.#spec.limits) {
    /** @type {Record<string, any>} */
    const values = {};
    /** @type {Tokens} */
    const tokens = {};
    for (const [name, value] of Object.entries(this.#named(texts))) {
      if (!Object.hasOwn(this.tokenizers, name)) {
        values[name] = value;
        continue;
      }
      let rows;
      try {
        rows = readTexts(value);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        throw new InputError(`Input ${show(name)}: ${error.message}`, { cause: error });
      }
      [values[name], tokens[name]] = this.#rows(name, rows, limits);
    }
    return [values, this.oneText && !isNamed(texts) ? agreed(values, tokens) : tokens];
  }

  /**
   * @param {unknown} texts
   * @returns {Record<string, any>}
   */
  #named(texts) {
    const { inputs } = this.#spec;
    if (!Object.keys(this.tokenizers).length) {
      const graphs = Object.entries(this.#bundle.manifest.graphs)
        .filter(([, graph]) => graph.inputs.some((spec) => this.#files.has(spec.name)))
        .map(([name]) => name);
      const mend = graphs.length ? `Graph ${listed(graphs)} has one. ` : "";
      throw new InputError(
        `Graph ${show(this.#graph)} of ${this.#bundle.name} has no tokenizer, so it takes ids and no texts. ${mend}` +
          "Export the model with `tokenizer=`, or encode the texts as in training and call predict() or generate().",
      );
    }
    if (isNamed(texts)) return texts;
    if (inputs.length > 1 && !this.oneText) {
      throw new InputError(
        `The graph takes ${inputs.length} inputs (${listed(inputs.map((spec) => spec.name))}), so texts must be given ` +
          `by name in an object. Received: ${kindOf(texts)}.`,
      );
    }
    return Object.fromEntries(inputs.map((spec) => [spec.name, texts]));
  }

  /**
   * @param {string} name
   * @param {readonly string[]} texts
   * @param {Record<string, number>} limits
   * @returns {[Tensor[], string[][]]}
   */
  #rows(name, texts, limits) {
    const tokenizer = this.tokenizers[name];
    const rows = tokenizer.encode(texts);
    const tokens = tokenizer.tokens(texts);
    const dim = rowDim(/** @type {any} */ (this.#spec.inputs.find((spec) => spec.name === name))) ?? "";
    const limit = Object.hasOwn(limits, dim) ? limits[dim] : Number.POSITIVE_INFINITY;
    rows.forEach((row, i) => {
      if (row.length > limit) {
        throw new InputError(
          `Input ${show(name)}: text ${i} has ${row.length} tokens, and the model takes ${limit} at most. Cut it, or ` +
            `train and export a model that allows more. Received: ${shorten(texts[i])}.`,
        );
      }
      if (name === PROMPT && row.length && row.every((id) => id === tokenizer.unknownId)) {
        const unknown = listed(tokens[i].slice(0, 8)) + (tokens[i].length > 8 ? ", …" : "");
        throw new InputError(
          `Input ${show(name)}: text ${i} has nothing that the model knows; unknown to its vocabulary of ` +
            `${tokenizer.vocabularySize} tokens: ${unknown}. Begin with something from the texts that it was trained ` +
            "on, or with an empty text.",
        );
      }
    });
    const width = sizeOf(tokenizer.stepShape);
    const tensors = rows.map((row) => {
      const ids = row.length ? row.flat() : new Array(width).fill(tokenizer.padId);
      return new Tensor(Int32Array.from(ids), [ids.length / width, ...tokenizer.stepShape]);
    });
    return [tensors, tokens];
  }

  /**
   * Answers without the steps of the padding that `encode` put in the place of texts without tokens.
   * @param {Answer} answers
   * @param {Tokens} tokens what `encode` gave
   * @returns {Answer}
   */
  cutEmpty(answers, tokens) {
    /** @type {Map<number | string | undefined, string[][]>} */
    const dims = new Map();
    for (const spec of this.#spec.inputs) if (Object.hasOwn(tokens, spec.name)) dims.set(rowDim(spec), tokens[spec.name]);
    const cut = { ...answers };
    for (const spec of this.#spec.outputs) {
      spec.shape.forEach((dim, axis) => {
        const rows = cut[spec.name];
        const of = axis ? dims.get(dim) : undefined;
        if (of && Array.isArray(rows)) {
          cut[spec.name] = rows.map((row, i) => (of[i].length ? row : row.slice(axis - 1, 0, 0)));
        }
      });
    }
    return cut;
  }

  /**
   * The likeliest label of each entry of the outputs that have some.
   * @param {Answer} answers scores with the labels along the last axis, or indices of labels
   * @returns {Record<string, any[]>} `<output>.labels` to nested lists of strings
   */
  label(answers) {
    return Object.fromEntries(
      Object.entries(this.labels).map(([name, labels]) => {
        const answer = answers[name];
        const rows = Array.isArray(answer) ? answer : Array.from({ length: answer.dims[0] }, (_, i) => answer.row(i));
        return [`${name}.labels`, rows.map((row) => spell(row, labels, name))];
      }),
    );
  }
}

/** @param {unknown} texts @returns {texts is Record<string, any>} */
const isNamed = (texts) =>
  typeof texts === "object" && texts !== null && !Array.isArray(texts) && !ArrayBuffer.isView(texts);

/**
 * @template T
 * @param {Record<string, T>} from
 * @param {readonly string[]} names
 * @returns {Record<string, T>}
 */
const pick = (from, names) =>
  Object.fromEntries(names.filter((name) => Object.hasOwn(from, name)).map((name) => [name, from[name]]));

/**
 * The tokens of inputs that were made of the same texts, once if they are all the same.
 * @param {Record<string, Tensor[]>} values
 * @param {Tokens} tokens
 * @returns {Tokens}
 */
function agreed(values, tokens) {
  const [first, ...others] = Object.keys(tokens);
  for (const name of others) {
    values[first].forEach((row, i) => {
      const [one, other] = [row.dims[0], values[name][i].dims[0]];
      if (one !== other) {
        throw new InputError(
          `Text ${i} has ${one} tokens for input ${show(first)}, but ${other} for input ${show(name)}: the tokenizers of ` +
            "inputs that share their steps must cut texts alike. Export the model with such, or give each input its own " +
            "texts, by name in an object.",
        );
      }
    });
  }
  const spelt = JSON.stringify(tokens[first]);
  return others.every((name) => JSON.stringify(tokens[name]) === spelt) ? { [first]: tokens[first] } : tokens;
}

/**
 * @param {Tensor} row
 * @param {readonly string[]} labels
 * @param {string} name
 * @returns {any}
 */
function spell(row, labels, name) {
  const indices = isFloat(row.dtype) ? likeliest(row, labels.length) : row;
  const values = Array.from(/** @type {any} */ (indices.data), Number);
  if (values.some((index) => index < 0 || index >= labels.length)) {
    const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    throw new ServingError(
      `Output ${show(name)} gives indices of labels, and bundle.json has ${labels.length} for those from ${least} to ` +
        `${most}. Export the model again, with a label for each.`,
    );
  }
  /** @param {any} nested @returns {any} */
  const named = (nested) => (Array.isArray(nested) ? nested.map(named) : labels[Number(nested)]);
  return named(indices.toNested());
}

/**
 * The index of the best class; of two with a single score that is the probability of the second.
 * @param {Tensor} scores
 * @param {number} classes
 */
function likeliest({ data, dims }, classes) {
  const entries = dims.at(-1) ?? 1;
  const indices = new Int32Array(entries ? data.length / entries : 0);
  for (let i = 0; i < indices.length; i++) {
    if (entries === 1 && classes === 2) {
      indices[i] = Number(data[i] > 0.5);
      continue;
    }
    const start = i * entries;
    for (let j = 1; j < entries; j++) if (data[start + j] > data[start + indices[i]]) indices[i] = j;
  }
  return new Tensor(indices, dims.slice(0, -1));
}
