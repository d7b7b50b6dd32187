// Generator: the hypotheses and the tokens of Python, for every seed.

import assert from "node:assert/strict";
import test from "node:test";

import { BundleError, Generator, InputError, Stream } from "../../../../serving/web/index.js";
import { assertSame, cases, inJavaScript, load, runtime } from "./helpers.js";

const { generators, refused = [] } = cases();
const options = await runtime({ given: false });

async function collect(tokens) {
  const found = [];
  for await (const token of tokens) found.push(token);
  return found;
}

for (const { name, bundle, variant, asked, streamed } of generators) {
  test(`${name}: ${asked.length} batches`, async () => {
    const generator = await Generator.create(await load(bundle), { ...options, variant });
    for (const [i, { sources, texts, settings, hypotheses }] of asked.entries()) {
      const found = texts ? await generator.generateText(texts, settings) : await generator.generate(sources, settings);
      assertSame(found, hypotheses, `batch ${i}`);
    }
    await generator.close();
  });
  if (!streamed.length) continue;
  test(`${name}: ${streamed.length} texts, token by token`, async () => {
    const generator = await Generator.create(await load(bundle), { ...options, variant });
    for (const [i, { prompt, settings, tokens }] of streamed.entries()) {
      assertSame(await collect(generator.stream(prompt, settings)), tokens, `text ${i}`);
    }
    // Side by side they do not disturb each other.
    const some = streamed.slice(0, 5);
    const found = await Promise.all(some.map(({ prompt, settings }) => collect(generator.stream(prompt, settings))));
    assertSame(found, some.map(({ tokens }) => tokens));
    await generator.close();
    await assert.rejects(async () => generator.stream(streamed[0].prompt), { name: "ServingError", message: /is closed/ });
  });
}

for (const { name, bundle, asked } of refused) {
  test(`what is refused, in the words of Python: ${name}`, async () => {
    const generator = await Generator.create(await load(bundle), options);
    for (const { prompt, texts, settings, kind, message } of asked) {
      // At once, and not from the iterator.
      const ask = async () => (texts ? generator.generateText(texts, settings) : void generator.stream(prompt, settings));
      await assert.rejects(ask, (error) => {
        assert.equal(error.message, inJavaScript(message));
        assert.ok(error instanceof { BundleError, InputError }[kind], error.name);
        return true;
      });
    }
    await generator.close();
  });
}

test("nothing is computed beyond what is asked for", async (context) => {
  const { bundle, streamed } = generators.find((one) => one.streamed.some(({ tokens }) => tokens.length > 3));
  const { prompt, settings } = streamed.find(({ tokens }) => tokens.length > 3);
  const generator = await Generator.create(await load(bundle), options);
  const feed = context.mock.method(Stream.prototype, "feed");
  let count = 0;
  for await (const { id } of generator.stream(prompt, settings)) {
    assert.ok(Number.isInteger(id));
    count += 1;
    if (count === 2) break;
  }
  assert.equal(feed.mock.callCount(), 2);
  await generator.close();
});

test("what gives no hypotheses is run by others", async () => {
  const { bundle } = generators.find((one) => one.streamed.length);
  await assert.rejects(async () => Generator.create(await load(bundle), { ...options, graph: "step" }), {
    name: "BundleError",
    message: /gives no hypotheses, which are the outputs 'ids', 'lengths', 'scores', 'finished'\. It gives: /,
  });
});
