// NumPy's archives of arrays (.npz): written as NumPy reads them, and read as NumPy writes them, without compression.

import { DTYPES, fromHalf, toHalf } from "./dtypes.js";
import { shape } from "./errors.js";
import { Tensor, sizeOf } from "./tensor.js";

/** @typedef {import("./dtypes.js").DType} DType */

const ENTRY = 0x04034b50;
const LISTED = 0x02014b50;
const END = 0x06054b50;
const NPY = [0x93, ...Array.from("NUMPY", (letter) => letter.charCodeAt(0))];
const VERSION = 20;
/** The date that an archive without one has: the first of January 1980. */
const DATE = 0x21;

const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param {Uint8Array} data */
export function crc32(data) {
  let rest = 0xffffffff;
  for (const byte of data) rest = CRC[(rest ^ byte) & 255] ^ (rest >>> 8);
  return (rest ^ 0xffffffff) >>> 0;
}

/**
 * An archive of arrays.
 * @param {Record<string, Tensor | string>} arrays name to tensor, or to a string: an array of one, without axes
 */
export function writeNpz(arrays) {
  const files = Object.entries(arrays).map(([name, value]) => ({
    name: new TextEncoder().encode(`${name}.npy`),
    data: typeof value === "string" ? npyOfString(value) : npyOfTensor(value),
  }));
  const total = files.reduce((sum, { name, data }) => sum + 30 + 46 + 2 * name.length + data.length, 22);
  const archive = new Uint8Array(total);
  const view = new DataView(archive.buffer);
  let at = 0;
  /** @param {[bytes: number, value: number][]} numbers */
  const put = (numbers) => {
    for (const [bytes, value] of numbers) {
      if (bytes === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += bytes;
    }
  };
  /** @param {Uint8Array} data */
  const append = (data) => {
    archive.set(data, at);
    at += data.length;
  };
  const placed = files.map(({ name, data }) => {
    /** @type {[number, number][]} */
    const about = [[2, VERSION], [2, 0], [2, 0], [2, 0], [2, DATE], [4, crc32(data)], [4, data.length], [4, data.length], [2, name.length], [2, 0]];
    const start = at;
    put([[4, ENTRY], ...about]);
    append(name);
    append(data);
    return { name, about, start };
  });
  const listing = at;
  for (const { name, about, start } of placed) {
    put([[4, LISTED], [2, VERSION], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, start]]);
    append(name);
  }
  put([[4, END], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, at - listing], [4, listing], [2, 0]]);
  return archive;
}

/**
 * @param {string} descr
 * @param {readonly number[]} dims
 * @param {Uint8Array} data
 */
function npy(descr, dims, data) {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape(dims)}, }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const text = new TextEncoder().encode(`${header.padEnd(length - 1)}\n`);
  const file = new Uint8Array(10 + length + data.length);
  file.set([...NPY, 1, 0, length & 255, length >> 8]);
  file.set(text, 10);
  file.set(data, 10 + length);
  return file;
}

/** @param {Tensor} tensor */
function npyOfTensor({ dtype, data, dims }) {
  const values = dtype === "float16" ? Uint16Array.from(/** @type {Float32Array} */ (data), toHalf) : data;
  return npy(DTYPES[dtype].npy, dims, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** @param {string} text */
function npyOfString(text) {
  const codes = Uint32Array.from(text, (character) => /** @type {number} */ (character.codePointAt(0)));
  return npy(`<U${codes.length}`, [], new Uint8Array(codes.buffer));
}

/**
 * The arrays of an archive.
 * @param {Uint8Array} archive
 * @returns {Record<string, Tensor | string>}
 */
export function readNpz(archive) {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.length);
  let end = archive.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new Error("it has no list of its arrays");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  /** @type {[string, Tensor | string][]} */
  const arrays = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== LISTED) throw new Error("its list of arrays is damaged");
    if (view.getUint16(at + 10, true) !== 0) throw new Error("its arrays are compressed, and may be of any size");
    const [checksum, size] = [view.getUint32(at + 16, true), view.getUint32(at + 24, true)];
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const name = new TextDecoder().decode(archive.subarray(at + 46, at + 46 + nameLength));
    const start = view.getUint32(at + 42, true);
    const content = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    total += size;
    if (view.getUint32(start, true) !== ENTRY || content + size > archive.length) throw new Error("an array is cut short");
    if (total > archive.length) throw new Error("its arrays lie upon one another");
    const data = archive.subarray(content, content + size);
    if (crc32(data) !== checksum) throw new Error(`the checksum of ${name} does not match`);
    arrays.push([name.replace(/\.npy$/, ""), readNpy(data, name)]);
    at += 46 + nameLength + extra + comment;
  }
  return Object.fromEntries(arrays);
}

/**
 * @param {Uint8Array} file
 * @param {string} name
 * @returns {Tensor | string}
 */
function readNpy(file, name) {
  if (NPY.some((byte, i) => file[i] !== byte)) throw new Error(`${name} is no array of NumPy`);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const wide = file[6] > 1;
  const start = wide ? 12 : 10;
  const content = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(file.subarray(start, content));
  const descr = /'descr': '([^']*)'/.exec(header)?.[1] ?? "";
  const order = /'fortran_order': (True|False)/.exec(header)?.[1];
  const dims = /'shape': \(([\d, ]*)\)/.exec(header)?.[1].split(",").filter((dim) => dim.trim()).map(Number);
  if (!dims || !order) throw new Error(`the header of ${name} cannot be read`);
  const data = new Uint8Array(file.subarray(content)); // a copy, which lies where any typed array may begin
  const letters = /^<U(\d+)$/.exec(descr);
  if (letters && !dims.length && data.length === 4 * Number(letters[1])) {
    return Array.from(new Uint32Array(data.buffer), (code) => String.fromCodePoint(code)).join("");
  }
  const dtype = /** @type {DType[]} */ (Object.keys(DTYPES)).find((known) => DTYPES[known].npy === descr);
  if (!dtype) throw new Error(`${name} is of the type ${descr}, which no state has`);
  if (data.length !== sizeOf(dims) * DTYPES[dtype].bytes) throw new Error(`${name} is not as long as its shape says`);
  const values =
    dtype === "float16"
      ? Float32Array.from(new Uint16Array(data.buffer), fromHalf)
      : new DTYPES[dtype].array(data.buffer);
  const tensor = new Tensor(values, dims, dtype);
  return order === "True" ? inRows(tensor) : tensor;
}

/**
 * An array whose values lie with the first axis fastest, as one with the last axis fastest.
 * @param {Tensor} tensor
 */
function inRows({ data, dims, dtype }) {
  const rows = Tensor.full(dtype, dims);
  for (let i = 0; i < data.length; i++) {
    let [rest, place] = [i, 0];
    for (const dim of dims) {
      place = place * dim + (rest % dim);
      rest = Math.floor(rest / dim);
    }
    rows.data[place] = data[i];
  }
  return rows;
}
