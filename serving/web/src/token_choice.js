// The next token from the logits of a step: `Greedy` and `Sampling` of `keras_seq.decoding`, in numbers of 32 bits.

import { BundleError } from "./errors.js";
import { Fields } from "./fields.js";
import { UniformStream } from "./uniform_stream.js";

/** @typedef {import("./graph_spec.js").GraphSpec} GraphSpec */
/** @typedef {import("./tensor.js").Tensor} Tensor */
/**
 * @typedef {object} TokenChoice How to choose among the tokens.
 * @property {number} startId what is put in for the first step
 * @property {number} endId what ends a text
 * @property {number | null} padId what fills up prompts, which is never chosen
 * @property {boolean} sampling whether to draw; otherwise the likeliest token is taken
 * @property {number} maxLength the most tokens, the end token counted
 * @property {number} minLength the fewest; the end token cannot come earlier
 * @property {number[]} bannedIds ids that are never chosen
 * @property {number} temperature what the logits are divided by
 * @property {number | null} topK how many of the likeliest tokens to draw from
 * @property {number | null} topP draw from the likeliest that together have at least this probability
 * @property {number | null} minP draw from those at least this many times as likely as the likeliest
 * @property {number} seed of the random numbers
 */

const IMPOSSIBLE = -1e9; // as keras_seq.decoding has it
const STRATEGIES = ["Greedy", "Sampling"];
const { fround } = Math;

/**
 * The choice that a graph makes, as its manifest records it.
 * @param {GraphSpec} graph the graph that generates
 * @param {Record<string, Tensor>} options a value for each of its options
 * @param {string} where path of its entry in the manifest
 * @returns {TokenChoice}
 */
export function choiceOf(graph, options, where) {
  const fields = new Fields(graph.decoding ?? {}, `${where}.decoding`);
  const strategy = fields.text("strategy");
  if (!STRATEGIES.includes(strategy)) {
    throw new BundleError(
      `stream() gives tokens away one by one, and those of ${strategy}, by which the bundle searches, are settled at its ` +
        "end. Call generate(), or export the model with generate=Sampling() or Greedy().",
    );
  }
  /** @type {(name: string) => number | undefined} */
  const option = (name) => (Object.hasOwn(options, name) ? Number(options[name].data[0]) : undefined);
  const masked = graph.inputs.find((spec) => spec.pad_value !== null);
  return {
    startId: fields.integer("start_id"),
    endId: fields.integer("end_id"),
    padId: masked ? Number(masked.pad_value) : null,
    sampling: strategy === "Sampling",
    maxLength: option("max_length") ?? 64,
    minLength: option("min_length") ?? fields.integer("min_length", { optional: true }) ?? 0,
    bannedIds: fields.listOf("banned_ids", readId, { optional: true }),
    temperature: option("temperature") ?? 1,
    topK: fields.integer("top_k", { minimum: 1, optional: true }),
    topP: option("top_p") ?? null,
    minP: option("min_p") ?? null,
    seed: option("seed") ?? 0,
  };
}

/** @type {(value: any, where: string) => number} */
function readId(value, where) {
  if (!Number.isInteger(value) || value < 0) {
    throw new BundleError(`bundle.json: \`${where}\` must be an id. Received: ${value}.`);
  }
  return value;
}

/**
 * A function for one text: called with the logits of each step, it gives the id chosen and its log-probability under the
 * model, whatever the temperature.
 * @param {TokenChoice} choice
 * @returns {(logits: ArrayLike<number>) => { id: number, logProb: number }}
 */
export function chooser(choice) {
  const stream = new UniformStream(choice.seed);
  const never = choice.padId === null ? choice.bannedIds : [...choice.bannedIds, choice.padId];
  let steps = 0;
  return (given) => {
    steps += 1;
    const logits = Float32Array.from(given);
    for (const id of new Set(never)) logits[id] += IMPOSSIBLE;
    if (steps < choice.minLength) logits[choice.endId] += IMPOSSIBLE;
    const logProbs = logSoftmax(logits);
    const id = choice.sampling ? draw(logProbs, choice, stream) : argmax(logProbs);
    return { id, logProb: logProbs[id] };
  };
}

/** @param {Float32Array} values */
const argmax = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

/** @param {Float32Array} values */
function logSoftmax(values) {
  const most = values[argmax(values)];
  const shifted = values.map((value) => value - most);
  // The sum in 64 bits: the order in which one adds does not count then.
  const sum = shifted.reduce((total, value) => total + fround(Math.exp(value)), 0);
  const log = fround(Math.log(fround(sum)));
  return shifted.map((value) => value - log);
}

/**
 * @param {Float32Array} logProbs
 * @param {TokenChoice} choice
 * @param {UniformStream} stream
 */
function draw(logProbs, { topK, topP, minP, temperature }, stream) {
  let ids = null;
  let scores = logProbs;
  if (topK !== null || topP !== null) {
    // Of equals the first comes first: sorting is stable.
    ids = Array.from(logProbs.keys()).sort((one, other) => logProbs[other] - logProbs[one]).slice(0, topK ?? undefined);
    scores = Float32Array.from(ids, (id) => logProbs[id]);
  }
  const divisor = fround(temperature);
  const probs = logSoftmax(scores.map((score) => score / divisor)).map(Math.exp);
  let allowed = probs;
  if (topP !== null) {
    const least = Math.max(fround(topP), fround(1e-9)); // the first always
    const ends = cumulated(probs);
    allowed = allowed.map((prob, i) => (fround(ends[i] - probs[i]) < least ? prob : 0)); // of all that are likelier
  }
  if (minP !== null) {
    const least = fround(fround(minP) * probs[argmax(probs)]);
    allowed = allowed.map((prob, i) => (probs[i] >= least ? prob : 0));
  }
  const ends = cumulated(allowed);
  // Just below the sum: rounding must not carry a draw past the last token that has any probability.
  const drawn = fround(fround(stream.next() * ends[ends.length - 1]) * fround(1 - 1e-6));
  const index = ends.reduce((count, end) => count + Number(end <= drawn), 0);
  return ids ? ids[index] : index;
}

/** @param {Float32Array} values */
function cumulated(values) {
  let sum = 0;
  return values.map((value) => (sum = fround(sum + value)));
}
