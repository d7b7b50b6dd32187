// The options of a task as inputs, each with its range.

import { byId, fill, make } from "./dom.js";

let shown = []; // { option, read, write }

const bounded = ({ minimum, maximum }) => minimum !== null && maximum !== null;

// A slider is of use where the whole range is near the default; 0.01 to 100 on one line is not.
const slides = (option) =>
  bounded(option) && option.maximum - option.minimum <= 20 * Math.max(Math.abs(option.default), 1);

const grouped = new Intl.NumberFormat("en", { maximumSignificantDigits: 12 }).format; // 2,147,483,647

function range(option) {
  const { minimum, maximum, default: value } = option;
  let bounds = "";
  if (bounded(option)) bounds = `${grouped(minimum)} to ${grouped(maximum)}; `;
  else if (minimum !== null) bounds = `${grouped(minimum)} or more; `;
  else if (maximum !== null) bounds = `${grouped(maximum)} or less; `;
  return `${bounds}${value} unless changed`;
}

function field(option, changed) {
  const id = `option-${option.name}`;
  const label = make("label", { for: id }, option.name.replaceAll("_", " "));
  if (option.dtype === "bool") return switchField(id, label, changed);
  const whole = !option.dtype.startsWith("float");
  const bounds = { min: option.minimum, max: option.maximum };
  const number = make("input", {
    id,
    type: "number",
    step: whole ? 1 : "any",
    inputmode: whole ? "numeric" : "decimal",
    "aria-describedby": `${id}-range`,
    ...bounds,
  });
  const step = whole ? 1 : (option.maximum - option.minimum) / 200;
  // The slider says nothing that the number does not, so it is for the pointer alone.
  const slider = slides(option)
    ? make("input", { type: "range", ...bounds, step, tabindex: -1, "aria-hidden": "true" })
    : null;
  const write = (value) => {
    number.value = String(value);
    if (slider) slider.value = String(value);
    changed();
  };
  number.addEventListener("input", () => {
    if (slider) slider.value = number.value;
    changed();
  });
  slider?.addEventListener("input", () => write(Number(Number(slider.value).toPrecision(4))));
  const another = () => write(Math.floor(Math.random() * Math.min(option.maximum ?? 1e6, 1e6)));
  const seeds = option.name === "seed";
  const dice = make("button", { type: "button", class: "plain", onclick: another, hidden: !seeds }, "Another");
  const inputs = make("span", { class: "inputs" }, number, slider, dice);
  const hint = make("span", { class: "hint", id: `${id}-range` }, range(option));
  return {
    box: make("div", { class: "option" }, label, inputs, hint),
    read: () => (Number.isNaN(number.valueAsNumber) ? option.default : number.valueAsNumber),
    write,
  };
}

function switchField(id, label, changed) {
  const box = make("input", { id, type: "checkbox", onchange: changed });
  return {
    box: make("div", { class: "option" }, label, box),
    read: () => box.checked,
    write: (value) => {
      box.checked = value;
      changed();
    },
  };
}

export function showOptions(options) {
  shown = [];
  shown = options.map((option) => ({ option, ...field(option, mark) }));
  fill(byId("options"), ...shown.map(({ box }) => box));
  byId("options-box").hidden = options.length === 0;
  toDefaults();
}

export function toDefaults() {
  for (const { option, write } of shown) write(option.default);
  mark();
}

// Those that are not as the model has them.
export function changedOptions() {
  const values = shown.map(({ option, read }) => [option, read()]);
  return Object.fromEntries(
    values.filter(([option, value]) => value !== option.default).map(([option, value]) => [option.name, value]),
  );
}

function mark() {
  const changed = Object.entries(changedOptions());
  byId("changed").textContent = changed.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
  byId("defaults").hidden = changed.length === 0;
}
