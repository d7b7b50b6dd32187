// A stream's memory as bytes, in the form of keras_seq.serving.snapshot: a stream may go on in the other language.

import { InputError, kindOf, listed, messageOf, shape, shorten, show } from "./errors.js";
import { Fields } from "./fields.js";
import { readNpz, writeNpz } from "./npz.js";
import { hex, sha256 } from "./sha256.js";
import { Tensor } from "./tensor.js";

/** @typedef {import("./graph_spec.js").GraphSpec} GraphSpec */
/**
 * @typedef {object} Snapshot What `Stream.snapshot` saves.
 * @property {string} graphSha256 digest of the graph's file: states mean nothing to any other
 * @property {number} steps number of time steps fed so far
 * @property {boolean} keepsOutputs whether `outputs` holds all per-step outputs since the start
 * @property {Record<string, Tensor>} states state name to tensor
 * @property {Record<string, Tensor>} outputs output name to tensor
 */

const MAGIC = "keras_seq stream snapshot 1\n";
const KIND = "keras_seq stream snapshot";
const DIGEST_BYTES = 32;

/**
 * A line that says what it is, the SHA-256 of the rest, and a NumPy archive of the arrays and a JSON header.
 * @param {Snapshot} snapshot
 */
export async function toBytes({ graphSha256, steps, keepsOutputs, states, outputs }) {
  const header = {
    graph_sha256: graphSha256,
    steps,
    keeps_outputs: keepsOutputs,
    states: Object.keys(states),
    outputs: Object.keys(outputs),
  };
  const payload = writeNpz({
    header: JSON.stringify(header),
    // Numbered, as a state's name may hold characters that a file name in an archive may not.
    ...Object.fromEntries(Object.values(states).map((tensor, i) => [`state_${i}`, tensor])),
    ...Object.fromEntries(Object.values(outputs).map((tensor, i) => [`output_${i}`, tensor])),
  });
  const digest = await sha256(payload);
  const bytes = new Uint8Array(MAGIC.length + DIGEST_BYTES + payload.length);
  bytes.set(new TextEncoder().encode(MAGIC));
  bytes.set(digest.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [], MAGIC.length);
  bytes.set(payload, MAGIC.length + DIGEST_BYTES);
  return bytes;
}

/**
 * Reads what `toBytes` wrote, here or in Python.
 * @param {unknown} data
 * @returns {Promise<Snapshot>}
 */
export async function fromBytes(data) {
  const given = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
  if (!(given instanceof Uint8Array)) {
    throw new InputError(`A snapshot must be the bytes that \`snapshot()\` gave. Received: ${kindOf(given)}.`);
  }
  const line = String.fromCharCode(...given.subarray(0, MAGIC.length));
  if (line !== MAGIC) {
    const what = line.startsWith(KIND) ? "a snapshot of a newer keras_seq" : "not a stream's snapshot";
    throw new InputError(`These ${given.length} bytes are ${what}: expected them to start with ${show(MAGIC)}.`);
  }
  const payload = given.subarray(MAGIC.length + DIGEST_BYTES);
  if ((await sha256(payload)) !== hex(given.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES))) {
    throw new InputError(
      `The snapshot of ${given.length} bytes is damaged or cut short: its SHA-256 does not match. Use another copy.`,
    );
  }
  try {
    return read(payload);
  } catch (error) {
    throw new InputError(
      `These ${given.length} bytes begin as a stream's snapshot and do not go on as one: ${messageOf(error)}. Give what ` +
        "snapshot() gave, as it was.",
      { cause: error },
    );
  }
}

/**
 * @param {Uint8Array} payload
 * @returns {Snapshot}
 */
function read(payload) {
  const arrays = readNpz(payload);
  if (typeof arrays.header !== "string") throw new Error("it has no header");
  const header = new Fields(JSON.parse(arrays.header), "", "its header");
  /** @param {string} kind */
  const named = (kind) =>
    Object.fromEntries(
      header.listOf(`${kind}s`, (name) => String(name)).map((name, i) => {
        const tensor = arrays[`${kind}_${i}`];
        if (!(tensor instanceof Tensor)) throw new Error(`it has no array ${kind}_${i}`);
        return [name, tensor];
      }),
    );
  return {
    graphSha256: header.text("graph_sha256"),
    steps: header.integer("steps"),
    keepsOutputs: header.get("keeps_outputs", "boolean"),
    states: named("state"),
    outputs: named("output"),
  };
}

/**
 * Checks that a stream over this graph can stand so: what may come from anybody must not lead to anything that a chunk
 * could not have led to.
 * @param {Snapshot} snapshot
 * @param {GraphSpec} spec
 */
export function checkSnapshot({ steps, states, outputs }, spec) {
  const expected = spec.states.map((state) => state.name);
  const names = Object.keys(states);
  if (names.length && listed(names) !== listed(expected)) refuse("its states are", listed(names), listed(expected));
  if (Boolean(names.length) !== Boolean(steps)) refuse(`after ${steps} steps it has`, `${names.length} states`, "states if steps");
  for (const state of names.length ? spec.states : []) {
    const { dtype, dims, data } = states[state.name];
    const batch = states[expected[0]].dims[0] ?? 0;
    const wanted = state.shapeAfter(batch, steps);
    if (dtype !== state.dtype || shape(dims) !== shape(wanted) || !batch) {
      refuse(`state ${show(state.name)} is`, `${dtype} ${shape(dims)}`, `${state.dtype} ${shape(wanted)}`);
    }
    if (state.countsSteps && data.some((/** @type {any} */ value) => Number(value) !== steps)) {
      refuse(`state ${show(state.name)} counts`, shorten(states[state.name].toNested()), `${steps} in each row`);
    }
  }
  const known = spec.outputs.map((output) => output.name);
  if (!Object.keys(outputs).every((name) => known.includes(name))) {
    refuse("its outputs are", listed(Object.keys(outputs)), `some of ${listed(known)}`);
  }
}

/**
 * @param {string} what
 * @param {string} received
 * @param {string} expected
 * @returns {never}
 */
function refuse(what, received, expected) {
  throw new InputError(
    `The snapshot cannot be of this graph: ${what} ${received}. Expected: ${expected}. Give what snapshot() gave, as it ` +
      "was.",
  );
}
