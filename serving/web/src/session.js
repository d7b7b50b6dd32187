// One ONNX Runtime session over one graph of a bundle.

import { inTurn, startBackend, whyNotStarted } from "./backend.js";
import { DTYPES, fromHalf, toHalf } from "./dtypes.js";
import { BundleError, ServingError, listed, messageOf, shape, show } from "./errors.js";
import { onnxNodes, rewriteOnnx } from "./onnx_file.js";
import { isOrt, rewriteOrt } from "./ort_file.js";
import { Tensor } from "./tensor.js";

/** @typedef {import("./backend.js").Backend} Backend */
/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./dtypes.js").DType} DType */
/** @typedef {import("./graph_spec.js").GraphSpec} GraphSpec */
/** @typedef {import("./backend.js").BackendOptions & { variant?: string | null }} SessionOptions `variant` is another file of the graph, such as `int8` */

/** One graph of a bundle, loaded and ready; make one with `Session.create`. */
export class Session {
  #backend;
  /** @type {any} */
  #session;
  #texts;

  /**
   * @param {Bundle} bundle
   * @param {string} graph
   * @param {string | null} variant
   * @param {Backend} backend
   * @param {any} session of ONNX Runtime
   */
  constructor(bundle, graph, variant, backend, session) {
    this.bundle = bundle;
    this.graph = graph;
    this.variant = variant;
    this.spec = bundle.graph(graph);
    this.file = this.spec.fileOf(variant);
    this.providers = backend.providers;
    this.numThreads = backend.numThreads;
    this.#backend = backend;
    this.#session = session;
    this.#texts = Object.keys(this.spec.text?.inputs ?? {});
  }

  /**
   * @param {Bundle} bundle
   * @param {string} graph
   * @param {SessionOptions} [options]
   */
  static async create(bundle, graph, { variant = null, ...options } = {}) {
    const spec = bundle.graph(graph);
    const file = spec.fileOf(variant);
    const backend = await startBackend(options);
    const bytes = await bundle.read(file);
    let session;
    try {
      const rewritten = fedThroughout(bytes, spec);
      session = await inTurn(() => backend.ort.InferenceSession.create(rewritten, sessionOptions(backend)));
    } catch (error) {
      const needs = bundle.manifest.onnx?.min_onnxruntime ?? "unknown";
      const message = messageOf(error).trim().replace(/[.\s]*$/, ".");
      const where = wherefrom(message, bytes, bundle);
      throw (
        whyNotStarted(backend, error) ??
        new BundleError(
          `ONNX Runtime cannot load graph ${show(graph)} from ${bundle.name}/${file}: ${message}${where} The ` +
            `bundle asks for ONNX Runtime ${needs} or newer.`,
          { cause: error },
        )
      );
    }
    checkSignature(session, spec, graph, file);
    return new Session(bundle, graph, variant, backend, session);
  }

  /** @returns {any} */
  #live() {
    if (!this.#session) {
      throw new ServingError(`The session of graph ${show(this.graph)} of ${this.bundle.name} is closed. Make a new one.`);
    }
    return this.#session;
  }

  /**
   * Runs the graph.
   * @param {Record<string, Tensor>} feeds for every input, state and option; already checked
   * @returns {Promise<Record<string, Tensor>>} every output and next state
   */
  run(feeds) {
    const session = this.#live(); // which `close` leaves alone until its turn
    return inTurn(async () => {
      const { ort } = this.#backend;
      /** @type {Record<string, any>} */
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toRuntime(ort, tensor)]));
      // Tokenizers here make ids of texts, so that the tokens are known as they stand there.
      for (const name of this.#texts) tensors[name] = new ort.Tensor("string", [], [0]);
      try {
        const found = await session.run(tensors, this.spec.outputNames);
        return Object.fromEntries(this.spec.outputNames.map((name) => [name, fromRuntime(found[name])]));
      } catch (error) {
        const shapes = Object.entries(feeds).map(([name, tensor]) => `${show(name)}: ${shape(tensor.dims)}`);
        throw new ServingError(
          `ONNX Runtime failed on graph ${show(this.graph)} with inputs of shape {${shapes.join(", ")}}: ` +
            messageOf(error),
          { cause: error },
        );
      }
    });
  }

  /** Frees the graph, once calls in progress have come back. */
  async close() {
    const session = this.#session;
    this.#session = null;
    if (session) await inTurn(() => session.release());
  }
}

/**
 * The options every session has, as far as they exist here: those of keras_seq.serving.session.
 * @param {Backend} backend
 */
function sessionOptions({ native, providers, numThreads }) {
  const cpu = providers.length === 1 && (providers[0] === "cpu" || providers[0] === "wasm");
  return {
    executionProviders: providers,
    logSeverityLevel: 4, // errors are thrown; without this they are printed as well
    enableMemPattern: false, // it plans memory for each set of input shapes and keeps them all
    enableCpuMemArena: true,
    // A fusion that costs time on a CPU.
    extra: cpu ? { optimization: { disable_specified_optimizers: "SkipLayerNormFusion" } } : {},
    ...(native && numThreads ? { intraOpNumThreads: numThreads, interOpNumThreads: 1 } : {}),
  };
}

/**
 * The graph as one whose inputs must all be fed, and that gives numbers alone.
 * @param {Uint8Array} bytes
 * @param {GraphSpec} spec
 */
function fedThroughout(bytes, spec) {
  const fed = [...spec.options.map((option) => option.name), ...Object.values(spec.text?.inputs ?? {})];
  if (isOrt(bytes)) return fed.length ? rewriteOrt(bytes, fed) : bytes;
  if (!fed.length && !spec.text) return bytes;
  return rewriteOnnx(bytes, fed, spec.outputNames);
}

/**
 * Compares names and dtypes of the loaded graph with the manifest's.
 * @param {any} session
 * @param {GraphSpec} spec
 * @param {string} graph
 * @param {string} file
 */
function checkSignature(session, spec, graph, file) {
  /** @type {[string, string][]} */
  const states = spec.states.flatMap(({ input, output, dtype }) => [[input, dtype], [output, dtype]]);
  const text = [...Object.keys(spec.text?.inputs ?? {}), ...(spec.text?.outputs ?? [])];
  /** @type {Map<string, string>} */
  const said = new Map(states);
  for (const { name, dtype } of [...spec.inputs, ...spec.outputs, ...spec.options]) said.set(name, dtype);
  for (const name of text) said.set(name, "string");
  const sides = /** @type {[string, string[], string[], any[] | undefined][]} */ ([
    ["inputs", [...spec.inputNames, ...spec.options.map(({ name }) => name)], session.inputNames, session.inputMetadata],
    ["outputs", spec.outputNames, session.outputNames, session.outputMetadata],
  ]);
  for (const [side, names, found, metadata] of sides) {
    const types = new Map(metadata?.map(({ name, type }) => [name, type]) ?? []);
    const received = new Map(found.map((name) => [name, types.get(name) ?? said.get(name)]));
    const wrong = names.some((name) => received.get(name) !== said.get(name));
    const others = found.some((name) => !names.includes(name) && !text.includes(name));
    if (wrong || others) {
      const expected = new Map(names.map((name) => [name, said.get(name)]));
      throw new BundleError(
        `Graph ${show(graph)} (${file}) does not have the ${side} that bundle.json gives it. Expected: ` +
          `${table(expected)}. Received: ${table(received)}. Export the model again.`,
      );
    }
  }
}

/** @param {Map<string, unknown>} entries */
const table = (entries) => show(Object.fromEntries(entries));

/**
 * Which layers an operator that ONNX Runtime lacks came from, in words; empty where its error is of another kind.
 * @param {string} message
 * @param {Uint8Array} bytes
 * @param {Bundle} bundle
 */
function wherefrom(message, bytes, bundle) {
  const named = /node with name '([^']+)'/.exec(message) ?? /\bnode ?\(([^)]+)\)/i.exec(message);
  const lacks =
    /(?:([\w.]+):)?(\w+)\(-?\d+\) is not a registered/.exec(message) ??
    /No Op registered for()? (\w+) with domain/.exec(message);
  if (!named && !lacks) return "";
  let names = named ? [named[1]] : [];
  if (lacks && !isOrt(bytes)) {
    names = onnxNodes(bytes).filter((node) => node.operator === lacks[2]).map((node) => node.name);
  }
  const layers = [...new Set(names.map((name) => layerOf(name, bundle)))].filter(Boolean);
  const from = layers.length ? ` It comes from ${listed(layers)} of the model.` : "";
  const what = lacks ? ` This ONNX Runtime has no operator ${show(lacks[2])}.` : "";
  return `${what}${from} Leave the layer out, or export with standard operators alone: export_model(..., portable=True).`;
}

/**
 * The layer that a node came from: that of the manifest in whose path it lies, or else its own name.
 * @param {string} node
 * @param {Bundle} bundle
 */
function layerOf(node, bundle) {
  const path = `/${node}/`;
  const names = bundle.manifest.layers.map((layer) => layer.name);
  const inside = names.filter((name) => path.includes(`/${name.replaceAll(".", "/")}/`));
  return inside.sort((one, other) => other.length - one.length)[0] ?? node;
}

/**
 * @param {any} ort
 * @param {Tensor} tensor
 */
function toRuntime(ort, { dtype, data, dims }) {
  const values = dtype === "float16" ? Uint16Array.from(/** @type {Float32Array} */ (data), toHalf) : data;
  return new ort.Tensor(dtype, values, dims);
}

/** @param {any} found */
function fromRuntime({ type, data, dims }) {
  /** @type {DType} */
  const dtype = type;
  if (dtype !== "float16") return new Tensor(data, dims, dtype);
  const values = data instanceof Uint16Array ? Float32Array.from(data, fromHalf) : Float32Array.from(data);
  return new Tensor(new DTYPES.float16.array(values), dims, dtype);
}
