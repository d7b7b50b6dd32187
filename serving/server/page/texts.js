// Hypotheses, with the attention of the one that is chosen; and text that is being written.

import { heatMap } from "./attention.js";
import { count, fill, make, percent, visible } from "./dom.js";

const CUT = "cut at the largest length";

const spelt = ({ text, tokens }) => (text === null ? tokens.join(" ") : text) || "(nothing)";

function found({ text, tokens, hypotheses }, number, several, goesOn) {
  const attention = make("div", {});
  const show = (one) => {
    const fits = one.alignment && one.alignment.length && one.alignment[0].length === tokens.length;
    fill(attention, fits ? heatMap(tokens, one.tokens, one.alignment) : null);
  };
  const items = hypotheses.map((one, i) => {
    const score = one.score === null ? null : make("span", { class: "score" }, `score ${one.score.toFixed(3)}`);
    const cut = one.finished ? null : make("span", { class: "cut" }, CUT);
    const words = make("span", { class: "found", dir: "auto" }, i === 0 && goesOn && text ? make("span", { class: "prompt" }, `${text} `) : "", spelt(one));
    const details = make("span", { class: "details" }, score, cut);
    if (hypotheses.length === 1 || !one.alignment) return make("li", {}, words, details);
    const radio = make("input", { type: "radio", name: `hypothesis-${number}`, onchange: () => show(one) });
    radio.checked = i === 0;
    return make("li", {}, make("label", {}, radio, words, details));
  });
  show(hypotheses[0]);
  const heading = several ? make("h3", { class: "source" }, text || "(empty)") : null;
  return make("article", {}, heading, make("ol", { class: "hypotheses", "aria-label": "The best first" }, ...items), attention);
}

export function foundTexts({ results }, goesOn) {
  const several = results.length > 1;
  const box = make("div", {}, ...results.map((result, i) => found(result, i, several, goesOn)));
  return { box, said: several ? `${count(results.length, "text")} answered.` : spelt(results[0].hypotheses[0]) };
}

// A text that grows: add(token) as they come, end() behind the last.
export class Writing {
  constructor(prompt) {
    this.text = make("p", { class: "writing busy", dir: "auto" }, make("span", { class: "prompt" }, prompt));
    const shade = make("input", { type: "checkbox" });
    shade.addEventListener("change", () => this.text.classList.toggle("shaded", shade.checked));
    this.box = make("div", {}, this.text, make("label", { class: "shade" }, shade, " Shade what was unlikely"));
    this.count = 0;
  }

  add({ text, id, log_prob: logProb }) {
    this.count += 1;
    const shown = text === null ? `${id} ` : text;
    if (!shown) return; // an end token
    const p = logProb === null ? null : Math.exp(logProb);
    const title = p === null ? visible(shown) : `${visible(shown)} · ${percent(p)}`;
    this.text.append(make("span", { class: "written", title, "--p": p ?? 1 }, shown));
  }

  end() {
    this.text.classList.remove("busy");
  }
}
