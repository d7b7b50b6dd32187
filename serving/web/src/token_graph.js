// The graph `step` of a language model: what it takes of a text that goes on, and what it says.

import { BundleError, InputError, shorten, show } from "./errors.js";
import { asArray, checkArray } from "./inputs.js";
import { Tensor } from "./tensor.js";

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./token_choice.js").TokenChoice} TokenChoice */

export const STEP = "step";

/** Knows the graph and does not run it: a `Stream` does. */
export class TokenGraph {
  #input;
  #output;
  #limit;

  /** @param {Bundle} bundle a language model's, exported with `streaming=True` */
  constructor(bundle) {
    if (!Object.hasOwn(bundle.manifest.graphs, STEP)) {
      throw new BundleError(
        `${bundle.name} has no graph ${show(STEP)}, which stream() runs. Export a language model with ` +
          "`streaming=True` beside `generate=`; what an encoder-decoder finds comes whole, from generate().",
      );
    }
    const spec = bundle.graph(STEP);
    const logits = spec.outputs.filter((output) => output.dtype.startsWith("float") && output.shape.length === 3);
    const [input] = spec.inputs;
    const ids = input.dtype.startsWith("int") && input.shape.length === 2 && input.shape.includes("time");
    if (spec.inputs.length !== 1 || !ids || logits.length !== 1) {
      const takes = [...spec.inputs, "→", ...spec.outputs].join(", ");
      throw new BundleError(
        `Graph ${show(STEP)} of ${bundle.name} must take ids (batch, time) and give logits (batch, time, vocabulary), as ` +
          `that of a language model does, for stream() to choose tokens. It has: ${takes}.`,
      );
    }
    this.#input = input;
    this.#output = logits[0];
    this.#limit = Object.hasOwn(spec.limits, "time") ? spec.limits.time : Number.POSITIVE_INFINITY;
  }

  /**
   * The ids to begin with: the start token and the prompt.
   * @param {unknown} prompt integers of one axis, padding behind them at most; may be empty
   * @param {TokenChoice} choice
   * @returns {number[]}
   */
  begin(prompt, choice) {
    const size = this.#output.shape[2];
    const largest = Math.max(choice.startId, choice.endId, ...choice.bannedIds);
    if (typeof size === "number" && largest >= size) {
      throw new BundleError(
        `bundle.json: the ids of \`decoding\` must be from 0 to ${size - 1}, those of the model. Received: ${largest}. ` +
          "Export the model again.",
      );
    }
    const raw = asArray(prompt, this.#input);
    if (raw.dims.length !== 1) {
      throw new InputError(
        `stream() goes on with one prompt: a text, or ids of one axis. Received: ${shorten(prompt)}. Give one after the ` +
          "other; generate() takes several.",
      );
    }
    const ids = raw.data.length ? this.#checked(raw, choice.padId) : [];
    if (ids.length + choice.maxLength > this.#limit) {
      const all = ids.length + choice.maxLength;
      throw new InputError(
        `The model takes ${this.#limit} steps at most, and a prompt of ${ids.length} tokens with max_length=` +
          `${choice.maxLength} may come to ${all}. Ask for fewer with max_length, or shorten the prompt.`,
      );
    }
    return [choice.startId, ...ids];
  }

  /**
   * @param {import("./inputs.js").Raw} raw
   * @param {number | null} pad
   */
  #checked(raw, pad) {
    const rows = raw.numbers
      ? [Array.from(/** @type {any} */ (raw.data))]
      : { data: raw.data, dims: [1, ...raw.dims], dtype: raw.dtype };
    const ids = Array.from(/** @type {any} */ (checkArray(rows, this.#input).data), Number);
    if (pad === null) return ids;
    const prompt = ids.slice(0, ids.findLastIndex((id) => id !== pad) + 1);
    if (prompt.includes(pad)) {
      throw new InputError(
        `A prompt must have no padding (id ${pad}) but behind its tokens. Received: ${shorten(prompt)}.`,
      );
    }
    return prompt;
  }

  /**
   * A chunk of ids as the graph takes it.
   * @param {readonly number[]} chunk
   */
  feeds(chunk) {
    return { [this.#input.name]: [chunk] };
  }

  /**
   * What the graph says behind the last step of a chunk, given all that it says.
   * @param {Record<string, Tensor>} outputs
   * @returns {ArrayLike<number>}
   */
  logits(outputs) {
    const { data, dims } = outputs[this.#output.name];
    return /** @type {Float32Array} */ (data).subarray((dims[1] - 1) * dims[2], dims[1] * dims[2]);
  }
}
