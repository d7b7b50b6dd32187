// The page: which model, which task, which text; has it answered, and shows what comes back.
//
// Who answers stands in client.js, of which there are two: the server's, which asks over HTTP, and that of the static
// site, which asks a worker of its own. Both have the same names:
//
//   WORDS                  what is said of them: while they are asked, where there is nothing to ask, over the command
//   install(page)          puts what they have beside into the page, before anything is asked; page: see `load`
//   models()               the cards of all models, as `GET /v1/models` gives them
//   chosen(model, task)    a model and one of its tasks were chosen; may give a promise, whose error is shown
//   ask(request, signal)   { value, roundTrip }; request: { model, version, task, body }, with the body of the HTTP API
//   events(request, signal)   { name, data }: events `token`, then one `done`
//   command(request)       the same request in words of a terminal or a program
//   timing(answer)         how long it took, in words
//   settled()              an answer is there, or an error

import { classified } from "./classes.js";
import * as client from "./client.js";
import { byId, count, duration, fill, make } from "./dom.js";
import { changedOptions, showOptions, toDefaults } from "./options.js";
import { tagged } from "./tags.js";
import { foundTexts, Writing } from "./texts.js";

const TASKS = {
  tag: {
    verb: "Tag",
    label: "Text",
    about: "Each token gets its likeliest label.",
    examples: ["The dog barks at the mail carrier.", "It rains, and nobody has an umbrella."],
  },
  classify: {
    verb: "Classify",
    label: "Text",
    about: "The whole text gets a probability for each class.",
    examples: ["A quiet film that stays with you for days.", "Two hours that I would like to have back."],
  },
  generate: {
    verb: "Generate",
    label: "Prompt",
    about: "The model goes on where the text stops.",
    examples: ["Once upon a time", "The next morning", ""],
  },
  translate: {
    verb: "Translate",
    label: "Source",
    about: "The best translations, and where each of their tokens looks.",
    examples: ["Tom has a dog.", "Where is the station?"],
  },
};

const state = { models: [], model: null, task: null, running: null };

const chosenTask = () => state.model?.tasks.find(({ task }) => task === state.task) ?? null;

// --- What can be chosen ---

function option(value, text = value, disabled = false) {
  return make("option", { value, disabled }, text);
}

async function load() {
  byId("summary").textContent = client.WORDS.asking;
  byId("request").querySelector("summary").textContent = client.WORDS.request;
  try {
    client.install({ run, rest, again, running: () => state.running !== null });
    showModels(await client.models());
  } catch (error) {
    byId("summary").textContent = "No answer";
    showError(error);
  }
  client.settled();
}

function showModels(models) {
  state.models = models.filter(({ tasks }) => tasks.length > 0);
  byId("summary").textContent = models.length ? client.WORDS.loaded(count(models.length, "model")) : "No model is loaded";
  const label = ({ name, tasks }) => (tasks.length ? name : `${name} (numbers only)`);
  fill(byId("model"), ...models.map((model) => option(model.name, label(model), model.tasks.length === 0)));
  const usable = state.models.length > 0;
  for (const id of ["model", "text", "run"]) byId(id).disabled = !usable;
  if (!usable) return showNothingToAsk(models.length);
  chooseByAddress();
}

function chooseByAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const model = state.models.find(({ name }) => name === wanted.get("model")) ?? state.models[0];
  choose(model, wanted.get("task"));
}

function showNothingToAsk(loaded) {
  const text = "Export them with tokenizer=, and with labels= what tags or classifies; then they take text.";
  const [first, then] = loaded
    ? ["The models here take numbers alone.", text]
    : ["No model is loaded.", client.WORDS.nothing];
  fill(byId("result"), make("p", { class: "empty" }, make("strong", {}, first), ` ${then}`));
}

function choose(model, task) {
  stop();
  state.model = model;
  byId("model").value = model.name;
  fill(byId("version"), ...model.versions.toReversed().map((version) => option(version)));
  byId("version").value = model.version;
  byId("version-field").hidden = model.versions.length < 2;
  const all = model.tasks.map(({ task: name }) => name);
  const names = all.includes("translate") ? all.filter((name) => name !== "generate") : all; // the same, with attention
  const radios = names.map((name) => {
    const radio = make("input", { type: "radio", name: "task", value: name, onchange: () => chooseTask(name) });
    return make("label", {}, radio, make("span", {}, TASKS[name].verb));
  });
  fill(byId("tasks").querySelector("div"), ...radios);
  byId("tasks").hidden = names.length < 2; // the button says what it is
  chooseTask(names.includes(task) ? task : names[0]);
}

function chooseTask(name) {
  stop();
  state.task = name;
  byId("tasks").querySelector(`input[value="${name}"]`).checked = true;
  const card = chosenTask();
  const { verb, label, examples } = TASKS[name];
  byId("run").textContent = verb;
  byId("text-label").textContent = label;
  byId("hint").textContent = card.longest ? `${card.longest} tokens at most.` : "";
  fill(byId("output"), ...card.outputs.map(({ name: output }) => option(output)));
  byId("output-field").hidden = card.outputs.length < 2;
  byId("lines-field").hidden = name === "generate";
  byId("stream-field").hidden = !card.streams;
  const texts = state.model.examples.length ? state.model.examples : examples;
  const example = (text) =>
    make("button", { type: "button", class: "example", onclick: () => useExample(text) }, text || "From nothing");
  fill(byId("examples"), ...texts.slice(0, 6).map(example));
  showOptions(card.options);
  history.replaceState(null, "", `#${new URLSearchParams({ model: state.model.name, task: name })}`);
  rest();
  client.chosen(state.model, name)?.catch(showUnlessStopped);
}

// Nothing is asked yet, or no longer.
function rest() {
  clear();
  const { about } = TASKS[state.task];
  fill(byId("result"), make("p", { class: "empty" }, about, " Write a text, or take an example."));
}

// Something else answers now: what was answered before is answered anew.
function again() {
  const answered = byId("result").querySelector("article") !== null;
  chooseTask(state.task);
  if (answered) run();
}

function useExample(text) {
  byId("text").value = text;
  run();
}

// --- What comes back ---

function clear() {
  fill(byId("result"));
  fill(byId("error"));
  say("");
  byId("timing").textContent = "";
  byId("request").hidden = true;
}

// For those who see it, and those who hear it; seen: the result shows it already.
function say(text, seen = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("unseen", seen);
}

function showError(error) {
  const details = [error.code, error.requestId && `request ${error.requestId}`].filter(Boolean).join(" · ");
  const hint = details ? make("p", { class: "hint" }, details) : null;
  fill(byId("error"), make("div", { class: "error" }, make("p", {}, error.message), hint));
}

const showUnlessStopped = (error) => error.name === "AbortError" || showError(error);

function request() {
  const card = chosenTask();
  const text = byId("text").value;
  const lines = text.split(/\r?\n/).filter((line) => line.trim());
  const apart = byId("lines").checked && !byId("lines-field").hidden && lines.length > 1;
  const body = apart ? { texts: lines } : { text };
  const options = changedOptions();
  if (Object.keys(options).length) body.options = options;
  if (card.outputs.length > 1) body.output = byId("output").value;
  if (card.streams && byId("stream").checked) body.stream = true;
  const chosen = byId("version").value;
  const version = chosen === state.model.version ? null : chosen; // null: the one that answers by itself
  return { model: state.model.name, version, task: state.task, body };
}

// typing: somebody is at it, so what is seen stays until there is something newer, and nothing is said aloud.
async function run({ typing = false } = {}) {
  if (!chosenTask()) return;
  stop();
  const asked = request();
  const running = new AbortController();
  state.running = running;
  if (!typing) {
    clear();
    busy(true);
    showAnswer();
  }
  byId("command").textContent = client.command(asked);
  try {
    await (asked.body.stream ? write(asked, running.signal) : answer(asked, running.signal, typing));
  } catch (error) {
    if (error.name !== "AbortError") {
      if (typing) clear();
      showError(error);
    } else if (!asked.body.stream && state.running === running) say("Stopped.");
  } finally {
    if (state.running === running) {
      state.running = null;
      busy(false);
    }
    byId("request").hidden = false;
    client.settled();
  }
}

async function answer(asked, signal, typing) {
  const found = await client.ask(asked, signal);
  const { box, said, seen } = shown(found.value);
  const open = byId("result").querySelector(".as-table[open]") !== null;
  fill(byId("result"), box);
  if (typing) {
    fill(byId("error"));
    if (open) box.querySelector(".as-table")?.setAttribute("open", "");
  }
  say(typing ? "" : said, seen);
  byId("timing").textContent = client.timing(found);
}

function shown(value) {
  if (state.task === "tag") {
    return tagged(value, chosenTask().outputs.find(({ name }) => name === value.output).labels);
  }
  if (state.task === "classify") return classified(value);
  return foundTexts(value, state.task === "generate");
}

async function write(asked, signal) {
  const writing = new Writing(asked.body.text);
  fill(byId("result"), writing.box);
  const start = performance.now();
  const since = () => (performance.now() - start) / 1000;
  let first = null;
  try {
    for await (const { name, data } of client.events(asked, signal)) {
      if (name === "token") {
        first ??= since();
        writing.add(data);
        byId("timing").textContent = `${count(writing.count, "token")} · ${pace(writing.count, since())}`;
      } else if (name === "done") {
        say(`${data.finished ? "Finished" : "Cut at the largest length"}: ${count(data.tokens, "token")}.`);
        const [began, all] = [duration(first ?? since()), duration(since())];
        byId("timing").textContent = `first token ${began} · ${pace(data.tokens, since())} · ${all} in all`;
      }
    }
  } catch (error) {
    if (writing.count === 0) fill(byId("result"));
    if (error.name === "AbortError" && state.running?.signal === signal) {
      say(`Stopped after ${count(writing.count, "token")}.`);
    }
    throw error;
  } finally {
    writing.end();
  }
}

const pace = (tokens, seconds) => `${Math.round(tokens / seconds)} a second`;

// On a phone the answer stands below the form.
function showAnswer() {
  if (byId("answer").getBoundingClientRect().top > 0.7 * innerHeight) byId("answer").scrollIntoView({ block: "start" });
}

function busy(is) {
  const stopping = document.activeElement === byId("stop");
  byId("answer").setAttribute("aria-busy", String(is));
  byId("stop").hidden = !is;
  if (!is && stopping) byId("run").focus();
}

function stop() {
  state.running?.abort();
}

// --- Listening ---

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
byId("model").addEventListener("change", () => {
  const chosen = state.models.find(({ name }) => name === byId("model").value);
  choose(chosen, state.task);
});
byId("stop").addEventListener("click", stop);
byId("defaults").addEventListener("click", () => {
  toDefaults();
  byId("options-box").querySelector("summary").focus();
});
byId("copy").hidden = !navigator.clipboard;
byId("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(byId("command").textContent);
  byId("copy").textContent = "Copied";
  setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
});
addEventListener("hashchange", () => {
  if (state.models.length && location.hash.includes("model=")) chooseByAddress();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which model and task, and is to go on saying it
  byId("text").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  } else if (event.key === "Escape" && state.running && !document.querySelector("dialog")) {
    stop();
  }
});
load();
