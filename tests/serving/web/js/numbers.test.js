// Digests, halves, archives, tensors: what everything else stands on.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import { InputError, Tensor } from "../../../../serving/web/index.js";
import { fromHalf, toHalf } from "../../../../serving/web/src/dtypes.js";
import { crc32, readNpz, writeNpz } from "../../../../serving/web/src/npz.js";
import { digestOf, hex, sha256 } from "../../../../serving/web/src/sha256.js";
import { UniformStream } from "../../../../serving/web/src/uniform_stream.js";

test("SHA-256, the platform's and our own, is that of another library", async () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 100_003]) {
    const whole = Uint8Array.from({ length: length + 3 }, (_, i) => (i * 31 + length) % 251);
    const data = whole.subarray(3); // which does not lie where words begin
    const expected = createHash("sha256").update(data).digest("hex");
    assert.equal(hex(digestOf(data)), expected);
    assert.equal(await sha256(data), expected);
  }
});

test("every float16 is itself again, and what lies between goes to the nearest, of two to the even one", () => {
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const value = fromHalf(bits);
    if (Number.isNaN(value)) assert.ok(Number.isNaN(fromHalf(toHalf(value))));
    else assert.equal(toHalf(value), bits);
  }
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [fromHalf(bits), fromHalf(bits + 1)];
    assert.equal(toHalf((low + high) / 2), bits % 2 ? bits + 1 : bits);
    assert.equal(toHalf(low + (high - low) * 0.51), bits + 1);
    assert.equal(toHalf(low + (high - low) * 0.49), bits);
  }
  assert.equal(toHalf(65520), 0x7c00);
  assert.equal(toHalf(-65519), 0xfbff);
});

test("archives hold what was put into them, and damage is seen", () => {
  const arrays = {
    header: '{"name": "naïve \u{1f600}"}',
    floats: new Tensor(Float32Array.of(1.5, -2, 3e-8, 4, 5, 6), [1, 2, 3]),
    none: new Tensor(new Float32Array(0), [2, 0, 5]),
    halves: new Tensor(Float32Array.of(0.5, -65504), [2], "float16"),
    flags: new Tensor(Uint8Array.of(1, 0, 1), [3], "bool"),
    longs: new Tensor(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n), [2, 1]),
    scalar: new Tensor(Int32Array.of(7), []),
  };
  const archive = writeNpz(arrays);
  assert.deepEqual(readNpz(archive), arrays);
  for (let i = 0; i < archive.length; i += 7) {
    const damaged = archive.slice();
    damaged[i] ^= 0x41;
    let found;
    try {
      found = readNpz(damaged);
    } catch {
      continue;
    }
    // What no checksum covers: times, versions, names.
    for (const name of Object.keys(found)) if (name in arrays) assert.deepEqual(found[name], arrays[name]);
  }
  // As NumPy writes what lies with the first axis fastest.
  const other = new TextDecoder("latin1").decode(archive).replace("False, 'shape': (1, 2, 3), }", "True, 'shape': (1, 2, 3), } ");
  const bytes = Uint8Array.from(other, (letter) => letter.charCodeAt(0));
  const start = other.indexOf("floats.npy") + "floats.npy".length;
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(bytes.subarray(start, start + 128 + 24)));
  for (const place of [start - 10 - 16, other.lastIndexOf("floats.npy") - 30]) bytes.set(checksum, place);
  assert.deepEqual(readNpz(bytes).floats.toNested(), [[[1.5, Math.fround(3e-8), 5], [-2, 4, 6]]]);
  for (let length = 0; length < archive.length; length += 13) assert.throws(() => readNpz(archive.slice(0, length)));
});

test("tensors are cut, joined and written as lists", () => {
  const tensor = new Tensor(Float64Array.from({ length: 30 }, (_, i) => i), [2, 3, 5]);
  assert.deepEqual(tensor.slice(1, 1, 3).toNested(), [
    [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14]],
    [[20, 21, 22, 23, 24], [25, 26, 27, 28, 29]],
  ]);
  assert.deepEqual(tensor.slice(2, 4, 99).toNested(), [[[4], [9], [14]], [[19], [24], [29]]]);
  assert.deepEqual(tensor.row(1).toNested(), tensor.toNested()[1]);
  const parts = [tensor.slice(1, 0, 1), tensor.slice(1, 1, 1), tensor.slice(1, 1, 3)];
  assert.deepEqual(Tensor.concat(parts, 1), tensor);
  assert.deepEqual(new Tensor(new Float32Array(0), [2, 0, 3]).toNested(), [[], []]);
  assert.deepEqual(new Tensor(new Float32Array(0), [2, 3, 0]).toNested(), [[[], [], []], [[], [], []]]);
  assert.deepEqual(new Tensor(BigInt64Array.of(3n, 2n ** 60n)).toNested(), [3, 2n ** 60n]);
  assert.deepEqual(new Tensor(Uint8Array.of(1, 0), [1, 2], "bool").toNested(), [[true, false]]);
  assert.equal(new Tensor(Int32Array.of(7), []).toNested(), 7);
  assert.throws(() => new Tensor(Int32Array.of(7), [2]), InputError);
  assert.throws(() => new Tensor([1, 2]), /must be a typed array/);
  assert.throws(() => new Tensor(Int32Array.of(7), [1], "float32"), /suits its dtype/);
});

test("the random numbers are those of Python", () => {
  const stream = new UniformStream(7);
  assert.deepEqual([1, 2, 3].map(() => stream.next().toFixed(6)), ["0.042698", "0.014024", "0.744773"]);
});
