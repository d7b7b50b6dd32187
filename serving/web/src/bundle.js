// A bundle: its manifest, read and checked, and the way to its files.

import { BundleError, kindOf, listed, messageOf, show } from "./errors.js";
import { lacking } from "./file_spec.js";
import { Manifest } from "./manifest.js";
import { loadTokenizer } from "./text/tokenizer_file.js";

/** @typedef {import("./graph_spec.js").GraphSpec} GraphSpec */
/** @typedef {import("./text/tokenizer_file.js").Tokenizer} Tokenizer */
/**
 * @typedef {object} Source Where the files of a bundle come from; `folder` of `keras-seq/node` is one.
 * @property {(path: string) => Promise<Uint8Array | null>} read the content of a file of the bundle; null where there
 *   is none
 * @property {string} [name] what messages call the place
 */
/**
 * @typedef {object} BundleOptions
 * @property {typeof globalThis.fetch} [fetch] in the place of the platform's
 * @property {boolean} [checkFiles] compare size and SHA-256 of each file with the manifest as it is read
 */

export const MANIFEST_FILE = "bundle.json";

/** @type {Record<string, string>} */
const HOW = {
  step: " Export the model with `streaming=True`.",
  model: " Export the model with 'onnx' among `formats`.",
  generate: " Export a model that decodes, with `generate=` and a strategy such as BeamSearch().",
};

/** A bundle, as docs/bundle.md describes it; make one with `Bundle.load`. */
export class Bundle {
  #source;
  #checkFiles;

  /**
   * @param {Required<Source>} source
   * @param {Manifest} manifest
   * @param {boolean} checkFiles
   */
  constructor(source, manifest, checkFiles) {
    this.#source = source;
    this.#checkFiles = checkFiles;
    this.manifest = manifest;
    /** Input name to the tokenizer of its texts; `target` for what `generate` gives, where it is another. @type {Record<string, Tokenizer>} */
    this.tokenizers = {};
  }

  /**
   * Reads a bundle: `bundle.json` and the tokenizers. Graphs are read by what runs them.
   * @param {string | URL | Source} source the address of its folder, relative to the page; or what reads its files
   * @param {BundleOptions} [options]
   */
  static async load(source, { fetch = globalThis.fetch, checkFiles = true } = {}) {
    const from = sourceOf(source, fetch);
    try {
      const data = await from.read(MANIFEST_FILE);
      if (data === null) {
        throw new BundleError(
          `it is not a bundle, as it has no ${MANIFEST_FILE}. Give the folder that ` +
            "`keras_seq.export.export_model` wrote.",
        );
      }
      const bundle = new Bundle(from, Manifest.parse(data), checkFiles);
      /** @type {Map<string, Promise<Tokenizer>>} */
      const read = new Map();
      const load = async (/** @type {string} */ file) => loadTokenizer(await bundle.#read(file), `${from.name}/${file}`);
      for (const { file } of Object.values(bundle.manifest.tokenizers)) {
        if (!read.has(file)) read.set(file, load(file));
      }
      await Promise.all(read.values()); // one failure is enough, and none goes unheard
      const named = Object.entries(bundle.manifest.tokenizers).map(async ([name, { file }]) => [name, await read.get(file)]);
      bundle.tokenizers = Object.fromEntries(await Promise.all(named));
      return bundle;
    } catch (error) {
      throw said(error, from.name);
    }
  }

  /** What messages call the place that the bundle is from. */
  get name() {
    return this.#source.name;
  }

  /** What the exporter's caller gave along: task, labels, vocabularies. */
  get metadata() {
    return this.manifest.metadata;
  }

  /** Output name to what the entries of its last axis stand for. */
  get labels() {
    return this.manifest.labels;
  }

  /**
   * The entry of a graph.
   * @param {string} name
   * @returns {GraphSpec}
   */
  graph(name) {
    const { graphs } = this.manifest;
    if (!Object.hasOwn(graphs, name)) {
      const decodes = name === "model" && Object.hasOwn(graphs, "generate");
      const how = decodes ? " Give graph: 'generate'." : Object.hasOwn(HOW, name) ? HOW[name] : "";
      throw new BundleError(`${this.name} has no graph ${show(name)}. It has: ${listed(Object.keys(graphs))}.${how}`);
    }
    return graphs[name];
  }

  /**
   * The content of a file that the manifest lists.
   * @param {string} file
   */
  async read(file) {
    try {
      return await this.#read(file);
    } catch (error) {
      throw said(error, this.name);
    }
  }

  /** @param {string} file */
  async #read(file) {
    if (!Object.hasOwn(this.manifest.files, file)) {
      throw new BundleError(`The manifest lists no file ${show(file)}. It lists: ${listed(Object.keys(this.manifest.files))}.`);
    }
    const data = await this.#source.read(file);
    if (data === null) throw lacking(file, `${this.name}/${file}`);
    if (this.#checkFiles) await this.manifest.files[file].check(data, file);
    return data;
  }

  toString() {
    return `bundle ${show(this.manifest.name)} in ${this.name} (graphs: ${listed(Object.keys(this.manifest.graphs))})`;
  }
}

/**
 * The error, with the place of the bundle before what it says.
 * @param {unknown} error
 * @param {string} place
 */
const said = (error, place) => new BundleError(`${place}: ${messageOf(error)}`, { cause: error });

/**
 * @param {unknown} source
 * @param {typeof globalThis.fetch} fetch
 * @returns {Required<Source>}
 */
function sourceOf(source, fetch) {
  if (typeof source === "string" || source instanceof URL) return addressed(source, fetch);
  const given = /** @type {Source | null} */ (source);
  if (typeof given?.read !== "function") {
    throw new BundleError(
      "A bundle must be given as the address of its folder, or as an object with a function `read`, such as " +
        `folder(path) of 'keras-seq/node'. Received: ${kindOf(source)}.`,
    );
  }
  return { read: (path) => given.read(path), name: given.name ?? "the bundle" };
}

/**
 * A bundle on a server.
 * @param {string | URL} address
 * @param {typeof globalThis.fetch} fetch
 * @returns {Required<Source>}
 */
function addressed(address, fetch) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  /** @type {URL} */
  let url;
  try {
    url = new URL(address, base);
  } catch {
    throw new BundleError(
      `${show(String(address))} is no address. In Node, a folder on the disk is read by folder(path) of ` +
        "'keras-seq/node': Bundle.load(folder(path)).",
    );
  }
  if (url.protocol === "file:") {
    throw new BundleError(
      `${url.href}: browsers do not let a page that was opened as a file read other files. Serve the folder, for one ` +
        "with `python -m http.server`, and open the address that it prints. In Node: Bundle.load(folder(path)) with " +
        "folder of 'keras-seq/node'.",
    );
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const { search } = url; // such as a token, which every file of the folder needs
  const name = url.href.slice(0, url.href.length - search.length - url.hash.length).replace(/\/$/, "");
  return {
    name,
    async read(path) {
      const place = `${name}/${path.split("/").map(encodeURIComponent).join("/")}${search}`;
      let response;
      try {
        response = await fetch(place);
        if (response.ok) return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        throw new BundleError(
          `${place} cannot be read: ${messageOf(error)}. Is the server running, is the network there, and may pages ` +
            "of this origin read from it?",
          { cause: error },
        );
      }
      if (response.status === 404 || response.status === 410) return null;
      throw new BundleError(`${place} cannot be read: the server answered ${response.status} ${response.statusText}.`);
    },
  };
}
