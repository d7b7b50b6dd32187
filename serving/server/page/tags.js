// Tokens in the colours of their labels, with a legend, and the same as a table.

import { count, make, percent, visible } from "./dom.js";

const GOLDEN_ANGLE = 137.508; // neighbours in the list of labels get colours that are far apart
const UNSURE = 0.5;

// B-PER and I-PER are of one colour; O, which is "none of these", has none.
const kind = (label) => label.replace(/^[BIESLU]-/, "");

export function colours(labels) {
  const kinds = [...new Set(labels.map(kind))];
  return (label) => (label === "O" ? {} : { "--hue": ((25 + kinds.indexOf(kind(label)) * GOLDEN_ANGLE) % 360).toFixed(1) });
}

function token({ text, label, probability }, colour) {
  const sure = probability === null ? "" : ` · ${percent(probability)}`;
  return make(
    "li",
    { class: `token${probability !== null && probability < UNSURE ? " unsure" : ""}${label === "O" ? " none" : ""}`, "data-label": label, title: `${label}${sure}`, ...colour(label), "--p": probability ?? 0 },
    make("span", { class: "word" }, visible(text)),
    make("span", { class: "label" }, label),
  );
}

function table(tokens) {
  const row = ({ text, label, probability }) =>
    make("tr", {}, make("td", {}, visible(text)), make("td", {}, label), make("td", { class: "number" }, probability === null ? "" : percent(probability)));
  const head = make("thead", {}, make("tr", {}, ...["Token", "Label", "Probability"].map((name) => make("th", { scope: "col" }, name))));
  return make("details", { class: "as-table" }, make("summary", {}, "As a table"), make("div", { class: "scroll" }, make("table", {}, head, make("tbody", {}, ...tokens.map(row)))));
}

// A button for each label that occurs, the most frequent first; pressed, it shows its tokens and dims the others.
function legend(results, colour, box) {
  const counts = new Map();
  for (const { label } of results.flatMap(({ tokens }) => tokens)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const buttons = [...counts].sort((a, b) => b[1] - a[1]).map(([label, n]) =>
    make("button", { type: "button", class: "key", "aria-pressed": "false", "data-label": label, "aria-label": `${label}, ${count(n, "token")}: show these`, ...colour(label) }, make("span", { class: "swatch" }), label, make("span", { class: "count" }, String(n))),
  );
  const press = (pressed) => {
    const chosen = pressed.getAttribute("aria-pressed") === "true" ? null : pressed.dataset.label;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.label === chosen));
    for (const item of box.querySelectorAll(".token")) item.classList.toggle("dim", chosen !== null && item.dataset.label !== chosen);
  };
  for (const button of buttons) button.addEventListener("click", () => press(button));
  return make("div", { class: "legend", role: "group", "aria-label": "Legend: labels that occur" }, ...buttons);
}

export function tagged({ results }, labels) {
  const colour = colours(labels);
  const box = make("div", { class: "tagged" });
  const articles = results.map(({ text, tokens }) =>
    make(
      "article",
      {},
      tokens.length ? make("ol", { class: "tokens", "aria-label": "Tokens and their labels" }, ...tokens.map((one) => token(one, colour))) : make("p", { class: "notice" }, text.trim() ? "The tokenizer found no token in this text." : "An empty text has no tokens."),
      tokens.length ? table(tokens) : null,
    ),
  );
  box.append(legend(results, colour, box), ...articles);
  const total = results.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return { box, said: `${count(total, "token")} tagged.` };
}
