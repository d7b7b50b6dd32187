// Stream: however a sequence is cut, here or half here and half in Python, the outputs are those of the whole.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";

import { ServingError, Stream, Tensor } from "../../../../serving/web/index.js";
import { CASES, assertSame, cases, inJavaScript, load, runtime } from "./helpers.js";

const { streams } = cases();
const options = await runtime({ given: false });

const parts = (inputs, cuts) =>
  cuts.slice(1).map((end, i) =>
    Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.slice(1, cuts[i], end)])),
  );

for (const { name, bundle, sequences, refused, forged } of streams) {
  test(`${name}: ${sequences.length} sequences, cut at random`, async () => {
    const first = await Stream.create(await load(bundle), options);
    for (const [i, { inputs, cuts, chunks, result }] of sequences.entries()) {
      const stream = first.new();
      for (const [j, part] of parts(inputs, cuts).entries()) assertSame(await stream.feed(part), chunks[j], `${i}.${j}`);
      assertSame(stream.result(), result, `result ${i}`);
      assertSame(stream.result(), result, `result ${i}, asked again`);
      assert.equal(stream.steps, cuts.at(-1));
      assert.equal(stream.batchSize, Object.values(inputs)[0].dims[0]);
      stream.reset();
      assert.equal(stream.batchSize, null);
      // Given all at once they wait for each other.
      const fed = await Promise.all(parts(inputs, cuts).map((part) => stream.feed(part)));
      assertSame(fed, chunks, `${i}, at once`);
      assertSame(stream.result(), result, `result ${i}, at once`);
    }
    await first.close();
    await assert.rejects(first.feed(sequences[0].inputs), { name: "ServingError", message: /is closed/ });
  });

  test(`${name}: on from where Python was, and back to Python`, async () => {
    const stream = await Stream.create(await load(bundle), options);
    for (const [i, { inputs, cuts, chunks, result, middle }] of sequences.entries()) {
      const all = parts(inputs, cuts);
      await stream.restore(readFileSync(path.join(CASES, `${name}.${i}.python`)));
      assert.equal(stream.steps, cuts[middle]);
      for (let j = middle; j < all.length; j++) assertSame(await stream.feed(all[j]), chunks[j], `${i}.${j}`);
      assertSame(stream.result(), result, `result ${i}`);
      stream.reset();
      for (const part of all.slice(0, middle)) await stream.feed(part);
      const saved = await stream.snapshot();
      writeFileSync(path.join(CASES, `${name}.${i}.javascript`), saved);
      const other = stream.new();
      await other.restore(saved.buffer);
      for (let j = middle; j < all.length; j++) assertSame(await other.feed(all[j]), chunks[j], `${i}.${j}`);
    }
    await stream.close();
  });

  test(`${name}: what is refused leaves the stream as it was`, async () => {
    const stream = await Stream.create(await load(bundle), options);
    const [{ inputs, cuts, chunks }] = sequences;
    assert.throws(() => stream.result(), { name: "ServingError", message: /no result yet/ });
    const all = parts(inputs, cuts);
    await stream.feed(all[0]);
    const before = await stream.snapshot();
    for (const { given, message } of refused) {
      await assert.rejects(stream.feed(given), (error) => {
        assert.equal(error.message, inJavaScript(message));
        return true;
      });
    }
    const bytes = new Uint8Array(before);
    for (const wrong of [new Uint8Array(0), bytes.slice(0, -1), bytes.map((byte, i) => (i === 90 ? byte ^ 1 : byte)), "text", null]) {
      await assert.rejects(stream.restore(wrong), { name: "InputError", message: /snapshot/ });
    }
    const foreign = streams.find((other) => other.name !== name);
    await assert.rejects(stream.restore(readFileSync(path.join(CASES, `${foreign.name}.0.python`))), {
      message: /The snapshot is of another bundle: its graph has SHA-256/,
    });
    for (const { bytes: wrong, message } of forged) {
      await assert.rejects(stream.restore(wrong), (error) => {
        assert.equal(error.message, inJavaScript(message));
        return true;
      });
    }
    assert.deepEqual(await stream.snapshot(), before);
    if (all.length > 1) assertSame(await stream.feed(all[1]), chunks[1]);
    await stream.close();
  });

  test(`${name}: an answer that comes after a reset is not taken`, async () => {
    const stream = await Stream.create(await load(bundle), options);
    const [{ inputs, cuts }] = sequences;
    const late = stream.feed(parts(inputs, cuts)[0]);
    await Promise.resolve();
    await Promise.resolve();
    stream.reset();
    await assert.rejects(late, ServingError);
    assert.equal(stream.steps, 0);
    await stream.close();
  });
}

test("without its outputs a stream holds no more than its states", async () => {
  const [{ bundle, sequences }] = streams;
  const stream = await Stream.create(await load(bundle), { ...options, keepOutputs: false });
  const [{ inputs, result }] = sequences;
  const whole = await stream.feed(inputs);
  assertSame(whole, result);
  assert.throws(() => stream.result(), { message: /keepOutputs: false, so the steps of 'tags' are gone/ });
  const saved = await stream.snapshot();
  await assert.rejects(stream.new({ keepOutputs: true }).restore(saved), { message: /could not be whole/ });
  await stream.new().restore(saved);
  whole.sentence.data.fill(0); // what is returned is the caller's own
  assert.deepEqual(await stream.snapshot(), saved);
  assert.ok(stream.nbytes > 0);
  assert.ok(whole.tags instanceof Tensor);
  await stream.close();
});
