// One ONNX graph of a bundle and its signature.

import { BundleError, listed, shorten } from "./errors.js";
import { Fields } from "./fields.js";
import { checkRelative } from "./file_spec.js";
import { OptionSpec } from "./option_spec.js";
import { StateSpec, TensorSpec } from "./tensor_spec.js";

/**
 * @typedef {object} TextSpec The strings that a graph takes and gives besides its numbers.
 * @property {Record<string, string>} inputs name of a string input to the name of the input of ids it stands for
 * @property {string[]} outputs names of the string outputs
 */
/**
 * @typedef {object} VariantSpec Another file that computes the same.
 * @property {string} file
 * @property {number} nodes
 * @property {Record<string, number>} operators
 */

/**
 * A string that is not empty, such as a label or a name in a list.
 * @param {any} value
 * @param {string} where its path, for messages
 * @returns {string}
 */
export function readString(value, where) {
  if (typeof value !== "string" || !value) {
    throw new BundleError(
      `bundle.json: \`${where}\` must be a string that is not empty. Received: ${shorten(value)}.`,
    );
  }
  return value;
}

/** One graph entry of the manifest. */
export class GraphSpec {
  /** Path of the file, relative to the bundle. @type {string} */
  file;
  /** What a caller gives; states are not among them. @type {readonly TensorSpec[]} */
  inputs;
  /** What a caller gets; states are not among them. @type {readonly TensorSpec[]} */
  outputs;
  /** The states of a streaming graph. @type {readonly StateSpec[]} */
  states;
  /** @type {number} */
  nodes;
  /** Operator type to number of nodes. @type {Record<string, number>} */
  operators;
  /** Scalars that a caller may leave out. @type {readonly OptionSpec[]} */
  options;
  /** Name of a dynamic dimension of the inputs to its largest valid size. @type {Record<string, number>} */
  limits;
  /** How the graph searches for outputs, free in form; null for a graph that does not. @type {Record<string, any> | null} */
  decoding;
  /** The strings it takes and gives besides; null for numbers alone. @type {TextSpec | null} */
  text;
  /** Name to another file that computes the same, such as `int8`. @type {Record<string, VariantSpec>} */
  variants;

  /**
   * @param {any} value
   * @param {string} where
   */
  constructor(value, where) {
    const fields = new Fields(value, where);
    const text = fields.get("text", "object", { optional: true });
    this.file = checkRelative(fields.text("file"), fields.path("file"));
    this.inputs = fields.listOf("inputs", TensorSpec.fromJSON);
    this.outputs = fields.listOf("outputs", TensorSpec.fromJSON);
    this.states = fields.listOf("states", StateSpec.fromJSON);
    this.nodes = fields.integer("nodes");
    this.operators = fields.tableOf("operators", "integer");
    this.options = fields.listOf("options", OptionSpec.fromJSON, { optional: true });
    this.limits = fields.tableOf("limits", "integer", { optional: true });
    this.decoding = fields.get("decoding", "object", { optional: true });
    this.text = text && readText(text, fields.path("text"));
    this.variants = fields.mapOf("variants", readVariant, { optional: true });
    if (!this.inputs.length) fields.refuse("inputs", "a list with at least one tensor", []);
    if (!this.outputs.length) fields.refuse("outputs", "a list with at least one tensor", []);
    this.#check(fields);
    Object.freeze(this);
  }

  /** @param {Fields} fields */
  #check(fields) {
    const dynamic = this.inputs.flatMap((spec) => spec.shape.filter((dim) => typeof dim === "string"));
    for (const [dim, limit] of Object.entries(this.limits)) {
      if (!dynamic.includes(dim)) {
        throw new BundleError(
          `bundle.json: \`${fields.where}.limits\` must be about dynamic dimensions of the inputs: ` +
            `${listed(new Set(dynamic))}. Received: ${shorten(dim)}.`,
        );
      }
      if (limit < 1) fields.refuse(`limits.${dim}`, "at least 1", limit);
    }
    this.states.forEach((state, i) => {
      if (state.growingDim !== undefined && dynamic.includes(state.growingDim)) {
        throw new BundleError(
          `bundle.json: \`${fields.where}.states[${i}].shape\` must be fixed but for 'batch' and one dimension of its ` +
            `own that grows from zero; the inputs have these: ${listed(new Set(dynamic))}. ` +
            `Received: ${shorten([...state.shape])}.`,
        );
      }
    });
    const taken = [...this.inputNames, ...this.options.map((option) => option.name)];
    for (const [side, names] of /** @type {[string, string[]][]} */ ([["inputs", taken], ["outputs", this.outputNames]])) {
      const twice = twiceIn(names);
      if (twice.length) {
        const also = this.options.length && side === "inputs" ? ", options and states" : " and states";
        throw new BundleError(
          `bundle.json: \`${fields.where}\` uses a name twice among its ${side}${also}: ${listed(twice)}.`,
        );
      }
    }
    if (this.text) this.#checkText(this.text, fields.path("text"), taken);
  }

  /**
   * @param {TextSpec} text
   * @param {string} where
   * @param {string[]} taken
   */
  #checkText(text, where, taken) {
    const inputs = this.inputs.map((spec) => spec.name);
    for (const [name, standsFor] of Object.entries(text.inputs)) {
      if (!inputs.includes(standsFor)) {
        throw new BundleError(
          `bundle.json: \`${where}.inputs.${name}\` must be one of the graph's inputs: ${listed(inputs)}. ` +
            `Received: ${shorten(standsFor)}.`,
        );
      }
    }
    const sides = /** @type {[string, string[], string[]][]} */ ([
      ["inputs", Object.keys(text.inputs), taken],
      ["outputs", text.outputs, this.outputNames],
    ]);
    for (const [side, names, others] of sides) {
      const twice = names.filter((name, i) => others.includes(name) || names.indexOf(name) !== i);
      if (twice.length) {
        throw new BundleError(
          `bundle.json: \`${where}.${side}\` must have names that nothing else of the graph has. ` +
            `Received: ${listed(twice)}.`,
        );
      }
    }
  }

  /** Names of everything the graph takes: the inputs, then the states. */
  get inputNames() {
    return [...this.inputs.map((spec) => spec.name), ...this.states.map((state) => state.input)];
  }

  /** Names of everything the graph gives: the outputs, then the next states. */
  get outputNames() {
    return [...this.outputs.map((spec) => spec.name), ...this.states.map((state) => state.output)];
  }

  /**
   * The file of a variant, or of the graph as it stands.
   * @param {string | null} [variant]
   */
  fileOf(variant) {
    if (variant === undefined || variant === null) return this.file;
    if (!Object.hasOwn(this.variants, variant)) {
      throw new BundleError(
        `${this.file} has no variant ${shorten(variant)}. It has: ${listed(Object.keys(this.variants))}. Variants are ` +
          "written by export_model(..., quantize='int8') and export_model(..., ort_format=True).",
      );
    }
    return this.variants[variant].file;
  }
}

/** @param {string[]} names */
const twiceIn = (names) => [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];

/** @type {(value: any, where: string) => TextSpec} */
function readText(value, where) {
  const fields = new Fields(value, where);
  return { inputs: fields.tableOf("inputs", "string"), outputs: fields.listOf("outputs", readString) };
}

/** @type {(value: any, where: string) => VariantSpec} */
function readVariant(value, where) {
  const fields = new Fields(value, where);
  return {
    file: checkRelative(fields.text("file"), fields.path("file")),
    nodes: fields.integer("nodes"),
    operators: fields.tableOf("operators", "integer"),
  };
}
