// The schema of `bundle.json` (docs/bundle.md), read in one place.

import { BundleError, listed, messageOf, shorten } from "./errors.js";
import { Fields } from "./fields.js";
import { FileSpec, checkRelative } from "./file_spec.js";
import { GraphSpec, readString } from "./graph_spec.js";

/** The newest schema this reader knows. */
export const SCHEMA_VERSION = 2;

const LOWERINGS = ["native", "loop", "decode_loop", "fused", "plain", "traced"];
const UPGRADE = "Upgrade keras-seq: `npm install keras-seq@latest`, or write the site anew with a newer keras_seq.";

/** Everything `bundle.json` says. The fields are those of docs/bundle.md, under the same names. */
export class Manifest {
  /** @param {any} value parsed JSON */
  constructor(value) {
    this.schema_version = readVersion(value);
    const fields = new Fields(value);
    this.files = fields.mapOf("files", FileSpec.fromJSON);
    for (const name of Object.keys(this.files)) checkRelative(name, "files");
    this.graphs = fields.mapOf("graphs", (graph, where) => new GraphSpec(graph, where));
    for (const [name, graph] of Object.entries(this.graphs)) {
      this.#checkFile(fields, `graphs.${name}.file`, graph.file);
      for (const [variant, { file }] of Object.entries(graph.variants)) {
        this.#checkFile(fields, `graphs.${name}.variants.${variant}.file`, file);
      }
    }
    this.tokenizers = fields.mapOf("tokenizers", readTokenizer, { optional: true });
    for (const [name, { file }] of Object.entries(this.tokenizers)) {
      this.#checkFile(fields, `tokenizers.${name}.file`, file);
    }
    this.name = fields.text("name");
    this.created = fields.text("created");
    this.model = readModel(fields);
    /** @type {Record<string, string>} */
    this.versions = fields.tableOf("versions", "string");
    this.onnx = readOnnx(fields);
    this.saved_model = readSavedModel(fields);
    this.layers = fields.listOf("layers", readLayer);
    this.parity = fields.listOf("parity", readComparison);
    /** @type {Record<string, any>} */
    this.metadata = fields.get("metadata", "object");
    this.labels = fields.mapOf("labels", readLabels, { optional: true });
  }

  /**
   * @param {Fields} fields
   * @param {string} place
   * @param {string} file
   */
  #checkFile(fields, place, file) {
    if (!Object.hasOwn(this.files, file)) fields.refuse(place, "one of the names in `files`", file);
  }

  /**
   * Reads a manifest from the content of `bundle.json`.
   * @param {Uint8Array} data
   */
  static parse(data) {
    let value;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data));
    } catch (error) {
      const what = error instanceof SyntaxError ? "JSON" : "UTF-8 text";
      throw new BundleError(
        `bundle.json is not ${what}: ${messageOf(error)}. It is damaged or cut short: export the model again, or copy ` +
          "the bundle anew from where it is whole.",
        { cause: error },
      );
    }
    return new Manifest(value);
  }
}

/**
 * Refuses a manifest of another schema before any of its fields is read: they may mean something else there.
 * @param {any} value
 * @returns {number}
 */
function readVersion(value) {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, "schema_version")) {
    throw new BundleError(
      "bundle.json has no `schema_version`, so it is not the manifest of a keras_seq bundle. " +
        `Received: ${shorten(value)}.`,
    );
  }
  const version = new Fields(value).integer("schema_version", { minimum: 1 });
  if (version > SCHEMA_VERSION) {
    throw new BundleError(
      `The bundle has schema version ${version}; this keras-seq reads up to ${SCHEMA_VERSION}. ${UPGRADE}`,
    );
  }
  return version;
}

/** @type {(value: any, where: string) => { file: string }} */
function readTokenizer(value, where) {
  const fields = new Fields(value, where);
  return { file: checkRelative(fields.text("file"), fields.path("file")) };
}

/** @param {Fields} fields @returns {{ class: string, parameters: number, dtype_policy: string }} */
function readModel(fields) {
  const value = fields.get("model", "object");
  const model = new Fields(value, "model");
  model.text("class");
  model.integer("parameters");
  model.text("dtype_policy");
  return value;
}

/** @param {Fields} fields @returns {{ opset: number, ir_version: number, min_onnxruntime: string, portable?: boolean | null } | null} */
function readOnnx(fields) {
  const value = fields.get("onnx", "object", { optional: true });
  if (value !== null) {
    const onnx = new Fields(value, "onnx");
    onnx.integer("opset", { minimum: 1 });
    onnx.integer("ir_version", { minimum: 1 });
    onnx.text("min_onnxruntime");
    onnx.get("portable", "boolean", { optional: true });
  }
  return value;
}

/** @param {Fields} fields @returns {{ path: string, signatures: string[] } | null} */
function readSavedModel(fields) {
  const value = fields.get("saved_model", "object", { optional: true });
  if (value !== null) {
    const savedModel = new Fields(value, "saved_model");
    checkRelative(savedModel.text("path"), "saved_model.path");
    savedModel.get("signatures", "list");
  }
  return value;
}

/** @type {(value: any, where: string) => { name: string, class: string, lowering: string, operators: Record<string, number>, reason?: string | null }} */
function readLayer(value, where) {
  const layer = new Fields(value, where);
  layer.text("name");
  layer.text("class");
  const lowering = layer.text("lowering");
  if (!LOWERINGS.includes(lowering)) layer.refuse("lowering", `one of ${listed(LOWERINGS)}`, lowering);
  layer.tableOf("operators", "integer");
  layer.get("reason", "string", { optional: true });
  return value;
}

/** @type {(value: any, where: string) => Record<string, any>} */
function readComparison(value, where) {
  const row = new Fields(value, where);
  for (const name of ["reference", "candidate", "output"]) row.text(name);
  row.integer("cases");
  for (const name of ["max_abs_diff", "max_rel_diff", "atol", "rtol"]) row.get(name, "number");
  row.get("passed", "boolean");
  return value;
}

/** @type {(value: any, where: string) => string[]} */
function readLabels(value, where) {
  if (!Array.isArray(value) || !value.length) {
    throw new BundleError(
      `bundle.json: \`${where}\` must be a list of at least one label. Received: ${shorten(value)}.`,
    );
  }
  return value.map((label, i) => readString(label, `${where}[${i}]`));
}
