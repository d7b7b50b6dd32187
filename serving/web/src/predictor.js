// Runs whole sequences through a bundle's graph.

import { Bundle } from "./bundle.js";
import { BundleError, InputError, listed, show } from "./errors.js";
import { nameInputs } from "./inputs.js";
import { checkOptions } from "./option_spec.js";
import { readRows, runRows } from "./ragged.js";
import { Session } from "./session.js";
import { BundleText } from "./text/bundle_text.js";

/** @typedef {import("./bundle.js").Source} Source */
/** @typedef {import("./inputs.js").Value} Value */
/** @typedef {import("./ragged.js").Answer} Answer */
/** @typedef {import("./text/strings.js").Text} Text */
/** @typedef {import("./text/bundle_text.js").Tokens} Tokens */
/** @typedef {import("./session.js").SessionOptions & { graph?: string }} PredictorOptions `graph` says which of the bundle's graphs to run */
/** @typedef {{ rows: import("./ragged.js").Rows, settings: Record<string, import("./tensor.js").Tensor>, tokens?: Tokens }} PredictRequest what has been read and checked, and not run yet */

/** Whole sequences in, whole sequences out; make one with `Predictor.create`. */
export class Predictor {
  #session;
  #text;

  /**
   * @param {Session} session
   * @param {BundleText} text
   */
  constructor(session, text) {
    this.#session = session;
    this.#text = text;
  }

  /**
   * @param {Bundle | string | URL | Source} bundle a bundle, or what `Bundle.load` takes
   * @param {PredictorOptions} [options]
   */
  static async create(bundle, { graph = "model", ...options } = {}) {
    const loaded = bundle instanceof Bundle ? bundle : await Bundle.load(bundle);
    if (loaded.graph(graph).states.length) {
      throw new BundleError(`Graph ${show(graph)} of ${loaded.name} carries states: run it with \`Stream\`.`);
    }
    const text = new BundleText(loaded, graph);
    return new Predictor(await Session.create(loaded, graph, options), text);
  }

  /** The bundle this predictor runs. */
  get bundle() {
    return this.#session.bundle;
  }

  /** What runs the graph: its providers, threads and file. */
  get session() {
    return this.#session;
  }

  /** What `predict` takes. */
  get inputs() {
    return this.#session.spec.inputs;
  }

  /** What `predict` gives. */
  get outputs() {
    return this.#session.spec.outputs;
  }

  /** What `predict` takes as options, with the defaults; empty for most graphs. */
  get options() {
    return this.#session.spec.options;
  }

  /** Input name to the tokenizer of its texts; empty for a bundle that was exported without. */
  get tokenizers() {
    return this.#text.tokenizers;
  }

  /** Output name to what the entries of its last axis stand for, for the outputs where the bundle says it. */
  get labels() {
    return this.#text.labels;
  }

  /** What the exporter's caller gave along: task, labels, vocabularies. */
  get metadata() {
    return this.bundle.metadata;
  }

  /**
   * Runs a batch.
   *
   * Values that come as tensors give tensors. As soon as one comes as a list of rows, each row has its own length: an
   * output with a `time` dimension is then a list of tensors, each as long as its row, and the same as for that row
   * alone. Rows are padded where the model masks padding, and otherwise run in groups of equal length. Where the graph
   * decodes, each row's `target` dimension is cut to its longest hypothesis.
   * @param {Value | Record<string, Value>} inputs input name to value: a tensor, or a list of rows, each a tensor, a typed
   *   array or nested lists. With a single input, the value itself will do. Values are cast where nothing is lost.
   * @param {Record<string, number | boolean>} [options] option name to number, for those of `this.options` that are not
   *   to have their default
   * @returns {Promise<Answer>} output name to tensor, or to a list of one tensor a row
   */
  async predict(inputs, options) {
    return this.run(this.read(inputs, options));
  }

  /**
   * Runs a batch of texts: tokenizers of the bundle make ids of them, and labels of what comes out.
   * @param {readonly Text[] | Record<string, any>} texts a list of texts (strings, or bytes of UTF-8). With several
   *   inputs an object: input name to a list of texts, or, for an input without tokenizer, to what `predict` takes.
   * @param {Record<string, number | boolean>} [options] as in `predict`
   * @returns {Promise<Record<string, any>>} what `predict` gives for the ids. Besides, `tokens`: the tokens of each text
   *   as they were read (with several texts a row, or an output of that name, `<input>.tokens`); and `<output>.labels`,
   *   the likeliest label of each step, or of each text, for outputs that have some.
   */
  async predictText(texts, options) {
    return this.run(this.readText(texts, options));
  }

  /**
   * Reads and checks what `predict` takes, without running anything.
   * @param {unknown} inputs
   * @param {unknown} [options]
   * @returns {PredictRequest}
   */
  read(inputs, options) {
    const { spec } = this.#session;
    let values;
    try {
      values = nameInputs(inputs, spec.inputs);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${error.message}${this.#generates()}`, { cause: error });
    }
    return { rows: readRows(values, spec), settings: checkOptions(options, spec.options) };
  }

  /**
   * Reads and checks what `predictText` takes, without running anything.
   * @param {unknown} texts
   * @param {unknown} [options]
   * @returns {PredictRequest}
   */
  readText(texts, options) {
    const [values, tokens] = this.#text.encode(texts);
    return { ...this.read(values, options), tokens };
  }

  /**
   * Runs what was read.
   * @param {PredictRequest} request
   * @returns {Promise<Record<string, any>>}
   */
  async run({ rows, settings, tokens }) {
    const answer = await runRows(rows, this.#session.spec, (feeds) => this.#session.run({ ...feeds, ...settings }));
    if (tokens === undefined) return answer;
    const cut = this.#text.cutEmpty(answer, tokens);
    const alone = Object.keys(tokens).length === 1 && !Object.hasOwn(cut, "tokens");
    const named = Object.entries(tokens).map(([name, spelt]) => [alone ? "tokens" : `${name}.tokens`, spelt]);
    return { ...cut, ...Object.fromEntries(named), ...this.#text.label(cut) };
  }

  /** A hint for who runs the model of an encoder-decoder and wants hypotheses. */
  #generates() {
    if (this.#session.graph === "generate" || !Object.hasOwn(this.bundle.manifest.graphs, "generate")) return "";
    const taken = listed(this.bundle.graph("generate").inputs.map((spec) => spec.name));
    return ` To get hypotheses from ${taken} alone, make Predictor.create(..., {graph: 'generate'}) or a Generator.`;
  }

  /** Frees the graph; `predict` is refused from now on. */
  async close() {
    await this.#session.close();
  }
}
