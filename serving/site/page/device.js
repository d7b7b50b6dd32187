// What runs on this device, on what, how fast; and what of it can be chosen.

import { byId, duration, fill, make } from "./dom.js";

const MOST_THREADS = 4; // models of sequences are small: more threads only wait for each other

const WHY_ONE_THREAD =
  "Threads need a page that is cross-origin isolated, which this one is not: its server sends neither " +
  "Cross-Origin-Opener-Policy: same-origin nor Cross-Origin-Embedder-Policy: require-corp. `keras-seq web --serve` sends " +
  "both. Once the site is kept on this device it sends them to itself: reload the page.";
const WHY_NO_GPU = "This browser gives pages no graphics processor (it has no WebGPU).";

const size = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

// Every way to run models that the site has; `why`: why this browser cannot go it.
function backendsOf({ backends }) {
  const wasmPaths = new URL("./onnxruntime/", document.baseURI).href;
  const of = ({ module }) => ({ module: new URL(module, document.baseURI).href, wasmPaths });
  const wasm = { ...of(backends.wasm), providers: ["wasm"], bytes: backends.wasm.bytes, title: "WebAssembly" };
  const threads = Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS);
  const found = [{ ...wasm, name: "wasm-1", threads: 1, text: "1 thread" }];
  if (threads > 1) {
    const why = globalThis.crossOriginIsolated ? null : WHY_ONE_THREAD;
    found.push({ ...wasm, name: "wasm-n", threads, text: `${threads} threads`, why });
  }
  if (backends.webgpu) {
    found.push({
      ...of(backends.webgpu),
      name: "webgpu",
      providers: ["webgpu", "wasm"],
      bytes: backends.webgpu.bytes,
      threads: 1,
      title: "WebGPU",
      text: "graphics processor",
      why: navigator.gpu ? null : WHY_NO_GPU,
    });
  }
  return found;
}

function choice(id, label, options, changed) {
  const items = options.map(({ value, text, disabled = false }) => make("option", { value, disabled }, text));
  const select = make("select", { id, onchange: changed }, ...items);
  return make("div", { class: "field narrow", id: `${id}-field` }, make("label", { for: id }, label), select);
}

function tile(id, label) {
  const main = make("strong");
  const more = make("span");
  const box = make("div", { class: "tile" }, make("dt", {}, label), make("dd", { id }, main, " ", more));
  return { box, main, more };
}

function write({ main, more }, text, detail) {
  main.textContent = text;
  more.textContent = detail;
}

// Args: what site.json says; who answers; what keeping gave; again: loads once more what is chosen.
export function showDevice(site, answerer, keeping, again) {
  const backends = backendsOf(site);
  const backend = () => backends.find(({ name }) => name === byId("backend").value);
  const choices = backends.map(({ name, text, why }) => ({ value: name, text, disabled: Boolean(why) }));
  const runs = choice("backend", "Runs on", choices, () => {
    answerer.use(backend());
    again();
  });
  document.querySelector("#form .fields").append(choice("variant", "Weights", [], again), runs);
  runs.hidden = backends.length < 2;

  const pace = tile("pace", "Answers");
  const engine = tile("engine", "Runs on");
  const weight = tile("weight", "Loaded");
  const network = tile("network", "Without a network");
  const reasons = [...new Set(backends.map(({ why }) => why).filter(Boolean)), keeping.why].filter(Boolean);
  const lines = reasons.map((why) => make("p", {}, why));
  const notes = make("details", { id: "notes", hidden: !lines.length }, make("summary", {}, "What is not to be had"), ...lines);
  const tiles = make("dl", { class: "tiles" }, ...[pace, engine, weight, network].map(({ box }) => box));
  const box = make("section", { id: "device", "aria-label": "On this device" }, tiles, notes);
  document.querySelector("main").prepend(box);

  let loads = 0; // only the last of several says what it weighs
  let rest = keeping.rest ?? null;
  if (keeping.why) write(network, "No", "not kept on this device");
  else write(network, "…", "being kept on this device");

  async function keepRest() {
    const keep = rest;
    rest = null;
    const { error } = await keep();
    if (error) write(network, "No", `not all of it is kept: ${error}`);
    else write(network, "Works", "kept on this device");
  }

  answerer.use(backend());
  return {
    variant: () => byId("variant").value,

    // The weights of a model, where there are several.
    offer({ variants }) {
      const before = byId("variant").value;
      fill(byId("variant"), ...variants.map((name) => make("option", { value: name }, name)));
      if (variants.includes(before)) byId("variant").value = before;
      byId("variant-field").hidden = variants.length < 2;
    },

    // Shows how a model is loaded. An error is shown by whoever asks the model.
    async loading(entry, loaded) {
      const mine = ++loads;
      const bytes = backend().bytes + entry.bytes[byId("variant").value];
      box.setAttribute("aria-busy", "true");
      write(engine, backend().title, backend().text);
      write(weight, size(bytes), "…");
      this.refresh();
      try {
        const { seconds } = await loaded;
        if (mine !== loads) return;
        write(weight, size(bytes), `in ${duration(seconds)}`);
      } catch {
        if (mine === loads) write(weight, "Failed", "");
      } finally {
        if (mine === loads) box.setAttribute("aria-busy", "false");
        if (rest) keepRest(); // what was asked for first comes first
      }
    },

    refresh() {
      const { median, count: calls, unit } = answerer.pace;
      if (median === null) write(pace, "–", "nothing asked yet");
      else write(pace, duration(median), calls > 1 ? `a ${unit}, median of ${calls}` : `a ${unit}`);
    },
  };
}
