// Class probabilities as bars.

import { count, make, percent } from "./dom.js";

const FIRST = 8; // further classes are shown when asked for

function row({ label, probability }, rank) {
  return make(
    "tr",
    { class: rank === 0 ? "best" : null, hidden: rank >= FIRST },
    make("th", { scope: "row" }, label),
    make("td", { class: "bar" }, make("span", { "--p": probability })),
    make("td", { class: "number" }, percent(probability)),
  );
}

function classes({ text, label, probabilities }, several) {
  const heading = several ? make("h3", { class: "source" }, text || "(empty)") : null;
  if (probabilities === null) return make("article", {}, heading, make("p", { class: "best-class" }, label));
  const rows = probabilities.map(row);
  const caption = make("caption", { class: "unseen" }, "Classes, the likeliest first");
  const table = make("table", { class: "classes" }, caption, make("tbody", {}, ...rows));
  const box = make("article", {}, heading, make("div", { class: "scroll" }, table));
  if (rows.length > FIRST) {
    const showAll = () => {
      for (const one of rows) one.hidden = false;
      more.remove();
    };
    const more = make("button", { type: "button", class: "plain", onclick: showAll }, `${rows.length - FIRST} more`);
    box.append(more);
  }
  return box;
}

// The answer as an element, and in a sentence, which for a single text says nothing that is not seen.
export function classified({ results }) {
  const several = results.length > 1;
  const box = make("div", {}, ...results.map((result) => classes(result, several)));
  const { label, probability } = results[0];
  const first = probability === null ? `${label}.` : `${label}, ${percent(probability)}.`;
  return { box, said: several ? `${count(results.length, "text")} classified.` : first, seen: !several };
}
