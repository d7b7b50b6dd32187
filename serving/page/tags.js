// Tokens in the colours of their labels, with a legend, and the same as a table.

import { count, make, percent, visible } from "./dom.js";

const GOLDEN_ANGLE = 137.508; // neighbours in the list of labels get colours that are far apart
const FIRST_HUE = 25;
const UNSURE = 0.5;
const NOTHING = "O"; // in the BIO notation
const MOST_INDENT = 24;

// B-PER and I-PER are of one colour.
const kind = (label) => label.replace(/^[BIESLU]-/, "");

function colours(labels) {
  const kinds = [...new Set(labels.map(kind))];
  const hue = (label) => (FIRST_HUE + kinds.indexOf(kind(label)) * GOLDEN_ANGLE) % 360;
  return (label) => (label === NOTHING ? {} : { "--hue": hue(label).toFixed(1) });
}

// What stands before each token in the text: nothing where a token is none of the text's, such as <start>.
function gaps(text, tokens) {
  let end = 0;
  return tokens.map((token) => {
    const start = text.indexOf(token.text, end);
    if (start < 0) return "";
    const gap = text.slice(end, start);
    end = start + token.text.length;
    return gap;
  });
}

// The tokens in the lines of the text, indented as there.
function inLines(text, tokens, colour) {
  const before = gaps(text, tokens);
  return tokens.flatMap((one, i) => {
    const [, ...lines] = before[i].split("\n");
    const item = token(one, colour);
    if (!lines.length) return [item];
    item.style.setProperty("--indent", Math.min(lines.at(-1).replaceAll("\t", "    ").length, MOST_INDENT));
    return i === 0 ? [item] : [make("li", { class: "break", "aria-hidden": "true" }), item];
  });
}

function token({ text, label, probability }, colour) {
  const known = probability !== null;
  const classes = ["token", known && probability < UNSURE && "unsure", label === NOTHING && "none"];
  return make(
    "li",
    {
      class: classes.filter(Boolean).join(" "),
      title: known ? `${label} · ${percent(probability)}` : label,
      "data-label": label,
      "--p": probability ?? 0,
      ...colour(label),
    },
    make("span", { class: "word" }, visible(text)),
    make("span", { class: "label" }, label),
  );
}

function table(tokens) {
  const cell = (text, name) => make("td", { class: name }, text);
  const row = ({ text, label, probability }) =>
    make("tr", {}, cell(visible(text)), cell(label), cell(probability === null ? "" : percent(probability), "number"));
  const heads = ["Token", "Label", "Probability"].map((name) => make("th", { scope: "col" }, name));
  const head = make("thead", {}, make("tr", {}, ...heads));
  const body = make("tbody", {}, ...tokens.map(row));
  const inside = make("div", { class: "scroll" }, make("table", {}, head, body));
  return make("details", { class: "as-table" }, make("summary", {}, "As a table"), inside);
}

function key(label, times, colour) {
  const properties = {
    type: "button",
    class: label === NOTHING ? "key none" : "key",
    "aria-pressed": "false",
    "aria-label": `${label}, ${count(times, "token")}`,
    "data-label": label,
    ...colour(label),
  };
  const swatch = make("span", { class: "swatch" });
  return make("button", properties, swatch, label, make("span", { class: "count" }, String(times)));
}

// A button for each label that occurs, the most frequent first; pressed, it dims the tokens of all others.
function legend(results, colour, box) {
  const times = new Map();
  for (const { label } of results.flatMap(({ tokens }) => tokens)) times.set(label, (times.get(label) ?? 0) + 1);
  const buttons = [...times].sort((a, b) => b[1] - a[1]).map(([label, n]) => key(label, n, colour));
  const press = (pressed) => {
    const chosen = pressed.getAttribute("aria-pressed") === "true" ? null : pressed.dataset.label;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.label === chosen));
    for (const item of box.querySelectorAll(".token")) {
      item.classList.toggle("dim", chosen !== null && item.dataset.label !== chosen);
    }
  };
  for (const button of buttons) button.addEventListener("click", () => press(button));
  const label = "Labels: press one to see where it is";
  return make("div", { class: "legend", role: "group", "aria-label": label }, ...buttons);
}

function article({ text, tokens }, colour) {
  if (!tokens.length) {
    const why = text.trim() ? "The tokenizer finds nothing in this text." : "An empty text has no tokens.";
    return make("article", {}, make("p", { class: "notice" }, why));
  }
  const items = inLines(text, tokens, colour);
  const list = make("ol", { class: "tokens", "aria-label": "Tokens and their labels" }, ...items);
  return make("article", {}, list, table(tokens));
}

// The answer as an element, and in a sentence.
export function tagged({ results }, labels) {
  const colour = colours(labels);
  const box = make("div", { class: "tagged" });
  box.append(legend(results, colour, box), ...results.map((result) => article(result, colour)));
  const total = results.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return { box, said: `${count(total, "token")} tagged.` };
}
