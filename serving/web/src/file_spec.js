// What a bundle knows of each of its files: size and SHA-256.

import { BundleError, show } from "./errors.js";
import { Fields } from "./fields.js";
import { sha256 } from "./sha256.js";

const AGAIN = "Export the model again, or copy the bundle anew from where it is whole.";

/**
 * Returns `name` if it is a plain relative path that stays inside the bundle, and raises otherwise.
 * @param {string} name
 * @param {string} where
 */
export function checkRelative(name, where) {
  const parts = name.split("/");
  const plain = parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (!plain || /[\\:\0]/.test(name)) {
    throw new BundleError(
      `bundle.json: \`${where}\` must be a relative path inside the bundle, with '/' between folders and without ` +
        `'..'. Received: ${show(name)}. The bundle is not one that keras_seq wrote: do not use it.`,
    );
  }
  return name;
}

export class FileSpec {
  /**
   * @param {string} digest hexadecimal, 64 lower-case digits
   * @param {number} bytes size in bytes
   */
  constructor(digest, bytes) {
    this.sha256 = digest;
    this.bytes = bytes;
    Object.freeze(this);
  }

  /**
   * @param {any} value
   * @param {string} where
   */
  static fromJSON(value, where) {
    const fields = new Fields(value, where);
    const digest = fields.text("sha256");
    if (!/^[0-9a-f]{64}$/.test(digest)) fields.refuse("sha256", "64 lower-case hexadecimal digits", digest);
    return new FileSpec(digest, fields.integer("bytes"));
  }

  /**
   * Compares a file's content with the spec; `name` is what messages call it.
   * @param {Uint8Array} data
   * @param {string} name
   */
  async check(data, name) {
    if (data.length !== this.bytes) {
      const how = data.length < this.bytes ? "truncated" : "longer than it was";
      throw new BundleError(
        `The bundle's file ${show(name)} is ${how}: expected ${this.bytes} bytes, received ${data.length}. ${AGAIN}`,
      );
    }
    const digest = await sha256(data);
    if (digest !== this.sha256) {
      throw new BundleError(
        `The bundle's file ${show(name)} was altered: expected SHA-256 ${this.sha256}, received ${digest}. ${AGAIN}`,
      );
    }
  }
}

/**
 * The error for a file that is not there.
 * @param {string} name
 * @param {string} place
 */
export const lacking = (name, place) =>
  new BundleError(`The bundle lacks its file ${show(name)} (looked for ${place}). ${AGAIN}`);
