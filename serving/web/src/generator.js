// Hypotheses for sources, from a bundle whose graph holds the whole decode loop; and texts token by token.

import { Bundle } from "./bundle.js";
import { BundleError, ServingError, listed, show } from "./errors.js";
import { checkOptions } from "./option_spec.js";
import { Predictor } from "./predictor.js";
import { Stream } from "./stream.js";
import { Tensor } from "./tensor.js";
import { BundleText } from "./text/bundle_text.js";
import { choiceOf, chooser } from "./token_choice.js";
import { STEP, TokenGraph } from "./token_graph.js";

/** @typedef {import("./bundle.js").Source} Source */
/** @typedef {import("./inputs.js").Value} Value */
/** @typedef {import("./text/strings.js").Text} Text */
/** @typedef {import("./ragged.js").Answer} Answer */
/** @typedef {import("./session.js").SessionOptions & { graph?: string }} GeneratorOptions */
/** @typedef {Record<string, number | boolean>} Options option name to number, for those that are not to have their default */
/**
 * @typedef {object} Hypothesis One hypothesis for one source.
 * @property {number[]} ids the tokens; the end token is the last of them where `finished`
 * @property {number} score what the strategy ranks by: the log-probability over the length term for beam search
 * @property {boolean} finished false where the decode loop came to its maximum length before the end token
 * @property {Tensor | null} alignment attention over the source at each token, `(length, time)`; null where there is none
 * @property {string | null} text what the ids stand for, from `generateText`; null where no tokenizer of them is known
 */
/**
 * @typedef {object} GeneratedToken One token, as soon as it is chosen.
 * @property {number} id
 * @property {number} logProb its log-probability under the model, given everything before it
 * @property {string | null} text what it adds to the text so far; empty for the end token, null without a tokenizer
 */

const OUTPUTS = ["ids", "lengths", "scores", "finished"];

/** Sources in, hypotheses out: `Predictor` on the graph `generate`, with its answer taken apart. */
export class Generator {
  #graph;
  #predictor;
  #text;
  #options;
  /** Made when it is first asked for. @type {Promise<Stream> | null} */
  #stream = null;
  #closed = false;

  /**
   * @param {string} graph
   * @param {Predictor} predictor
   * @param {GeneratorOptions} options
   */
  constructor(graph, predictor, options) {
    this.#graph = graph;
    this.#predictor = predictor;
    this.#text = new BundleText(predictor.bundle, graph);
    this.#options = options;
  }

  /**
   * @param {Bundle | string | URL | Source} bundle a bundle exported with `generate=` and a strategy, or what
   *   `Bundle.load` takes
   * @param {GeneratorOptions} [options]
   */
  static async create(bundle, { graph = "generate", ...options } = {}) {
    const loaded = bundle instanceof Bundle ? bundle : await Bundle.load(bundle);
    const outputs = loaded.graph(graph).outputs.map((spec) => spec.name);
    if (!OUTPUTS.every((name) => outputs.includes(name))) {
      throw new BundleError(
        `Graph ${show(graph)} of ${loaded.name} gives no hypotheses, which are the outputs ${listed(OUTPUTS)}. It gives: ` +
          `${listed(outputs)}. Run it with \`Predictor\`.`,
      );
    }
    return new Generator(graph, await Predictor.create(loaded, { graph, ...options }), options);
  }

  /** The bundle this generator runs. */
  get bundle() {
    return this.#predictor.bundle;
  }

  /** What runs the graph: its answers hold the hypotheses as tensors, and `hypotheses` takes them apart. */
  get predictor() {
    return this.#predictor;
  }

  /** What `generate` takes as sources. */
  get inputs() {
    return this.#predictor.inputs;
  }

  /** What `generate` takes besides, with the defaults. */
  get options() {
    return this.#predictor.options;
  }

  /** How the graph searches: strategy, number of beams, start and end id, as the exporter wrote it. */
  get decoding() {
    return { ...this.bundle.graph(this.#graph).decoding };
  }

  /** Input name to the tokenizer of its texts, and under `target` that of the hypotheses' texts. */
  get tokenizers() {
    const { target, tokenizers } = this.#text;
    return { ...tokenizers, ...(target && { target }) };
  }

  /** What the exporter's caller gave along. */
  get metadata() {
    return this.bundle.metadata;
  }

  /**
   * Decodes a batch of sources.
   * @param {Value | Record<string, Value>} sources what `Predictor.predict` takes as inputs. Give rows of different
   *   lengths as a list: in a padded tensor the alignments run over the padding too.
   * @param {Options} [options]
   * @returns {Promise<Hypothesis[][]>} for each source its hypotheses, the best first
   */
  async generate(sources, options) {
    return this.hypotheses(await this.#predictor.predict(sources, options));
  }

  /**
   * Decodes a batch of texts: sources of an encoder-decoder, prompts of a language model.
   * @param {readonly Text[] | Record<string, any>} texts a list of texts; an empty prompt lets a language model begin by
   *   itself. With several inputs an object, as in `Predictor.predictText`.
   * @param {Options} [options]
   * @returns {Promise<Hypothesis[][]>} for each text its hypotheses, the best first, with their `text`: for a prompt, what
   *   comes behind it
   */
  async generateText(texts, options) {
    return this.hypotheses(await this.#predictor.predictText(texts, options), { withText: true });
  }

  /**
   * Takes an answer of the graph apart.
   * @param {Record<string, any>} answer what `predictor` gave
   * @param {{ withText?: boolean }} [options] `withText` decodes the ids, where the bundle has a tokenizer of them
   * @returns {Hypothesis[][]}
   */
  hypotheses(answer, { withText = false } = {}) {
    const target = withText ? this.#text.target : undefined;
    const [ids, lengths, scores, finished, alignments] = [...OUTPUTS, "alignments"].map((name) => rowsOf(answer[name]));
    return ids.map((row, i) =>
      lengths[i].toNested().map((/** @type {number} */ length, /** @type {number} */ k) => {
        const own = row.row(k).slice(0, 0, length).toNested();
        return {
          ids: own,
          score: Number(scores[i].data[k]),
          finished: Boolean(finished[i].data[k]),
          alignment: alignments[i]?.row(k).slice(0, 0, length) ?? null,
          text: target ? target.decode(own) : null,
        };
      }),
    );
  }

  /**
   * Goes on with one prompt, and gives each token away as soon as it is chosen. The tokens are those that `generate`
   * finds for the prompt alone, by the same options and seed. Nothing is computed beyond what is asked for, so whoever has
   * read enough just stops.
   * @param {Text | readonly number[] | ArrayLike<number> | null} [prompt] a text, or ids of one axis without start token;
   *   null or an empty one to begin without
   * @param {Options} [options]
   * @returns {AsyncGenerator<GeneratedToken, void, void>} the tokens, up to the end token or to `max_length`
   */
  stream(prompt = null, options) {
    const spec = this.bundle.graph(this.#graph);
    const choice = choiceOf(spec, checkOptions(options, spec.options), `graphs.${this.#graph}`);
    const graph = new TokenGraph(this.bundle);
    /** @type {any} */
    let ids = prompt ?? [];
    if (typeof prompt === "string" || prompt instanceof Uint8Array) {
      const { name } = spec.inputs[0];
      const [values, tokens] = this.#text.encode([prompt], {}); // the limits of the graph `step` count here
      ids = tokens[name][0].length ? values[name][0] : [];
    }
    const first = graph.begin(ids, choice);
    this.#live();
    return this.#tokens(graph, first, choice);
  }

  /**
   * @param {TokenGraph} graph
   * @param {number[]} first
   * @param {import("./token_choice.js").TokenChoice} choice
   * @returns {AsyncGenerator<GeneratedToken, void, void>}
   */
  async *#tokens(graph, first, choice) {
    const choose = chooser(choice);
    const tokenizer = this.#text.target;
    const special = tokenizer ? [tokenizer.padId, tokenizer.startId, tokenizer.endId] : [];
    const spell = tokenizer?.speller(first.slice(1).some((id) => !special.includes(id)));
    const stream = (await this.#stepStream()).new();
    let chunk = first;
    for (let left = choice.maxLength; left > 0; left--) {
      const { id, logProb } = choose(graph.logits(await stream.feed(graph.feeds(chunk))));
      yield { id, logProb, text: spell ? spell(id) : null };
      if (id === choice.endId) return;
      chunk = [id];
    }
  }

  /** @returns {Promise<Stream>} */
  #stepStream() {
    this.#live();
    this.#stream ??= Stream.create(this.bundle, { ...this.#options, graph: STEP, keepOutputs: false });
    this.#stream.catch(() => {
      this.#stream = null; // such as a network that may be there the next time
    });
    return this.#stream;
  }

  #live() {
    if (this.#closed) throw new ServingError(`The generator of ${this.bundle.name} is closed. Make a new one.`);
  }

  /** Frees the graphs; `generate` is refused from now on, and texts being streamed end so too. */
  async close() {
    this.#closed = true;
    await this.#predictor.close();
    if (this.#stream) await (await this.#stream).close();
  }
}

/**
 * @param {Tensor | Tensor[] | undefined} output
 * @returns {Tensor[]}
 */
function rowsOf(output) {
  if (output === undefined) return [];
  return Array.isArray(output) ? output : Array.from({ length: output.dims[0] }, (_, i) => output.row(i));
}
