// The options of a task as inputs, each with its range.

import { byId, fill, make } from "./dom.js";

let shown = []; // { option, read, write }

// A slider is of use where the whole range is near the default; 0.01 to 100 on one line is not.
const slides = ({ minimum, maximum, default: value }) =>
  minimum !== null && maximum !== null && maximum - minimum <= 20 * Math.max(Math.abs(value), 1);

function range({ minimum, maximum, default: value }) {
  const bounds =
    minimum !== null && maximum !== null ? `${minimum} to ${maximum}` : minimum !== null ? `${minimum} or more` : maximum !== null ? `${maximum} or less` : "";
  return `${bounds ? `${bounds}; ` : ""}${value} unless changed`;
}

function field(option, changed) {
  const id = `option-${option.name}`;
  const label = make("label", { for: id }, option.name.replaceAll("_", " "));
  if (option.dtype === "bool") {
    const box = make("input", { id, type: "checkbox", onchange: changed });
    return { box: make("div", { class: "option" }, label, box), read: () => box.checked, write: (v) => (box.checked = v) };
  }
  const whole = !option.dtype.startsWith("float");
  const bounds = { min: option.minimum, max: option.maximum };
  const number = make("input", { id, type: "number", step: whole ? 1 : "any", ...bounds, "aria-describedby": `${id}-range`, inputmode: whole ? "numeric" : "decimal" });
  const step = whole ? 1 : (option.maximum - option.minimum) / 200;
  const slider = slides(option) ? make("input", { type: "range", ...bounds, step, tabindex: -1, "aria-hidden": "true" }) : null;
  const dice = option.name === "seed" ? make("button", { type: "button", class: "plain" }, "Another") : null;
  number.addEventListener("input", () => {
    if (slider) slider.value = number.value;
    changed();
  });
  slider?.addEventListener("input", () => {
    number.value = String(Number(Number(slider.value).toPrecision(4)));
    changed();
  });
  dice?.addEventListener("click", () => {
    number.value = String(Math.floor(Math.random() * Math.min(option.maximum ?? 1e6, 1e6)));
    changed();
  });
  const box = make("div", { class: "option" }, label, make("span", { class: "inputs" }, number, slider, dice), make("span", { class: "hint", id: `${id}-range` }, range(option)));
  const read = () => (number.value === "" || Number.isNaN(number.valueAsNumber) ? option.default : number.valueAsNumber);
  return { box, read, write: (value) => ((number.value = String(value)), slider && (slider.value = String(value))) };
}

export function showOptions(options) {
  const boxes = options.map((option) => ({ option, ...field(option, mark) }));
  shown = boxes;
  fill(byId("options"), ...boxes.map(({ box }) => box));
  byId("options-box").hidden = options.length === 0;
  toDefaults();
}

export function toDefaults() {
  for (const { option, write } of shown) write(option.default);
  mark();
}

// Those that are not as the model has them.
export function changedOptions() {
  return Object.fromEntries(shown.map(({ option, read }) => [option, read()]).filter(([option, value]) => value !== option.default).map(([option, value]) => [option.name, value]));
}

function mark() {
  const changed = Object.entries(changedOptions());
  byId("changed").textContent = changed.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
  byId("defaults").hidden = changed.length === 0;
}
