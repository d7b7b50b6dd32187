// Predictor: the answers of Python, to whatever it was asked there.

import assert from "node:assert/strict";
import test from "node:test";

import { BundleError, Predictor, ServingError, Tensor } from "../../../../serving/web/index.js";
import { assertSame, cases, inJavaScript, load, runtime } from "./helpers.js";

const { predictors = [], alone = null, unloadable = [] } = cases();
const options = await runtime();

for (const { name, bundle, graph, variant, batches, refused } of predictors) {
  const create = async () => Predictor.create(await load(bundle), { ...options, graph, variant });
  test(`${name}: ${batches.length} batches`, async () => {
    const predictor = await create();
    for (const [i, { inputs, texts, settings, answer }] of batches.entries()) {
      const found = texts ? await predictor.predictText(texts, settings) : await predictor.predict(inputs, settings);
      assertSame(found, answer, `batch ${i}`);
    }
    await predictor.close();
    const [{ inputs, texts }] = batches;
    const again = texts ? predictor.predictText(texts) : predictor.predict(inputs);
    await assert.rejects(again, { name: "ServingError", message: /is closed. Make a new one/ });
  });
  if (!refused.length) continue;
  test(`${name}: what is refused, in the words of Python`, async () => {
    const predictor = await create();
    for (const { inputs, texts, settings, message } of refused) {
      const asked = texts !== undefined ? predictor.predictText(texts, settings) : predictor.predict(inputs, settings);
      await assert.rejects(asked, (error) => {
        assert.equal(error.message, inJavaScript(message));
        assert.equal(error.name, "InputError");
        return true;
      });
    }
    await predictor.close();
  });
}

if (alone) {
  test("values may come in any form that loses nothing", async () => {
    const predictor = await Predictor.create(await load(alone.bundle), options);
    const { words, shapes } = alone;
    const whole = await predictor.predict({ words, shapes });
    const forms = [
      { words: new Tensor(BigInt64Array.from(words.data, BigInt), words.dims), shapes: { data: shapes.data, dims: shapes.dims } },
      { words: { data: Float64Array.from(words.data).map(Number), dims: words.dims }, shapes, refused: /float64 is not cast to int32/ },
      { words: new Tensor(Uint8Array.from(words.data), words.dims), shapes: new Tensor(Float64Array.from(shapes.data), shapes.dims) },
      { words: new options.ort.Tensor("int32", words.data, words.dims), shapes: new options.ort.Tensor("float32", shapes.data, shapes.dims) },
    ].filter(Boolean);
    for (const { refused, ...inputs } of forms) {
      if (refused) await assert.rejects(predictor.predict(inputs), { name: "InputError", message: refused });
      else assertSame(await predictor.predict(inputs), whole);
    }
    const rows = await predictor.predict({ words: words.toNested(), shapes: shapes.toNested() });
    assertSame(rows.tags, whole.tags.toNested().map((_, i) => whole.tags.row(i)));
    const typed = Array.from({ length: words.dims[0] }, (_, i) => words.row(i).data);
    assertSame((await predictor.predict({ words: typed, shapes })).tags, rows.tags);
    const big = words.toNested().map((row) => row.map(BigInt));
    assertSame((await predictor.predict({ words: big, shapes })).tags, rows.tags);
    for (const wrong of [[[1.5]], [["a"]], [[null]], [[1, [2]]], [[undefined]], "text", null, undefined, [[2n ** 70n]]]) {
      await assert.rejects(predictor.predict({ words: wrong, shapes }), { name: "InputError", message: /^Input 'words': / });
    }
    await assert.rejects(predictor.predict({ words: [[Number.NaN]], shapes }), { message: /fractions would be lost/ });
    await predictor.close();
  });

  test("two threads answer as one does", async () => {
    // A module of its own, as a module has one number of threads.
    const file = "../../../../serving/web/node_modules/onnxruntime-web/dist/ort.node.min.mjs?threads";
    const ort = process.env.ORT === "native" ? options.ort : await import(new URL(file, import.meta.url).href);
    const one = await Predictor.create(await load(alone.bundle), options);
    const two = await Predictor.create(await load(alone.bundle), { ort, numThreads: 2 });
    assert.equal(two.session.numThreads, 2);
    const { words, shapes } = alone;
    assertSame(await two.predict({ words, shapes }), await one.predict({ words, shapes }));
    await one.close();
    await two.close();
  });

  test("many at once are answered as each alone", async () => {
    const predictor = await Predictor.create(await load(alone.bundle), options);
    const { words, shapes } = alone;
    const parts = Array.from({ length: words.dims[0] }, (_, i) => ({ words: words.slice(0, i, i + 1), shapes: shapes.slice(0, i, i + 1) }));
    const each = [];
    for (const part of parts) each.push(await predictor.predict(part));
    assertSame(await Promise.all(parts.map((part) => predictor.predict(part))), each);
    const last = predictor.predict(parts[0]);
    await predictor.close(); // what was asked before is answered
    assertSame(await last, each[0]);
    await assert.rejects(predictor.predict(parts[0]), ServingError);
  });
}

for (const { name, bundle, graph = "model", variant, message } of unloadable) {
  test(`what cannot be run: ${name}`, async () => {
    const asked = async () => Predictor.create(await load(bundle), { ...options, graph, variant });
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof BundleError, String(error));
      assert.match(error.message, new RegExp(message, "s"));
      return true;
    });
  });
}
