// Answers on the visitor's own device: the part that in the server's page asks over HTTP. page.js says what it has.

import { Answerer } from "./answerer.js";
import { showDevice } from "./device.js";
import { byId, duration } from "./dom.js";
import { keepSite } from "./keeping.js";
import { program } from "./program.js";
import { listenToTyping } from "./typing.js";

export const WORDS = {
  asking: "Loading …",
  loaded: (models) => `${models}, and no server`,
  nothing: "Write the site with one: keras-seq web BUNDLE -o site.",
  request: "The same in JavaScript",
};

const answerer = new Answerer();
let page = null;
let site = null;
let device = null;
let typing = null;

export function install(given) {
  const missing = document.documentElement.dataset.missing; // before.js looked for it
  if (missing) throw new Error(missing);
  page = given;
}

export async function models() {
  const keeping = await keepSite();
  const response = await fetch("site.json");
  if (!response.ok) throw new Error(`The site is not whole: site.json has status ${response.status}. Write it again.`);
  site = await response.json();
  device = showDevice(site, answerer, keeping, page.again);
  typing = listenToTyping(page, answerer);
  return site.models.map(({ card }) => card);
}

const entryOf = (name) => site.models.find(({ card }) => card.name === name);

// Loads what was chosen, so that the first call finds it there.
export function chosen(model, task) {
  const entry = entryOf(model.name);
  device.offer(entry);
  typing.offer(task);
  const loaded = answerer.load(entry, device.variant());
  device.loading(entry, loaded);
  return loaded;
}

export function settled() {
  device?.refresh();
}

function asked({ model, task, body }) {
  typing.asked();
  return { entry: entryOf(model), variant: device.variant(), task, body };
}

export async function ask(request, signal) {
  const start = performance.now();
  const value = await answerer.ask(asked(request), signal);
  return { value, roundTrip: (performance.now() - start) / 1000 };
}

export const events = (request, signal) => answerer.events(asked(request), signal);

export const timing = ({ value }) => `${duration(value.seconds)} on this device`;

export const command = (request) => program(asked(request), site, byId("backend").value);
