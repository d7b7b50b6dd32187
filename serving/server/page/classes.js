// Class probabilities as bars.

import { count, make, percent } from "./dom.js";

const FIRST = 8;

function bar({ label, probability }, rank) {
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
  const rows = probabilities.map(bar);
  const table = make("table", { class: "classes" }, make("caption", { class: "unseen" }, "Classes by probability"), make("tbody", {}, ...rows));
  const hidden = rows.length - FIRST;
  const more = hidden > 0 ? make("button", { type: "button", class: "plain" }, `${count(hidden, "more class").replace(/classs$/, "classes")}`) : null;
  more?.addEventListener("click", () => {
    for (const row of rows) row.hidden = false;
    more.remove();
  });
  return make("article", {}, heading, table, more);
}

export function classified({ results }) {
  const box = make("div", { class: "classified" }, ...results.map((result) => classes(result, results.length > 1)));
  const { label, probability } = results[0];
  const first = `${label}${probability === null ? "" : `, ${percent(probability)}`}.`;
  return { box, said: results.length > 1 ? `${count(results.length, "text")} classified.` : first };
}
