// Where models run: beside the page, which stays awake. One model is loaded at a time.

import { Bundle, Generator, Predictor, ServingError } from "../keras_seq/index.js";
import { AnswerError, classified, generated, tagged } from "./answers.js";

let starting = null; // onnxruntime-web
let settings = null;
let model = null;
let work = Promise.resolve(); // requests one after the other
const cancelled = new Set();

addEventListener("message", ({ data }) => {
  if (data.kind === "start") {
    settings = data;
    starting = import(data.module);
    starting.catch(() => {}); // whoever waits for it hears of it
  } else if (data.kind === "cancel") cancelled.add(data.id);
  else work = work.then(() => answer(data));
});

const KINDS = { load, ask, write };

async function answer({ id, kind, ...given }) {
  try {
    const value = cancelled.has(id) ? null : await KINDS[kind](given, id);
    postMessage({ id, value });
  } catch (error) {
    if (!(error instanceof ServingError || error instanceof AnswerError)) console.error(error); // with where it is from
    postMessage({ id, error: { message: error.message, code: error.name === "Error" ? "" : error.name } });
  }
  cancelled.delete(id);
}

async function load({ entry, variant }) {
  const start = performance.now();
  await model?.close();
  model = null;
  const ort = await runtime();
  const bundle = await Bundle.load(new URL(entry.folder, new URL("../", import.meta.url)));
  model = await Model.create(bundle, entry, variant, ort);
  return { seconds: (performance.now() - start) / 1000 };
}

async function runtime() {
  try {
    return await starting;
  } catch (error) {
    starting = import(settings.module); // for the next try; this one may have met a network that was away
    starting.catch(() => {});
    throw new AnswerError(`ONNX Runtime cannot be loaded: ${error.message}. Is the site whole, and is the network there?`);
  }
}

class Model {
  static async create(bundle, entry, variant, ort) {
    const one = Object.assign(new Model(), { bundle, entry });
    const graphs = new Set(Object.values(entry.routes).map(({ graph }) => graph));
    const { providers, threads: numThreads, wasmPaths } = settings;
    const options = { ort, providers, numThreads, wasmPaths };
    for (const graph of graphs) {
      const has = Object.hasOwn(bundle.graph(graph).variants ?? {}, variant);
      const chosen = { ...options, variant: has ? variant : undefined };
      if (graph === "generate") one.generator = await Generator.create(bundle, chosen);
      else one.predictor = await Predictor.create(bundle, { ...chosen, graph });
    }
    await one.predictor?.predictText(["a"]); // the first call compiles what it needs, and takes ten times as long
    return one;
  }

  async close() {
    await this.predictor?.close();
    await this.generator?.close();
  }
}

const textsOf = (body) => ("text" in body ? [body.text] : body.texts);
const since = (start) => (performance.now() - start) / 1000;

async function ask({ task, body }) {
  const { entry, bundle } = model;
  const { graph, inputs } = entry.routes[task];
  const card = entry.card.tasks.find((one) => one.task === task);
  const texts = textsOf(body);
  const head = { model: entry.card.name, version: entry.card.version };
  const start = performance.now();
  if (graph === "generate") {
    const found = await model.generator.generateText(texts, body.options);
    const seconds = since(start);
    const tokens = bundle.tokenizers[inputs[0]].tokens(texts);
    const { target = null } = model.generator.tokenizers;
    return { ...head, seconds, results: generated(texts, tokens, found, target) };
  }
  const found = await model.predictor.predictText(texts, body.options);
  const seconds = since(start);
  const output = body.output ?? card.outputs[0].name;
  const { labels } = card.outputs.find(({ name }) => name === output);
  const results =
    task === "tag" ? tagged(texts, found, output, labels, inputs) : classified(texts, found, output, labels);
  return { ...head, output, seconds, results };
}

async function write({ task, body }, id) {
  const start = performance.now();
  const text = [];
  let last = null;
  let before = start;
  for await (const token of model.generator.stream(body.text, body.options)) {
    const now = performance.now();
    const data = { text: token.text, id: Number(token.id), log_prob: token.logProb };
    postMessage({ id, event: { name: "token", data, seconds: (now - before) / 1000 } });
    text.push(token.text ?? "");
    last = data.id;
    await breath(); // so that it is heard that somebody has read enough
    if (cancelled.has(id)) return;
    before = performance.now();
  }
  const finished = last === model.entry.routes[task].end_id;
  const data = { text: text.join(""), finished, tokens: text.length, seconds: since(start) };
  postMessage({ id, event: { name: "done", data } });
}

const { port1, port2 } = new MessageChannel();
port1.start();

// Lets messages in; a timer would wait for some milliseconds.
const breath = () =>
  new Promise((resolve) => {
    port1.addEventListener("message", resolve, { once: true });
    port2.postMessage(null);
  });
