// Runs a sequence chunk by chunk, with the states carried from one chunk to the next.

import { Bundle } from "./bundle.js";
import { DTYPES } from "./dtypes.js";
import { BundleError, InputError, ServingError, listed, show } from "./errors.js";
import { checkArray, checkLimits, checkSizes, nameInputs } from "./inputs.js";
import { Session } from "./session.js";
import { checkSnapshot, fromBytes, toBytes } from "./snapshot.js";
import { Tensor } from "./tensor.js";

/** @typedef {import("./bundle.js").Source} Source */
/** @typedef {import("./inputs.js").Value} Value */
/** @typedef {Record<string, Tensor>} Tensors */
/** @typedef {import("./session.js").SessionOptions & { graph?: string, keepOutputs?: boolean }} StreamOptions `keepOutputs` keeps every per-step output for `result()` */

/**
 * A sequence that arrives in chunks; make one with `Stream.create`. However it is cut, the outputs are those of the
 * whole. `stream.new()` gives another stream over the same graph in memory.
 */
export class Stream {
  #session;
  #keepOutputs;
  /** Output name to its axis of time. @type {Map<string, number>} */
  #perStep;
  /** A new object with each chunk: by it an answer knows whether it is in time. @type {Tensors} */
  #states = {};
  /** @type {Map<string, Tensor[]>} */
  #kept = new Map();
  #steps = 0;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {Session} session
   * @param {boolean} keepOutputs
   */
  constructor(session, keepOutputs) {
    this.#session = session;
    this.#keepOutputs = keepOutputs;
    const timed = session.spec.outputs.filter((spec) => spec.shape.includes("time"));
    this.#perStep = new Map(timed.map((spec) => [spec.name, spec.shape.indexOf("time")]));
  }

  /**
   * @param {Bundle | string | URL | Source} bundle a bundle exported with `streaming=True`, or what `Bundle.load` takes
   * @param {StreamOptions} [options]
   */
  static async create(bundle, { graph = "step", keepOutputs = true, ...options } = {}) {
    const loaded = bundle instanceof Bundle ? bundle : await Bundle.load(bundle);
    if (!loaded.graph(graph).states.length) {
      throw new BundleError(`Graph ${show(graph)} of ${loaded.name} carries no states: run it with \`Predictor\`.`);
    }
    return new Stream(await Session.create(loaded, graph, options), keepOutputs);
  }

  /**
   * Another stream, at its start, over the same graph in memory.
   * @param {{ keepOutputs?: boolean }} [options]
   */
  new({ keepOutputs = this.#keepOutputs } = {}) {
    return new Stream(this.#session, keepOutputs);
  }

  /** The bundle this stream runs. */
  get bundle() {
    return this.#session.bundle;
  }

  /** The graph: inputs, outputs, states. */
  get spec() {
    return this.#session.spec;
  }

  /** What `feed` takes. */
  get inputs() {
    return this.spec.inputs;
  }

  /** What `feed` gives. */
  get outputs() {
    return this.spec.outputs;
  }

  /** Number of sequences that run side by side, set by the first chunk; null before it. */
  get batchSize() {
    return Object.values(this.#states)[0]?.dims[0] ?? null;
  }

  /** Number of time steps fed since the start. */
  get steps() {
    return this.#steps;
  }

  /** Bytes of the states as they are now, without the outputs kept. */
  get nbytes() {
    return Object.values(this.#states).reduce((sum, { size, dtype }) => sum + size * DTYPES[dtype].bytes, 0);
  }

  /**
   * Runs the next chunk. Chunks given before the last one is back wait for it.
   * @param {Value | Record<string, Value>} inputs input name to value of shape `(batch, steps, ...)`, a tensor or nested
   *   lists. With a single input, the value itself will do.
   * @returns {Promise<Tensors>} for per-step outputs this chunk's steps, for the others their value after the chunk. The
   *   stream is as it was where this fails.
   */
  feed(inputs) {
    const done = this.#last.then(() => this.#feed(inputs));
    this.#last = done.catch(() => {});
    return done;
  }

  /** @param {unknown} inputs */
  async #feed(inputs) {
    const { spec } = this;
    const before = this.#states;
    const [feeds, rows, steps] = this.#read(inputs);
    for (const state of spec.states) {
      feeds[state.input] = before[state.name] ?? Tensor.full(state.dtype, state.shapeAfter(rows));
    }
    const whole = await this.#session.run(feeds);
    if (before !== this.#states) {
      throw new ServingError(
        "The answer is not that of this stream's next chunk: the stream was reset or restored after feed(). Feed the " +
          "chunk again.",
      );
    }
    this.#states = Object.fromEntries(spec.states.map((state) => [state.name, whole[state.output]]));
    this.#steps += steps;
    const outputs = Object.fromEntries(spec.outputs.map(({ name }) => [name, whole[name]]));
    for (const [name, tensor] of Object.entries(outputs)) {
      if (this.#perStep.has(name) && !this.#keepOutputs) continue;
      // Copies, as the caller may write into what is returned.
      const chunks = this.#kept.get(name);
      if (!chunks || !this.#perStep.has(name)) this.#kept.set(name, [tensor.copy()]);
      else chunks.push(tensor.copy());
    }
    return outputs;
  }

  /**
   * The next chunk, checked.
   * @param {unknown} inputs
   * @returns {[Tensors, number, number]} the inputs, how many rows, how many steps
   */
  #read(inputs) {
    const { spec } = this;
    const values = nameInputs(inputs, spec.inputs);
    const feeds = Object.fromEntries(spec.inputs.map((input) => [input.name, checkArray(values[input.name], input)]));
    const sizes = checkSizes(spec.inputs.map((input) => [input, feeds[input.name].dims]));
    if (this.batchSize !== null && this.batchSize !== sizes.batch) {
      throw new InputError(
        `Every chunk of a stream must have the batch size of the first, ${this.batchSize}. Received: ${sizes.batch}. ` +
          "Call reset() to start over, or new() for another stream.",
      );
    }
    for (const input of spec.inputs) checkLimits(feeds[input.name].dims, input, spec.limits);
    const steps = sizes.time ?? 1;
    const limit = Object.hasOwn(spec.limits, "time") ? spec.limits.time : Number.POSITIVE_INFINITY;
    if (this.#steps + steps > limit) {
      throw new InputError(
        `The stream is full: the model takes ${limit} steps at most, ${this.#steps} were fed, and this chunk has ` +
          `${steps}. Call reset() or new() to start over, or train and export a model that allows more.`,
      );
    }
    return [feeds, sizes.batch, steps];
  }

  /**
   * The outputs of everything fed since the start: per-step outputs end to end along `time`, the others as after the
   * latest chunk.
   * @returns {Tensors}
   */
  result() {
    if (!Object.keys(this.#states).length) {
      throw new ServingError("The stream has no result yet: feed() it a chunk first.");
    }
    if (this.#perStep.size && !this.#keepOutputs) {
      throw new ServingError(
        `The stream was made with keepOutputs: false, so the steps of ${listed(this.#perStep.keys())} are gone. Take ` +
          "them from what feed() returns, or make the stream with keepOutputs: true.",
      );
    }
    return Object.fromEntries(Object.entries(this.#joined()).map(([name, tensor]) => [name, tensor.copy()]));
  }

  /** What was kept, joined once: asking after every chunk must not take longer and longer. */
  #joined() {
    for (const [name, chunks] of this.#kept) {
      if (chunks.length > 1) this.#kept.set(name, [Tensor.concat(chunks, this.#perStep.get(name))]);
    }
    return Object.fromEntries([...this.#kept].map(([name, [tensor]]) => [name, tensor]));
  }

  /** Goes back to the start: states of zero, no outputs, any batch size. */
  reset() {
    this.#states = {};
    this.#kept = new Map();
    this.#steps = 0;
  }

  get #identity() {
    return this.bundle.manifest.files[this.#session.file].sha256;
  }

  /**
   * The stream as it stands, as bytes: `restore` goes on from there, here or in Python. Outputs kept so far are part of
   * it.
   * @returns {Promise<Uint8Array>}
   */
  snapshot() {
    return toBytes({
      graphSha256: this.#identity,
      steps: this.#steps,
      keepsOutputs: this.#keepOutputs,
      states: this.#states,
      outputs: this.#joined(),
    });
  }

  /**
   * Goes on from where `snapshot` was taken, whatever this stream held before. Where this fails, it is as it was.
   * @param {Uint8Array | ArrayBuffer} data what `snapshot` gave, of a stream over the same file of the same graph
   */
  async restore(data) {
    const snapshot = await fromBytes(data);
    if (snapshot.graphSha256 !== this.#identity) {
      throw new InputError(
        `The snapshot is of another bundle: its graph has SHA-256 ${snapshot.graphSha256}, and graph ` +
          `${show(this.#session.graph)} of ${this.bundle.name} has ${this.#identity}. Restore it with its own bundle.`,
      );
    }
    checkSnapshot(snapshot, this.spec);
    if (this.#perStep.size && this.#keepOutputs && !snapshot.keepsOutputs) {
      throw new InputError(
        "The snapshot was taken with keep_outputs=False, so result() could not be whole. Restore it into a stream made " +
          "with keepOutputs: false.",
      );
    }
    this.#states = { ...snapshot.states };
    this.#steps = snapshot.steps;
    const kept = Object.entries(snapshot.outputs).filter(([name]) => this.#keepOutputs || !this.#perStep.has(name));
    this.#kept = new Map(kept.map(([name, tensor]) => [name, [tensor]]));
  }

  /** Frees the graph, for every stream made from this one with `new` too. */
  async close() {
    await this.#session.close();
  }
}
