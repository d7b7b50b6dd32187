// What Node has and browsers do not: bundles in folders.

import { readFile } from "node:fs/promises";
import path from "node:path";

import { BundleError, messageOf } from "./src/errors.js";

/**
 * A bundle in a folder of the disk, for `Bundle.load`.
 * @param {string} folderPath
 * @returns {Required<import("./src/bundle.js").Source>}
 */
export function folder(folderPath) {
  return {
    name: folderPath,
    async read(file) {
      try {
        return new Uint8Array(await readFile(path.join(folderPath, file)));
      } catch (error) {
        const { code } = /** @type {NodeJS.ErrnoException} */ (error);
        if (code === "ENOENT" || code === "ENOTDIR") return null;
        throw new BundleError(`${path.join(folderPath, file)} cannot be read: ${messageOf(error)}.`, { cause: error });
      }
    },
  };
}
