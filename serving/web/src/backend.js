// ONNX Runtime: which of its builds, how it is started, and with how many threads.

import { ServingError, listed, messageOf } from "./errors.js";

/**
 * @typedef {object} BackendOptions
 * @property {any} [ort] ONNX Runtime's module: `onnxruntime-web`, one of its parts, or `onnxruntime-node`. By default
 *   `onnxruntime-web/wasm`, or `onnxruntime-web/webgpu` where `providers` ask for it.
 * @property {readonly string[]} [providers] execution providers in order of preference; by default the CPU, through
 *   WebAssembly
 * @property {number} [numThreads] threads for one call. WebAssembly has one number for all sessions of a page, which the
 *   first sets; without cross-origin isolation it is 1.
 * @property {string | { mjs?: string | URL, wasm?: string | URL }} [wasmPaths] where the files of onnxruntime-web lie, if not beside its module
 */
/** @typedef {{ ort: any, native: boolean, providers: string[], numThreads: number }} Backend */

// A function that returns `i8x16.popcnt(i8x16.splat(0))`: valid where there are instructions on vectors.
const VECTORS = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];
const MOST_THREADS = 4; // more did not pay in small recurrent models

/** Threads that each module of ONNX Runtime for WebAssembly was started with. @type {WeakMap<object, number>} */
const started = new WeakMap();

const isNode = typeof process !== "undefined" && Boolean(process.versions?.node);

/**
 * Why there can be no WebAssembly threads here; empty where there can.
 */
export function whyOneThread() {
  if (isNode || globalThis.crossOriginIsolated) return "";
  return (
    "The page is not isolated from other origins, so it gets one thread. Send the headers " +
    "`Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp` with it."
  );
}

/** Why WebAssembly cannot run graphs here; empty where it can. */
export function whyNoWebAssembly() {
  if (typeof WebAssembly !== "object") {
    return "There is no WebAssembly here, in which models run. Use a current browser, and allow WebAssembly in it.";
  }
  if (!WebAssembly.validate(Uint8Array.from(VECTORS))) {
    return "WebAssembly has no SIMD here, which ONNX Runtime needs. Use a current browser.";
  }
  return "";
}

/**
 * ONNX Runtime, ready to make sessions.
 * @param {BackendOptions} options
 * @returns {Promise<Backend>}
 */
export async function startBackend({ ort, providers, numThreads, wasmPaths }) {
  if (numThreads !== undefined && !(Number.isInteger(numThreads) && numThreads > 0)) {
    throw new ServingError(`\`numThreads\` must be a positive integer or undefined. Received: ${numThreads}.`);
  }
  if (providers && !providers.length) throw new ServingError("`providers` must name at least one. Received: none.");
  const webgpu = providers?.includes("webgpu") ?? false;
  const module = ort ?? (await importRuntime(webgpu));
  const found = module.InferenceSession ? module : module.default; // what CommonJS exports
  if (typeof found?.InferenceSession?.create !== "function") {
    throw new ServingError("`ort` must be the module of onnxruntime-web or onnxruntime-node. It has no InferenceSession.");
  }
  const native = Boolean(found.env?.versions?.node);
  if (native) return { ort: found, native, providers: [...(providers ?? ["cpu"])], numThreads: numThreads ?? 0 };
  const why = whyNoWebAssembly();
  if (why) throw new ServingError(why);
  if (webgpu && !(/** @type {any} */ (globalThis.navigator)?.gpu)) {
    throw new ServingError("There is no WebGPU here. Leave it out of `providers`, or use a browser that has it.");
  }
  return { ort: found, native, providers: [...(providers ?? ["wasm"])], numThreads: prepare(found, numThreads, wasmPaths) };
}

// The build for Node, which starts threads there. In a variable, so that no bundler packs it into a page.
const FOR_NODE = "onnxruntime-web";

/** @param {boolean} webgpu */
async function importRuntime(webgpu) {
  try {
    if (isNode) return await import(FOR_NODE);
    return await (webgpu ? import("onnxruntime-web/webgpu") : import("onnxruntime-web/wasm"));
  } catch (error) {
    throw new ServingError(
      `onnxruntime-web cannot be imported: ${messageOf(error)}. Install it, map its name to its file by an import map, ` +
        "or give the module as `ort`.",
      { cause: error },
    );
  }
}

/**
 * Settings of the whole module, which count until its first session is made.
 * @param {any} ort
 * @param {number | undefined} numThreads
 * @param {BackendOptions["wasmPaths"]} wasmPaths
 */
function prepare(ort, numThreads, wasmPaths) {
  const before = started.get(ort);
  if (before !== undefined) {
    if (numThreads !== undefined && numThreads !== before) {
      throw new ServingError(
        `All sessions of WebAssembly share ${before} threads, which the first of them set. Received: ` +
          `numThreads=${numThreads}. Leave it out.`,
      );
    }
    return before;
  }
  const why = whyOneThread();
  if (why && numThreads !== undefined && numThreads > 1) {
    throw new ServingError(`There cannot be ${numThreads} threads here. ${why}`);
  }
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  const threads = numThreads ?? (why ? 1 : Math.min(MOST_THREADS, Math.ceil(cores / 2)));
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  started.set(ort, threads);
  return threads;
}

/** @type {Promise<unknown>} */
let last = Promise.resolve();

/**
 * Runs one thing after the other: WebAssembly holds one call at a time.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export function inTurn(work) {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

/**
 * What an error of ONNX Runtime means for who has no debugger.
 * @param {Backend} backend
 * @param {unknown} error
 */
export function whyNotStarted(backend, error) {
  const message = messageOf(error);
  if (!/no available backend found|backend not found|Failed to fetch dynamically imported|wasm streaming compile/i.test(message)) {
    return null;
  }
  return new ServingError(
    `ONNX Runtime could not start ${listed(backend.providers)}: ${message}. Its files ` +
      "(ort-wasm-simd-threaded.wasm and .mjs) must lie beside its module, or where `wasmPaths` says.",
    { cause: error },
  );
}
