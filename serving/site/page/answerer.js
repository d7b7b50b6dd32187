// The worker in which models run, as the page sees it: it loads, is asked, and is replaced where nothing else stops it.

const PATIENCE_MS = 700; // for how long a call that nobody waits for may go on
const REMEMBERED = 20; // calls that the median is of

export class AnswererError extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

const noLonger = () => new DOMException("No longer wanted", "AbortError");

export class Answerer {
  #worker = null;
  #backend = null;
  #waiting = new Map(); // id to { resolve, reject, tell }
  #loading = { key: null, done: null };
  #last = 0;
  #seconds = []; // of the last calls, or tokens
  #unit = "call";

  // backend: { name, module, wasmPaths, providers, threads }. Another one needs another worker.
  use(backend) {
    if (this.#backend?.name === backend.name) return;
    this.#end(noLonger());
    this.#backend = backend;
  }

  // Median seconds of the last calls, or tokens, of what is loaded, and of how many.
  get pace() {
    const sorted = this.#seconds.toSorted((a, b) => a - b);
    return { median: sorted.length ? sorted[(sorted.length - 1) >> 1] : null, count: sorted.length, unit: this.#unit };
  }

  // Loads a model unless it is there: { seconds, bytes }.
  load(entry, variant) {
    const key = `${entry.folder} ${variant}`;
    if (this.#loading.key !== key) {
      this.#seconds = [];
      const done = this.#call("load", { entry, variant });
      this.#loading = { key, done };
      done.catch(() => {
        if (this.#loading.done === done) this.#loading = { key: null, done: null }; // the next try is another one
      });
    }
    return this.#loading.done;
  }

  async ask({ entry, variant, task, body }, signal) {
    await this.#loaded(entry, variant, signal);
    const value = await this.#call("ask", { task, body }, { signal });
    this.#note(value.seconds, "call");
    return value;
  }

  // { name, data }: events `token`, then one `done`.
  async *events({ entry, variant, task, body }, signal) {
    await this.#loaded(entry, variant, signal);
    const come = [];
    let wake = () => {};
    const tell = (event) => {
      come.push(event);
      wake();
    };
    let ended = false;
    let failed = null;
    this.#call("write", { task, body }, { signal, tell })
      .catch((error) => (failed = error))
      .finally(() => {
        ended = true;
        wake();
      });
    while (come.length || !ended) {
      if (!come.length) await new Promise((resolve) => (wake = resolve));
      for (const event of come.splice(0)) {
        if (failed?.name === "AbortError") break;
        if (event.name === "token") this.#note(event.seconds, "token");
        yield event;
      }
    }
    if (failed) throw failed;
  }

  #loaded(entry, variant, signal) {
    return new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(noLonger()));
      this.load(entry, variant).then(resolve, reject);
    });
  }

  #note(seconds, unit) {
    if (unit !== this.#unit) this.#seconds = [];
    this.#unit = unit;
    this.#seconds = [...this.#seconds.slice(1 - REMEMBERED), seconds];
  }

  #call(kind, given, { signal = null, tell = () => {} } = {}) {
    if (signal?.aborted) return Promise.reject(noLonger());
    this.#start();
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, tell });
      this.#worker.postMessage({ id, kind, ...given });
      signal?.addEventListener("abort", () => this.#cancel(id, reject));
    });
  }

  // The worker ends a text between two tokens. A call that it does not come back from is ended with the worker.
  #cancel(id, reject) {
    if (!this.#waiting.has(id)) return;
    reject(noLonger());
    this.#worker.postMessage({ id, kind: "cancel" });
    const worker = this.#worker;
    setTimeout(() => {
      if (this.#waiting.has(id) && this.#worker === worker) this.#end(noLonger());
    }, PATIENCE_MS);
  }

  #start() {
    if (this.#worker) return;
    const { module, wasmPaths, providers, threads } = this.#backend;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "keras_seq" });
    this.#worker.addEventListener("message", ({ data }) => this.#hear(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault?.();
      const why = event.message ? `: ${event.message}` : ". Is the site whole, and is the network there?";
      this.#end(new AnswererError(`The worker that models run in ended${why}`));
    });
    this.#worker.postMessage({ kind: "start", module, wasmPaths, providers, threads });
  }

  #hear({ id, value, event, error }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (event) return waiting.tell(event);
    this.#waiting.delete(id);
    if (error) waiting.reject(new AnswererError(error.message, error.code));
    else waiting.resolve(value);
  }

  #end(error) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#loading = { key: null, done: null };
    this.#seconds = [];
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
