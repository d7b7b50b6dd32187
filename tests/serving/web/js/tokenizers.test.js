// The twins of keras_seq.serving.text: the ids, tokens and texts that Python finds.

import assert from "node:assert/strict";
import test from "node:test";

import { BundleError, InputError, loadTokenizer } from "../../../../serving/web/index.js";
import { cases, inJavaScript } from "./helpers.js";

const { tokenizers = [], damaged = [] } = cases();

const plain = (rows) => JSON.stringify(rows);

for (const { name, document, texts, ids, tokens, splits, decoded, framed } of tokenizers) {
  const tokenizer = loadTokenizer(document);
  test(`${name}: the ids of ${texts.length} texts`, () => {
    const found = tokenizer.encode(texts);
    texts.forEach((text, i) => assert.equal(plain(found[i]), plain(ids[i]), `text ${i}: ${String(text).slice(0, 80)}`));
  });
  test(`${name}: tokens as they stand`, () => {
    const found = tokenizer.tokens(texts);
    texts.forEach((_, i) => assert.deepEqual(found[i], tokens[i], `text ${i}`));
    assert.equal(plain(texts.map((text) => tokenizer.split(text))), plain(splits));
  });
  test(`${name}: with start and end, and without`, () => {
    assert.equal(plain(tokenizer.encode(texts, { addStart: true, addEnd: false })), plain(framed));
  });
  if (decoded === null) continue;
  test(`${name}: texts of ids`, () => {
    assert.deepEqual(tokenizer.decode(ids), decoded);
    assert.deepEqual(tokenizer.decode(ids.map((row) => Int32Array.from(row))), decoded);
    assert.deepEqual(ids.map((row) => tokenizer.decode(row)), decoded);
    assert.deepEqual(ids.map((row) => [...tokenizer.pieces(row)].join("")), decoded);
  });
}

for (const { name, document, message } of damaged) {
  test(`a damaged file: ${name}`, () => {
    const content = typeof document === "string" ? new TextEncoder().encode(document) : document;
    assert.throws(
      () => loadTokenizer(content),
      (error) => {
        assert.ok(error instanceof BundleError);
        const ours = error.message.replaceAll("npm install keras-seq@latest", "pip install --upgrade keras_seq");
        assert.equal(ours.replaceAll("keras-seq", "keras_seq"), inJavaScript(message).replaceAll("keras-seq", "keras_seq"));
        return true;
      },
    );
  });
}

test("what is no text, and no id, is refused", () => {
  const tokenizer = loadTokenizer(tokenizers[0].document);
  assert.throws(() => tokenizer.encode("text"), { name: "InputError", message: /must come as a list. Received: 'text'/ });
  assert.throws(() => tokenizer.encode([]), { name: "InputError", message: /at least one string/ });
  assert.throws(() => tokenizer.encode({ a: 1 }), { name: "InputError", message: /a list of strings. Received: Object/ });
  assert.throws(() => tokenizer.encode(["a", 3]), { name: "InputError", message: /Text 1 must be a string. Received: number 3/ });
  for (const id of [-1, tokenizer.vocabularySize, 1.5, Number.NaN]) {
    assert.throws(() => tokenizer.decode([4, id]), InputError);
  }
  assert.throws(() => loadTokenizer(new TextEncoder().encode('{"schema_version": 1')), /is not JSON in UTF-8/);
});
