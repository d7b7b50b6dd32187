// Hypotheses, with the attention of the one that is chosen; and text that is being written.

import { heatMap } from "./attention.js";
import { count, fill, make, percent, visible } from "./dom.js";

const MOST_BITS = 12; // a token as unlikely as one in 4096 is shaded as much as any

const spelt = ({ text, tokens }) => (text === null ? tokens.join(" ") : text) || "(nothing)";
const signed = (number) => number.toFixed(3).replace("-", "−");

function attentionOf(one, tokens) {
  const fits = one.alignment?.length > 0 && one.alignment[0].length === tokens.length;
  return fits ? heatMap(tokens, one.tokens, one.alignment) : null;
}

function hypothesis(one, prompt) {
  const before = prompt ? make("span", { class: "prompt" }, `${prompt} `) : "";
  const score = one.score === null ? null : make("span", {}, `score ${signed(one.score)}`);
  const cut = one.finished ? null : make("span", { class: "cut" }, "cut at the largest length");
  return [
    make("span", { class: "found", dir: "auto" }, before, spelt(one)),
    make("span", { class: "details" }, score, cut),
  ];
}

function found({ text, tokens, hypotheses }, number, several, goesOn) {
  const attention = make("div", {}, attentionOf(hypotheses[0], tokens) ?? "");
  const choosable = hypotheses.length > 1 && hypotheses.some(({ alignment }) => alignment !== null);
  const items = hypotheses.map((one, i) => {
    const parts = hypothesis(one, goesOn && i === 0 ? text : "");
    if (!choosable) return make("li", {}, ...parts);
    const choose = () => fill(attention, attentionOf(one, tokens));
    const radio = make("input", { type: "radio", name: `hypothesis-${number}`, onchange: choose });
    radio.checked = i === 0;
    return make("li", {}, make("label", {}, radio, ...parts));
  });
  const heading = several ? make("h3", { class: "source" }, text || "(empty)") : null;
  const list = make("ol", { class: "hypotheses", "aria-label": "The best first" }, ...items);
  return make("article", {}, heading, list, attention);
}

// The answer as an element, and in a sentence; goesOn: whether it is what comes behind a prompt.
export function foundTexts({ results }, goesOn) {
  const several = results.length > 1;
  const box = make("div", {}, ...results.map((result, i) => found(result, i, several, goesOn)));
  const said = several ? `${count(results.length, "text")} answered.` : spelt(results[0].hypotheses[0]);
  return { box, said, seen: !several };
}

// A text that grows: add(token) as they come, end() behind the last.
export class Writing {
  constructor(prompt) {
    this.count = 0;
    this.text = make("p", { class: "writing busy", dir: "auto" }, make("span", { class: "prompt" }, prompt));
    const shade = make("input", { type: "checkbox" });
    shade.addEventListener("change", () => this.text.classList.toggle("shaded", shade.checked));
    this.box = make("div", {}, this.text, make("label", { class: "shade" }, shade, " Shade what was unlikely"));
  }

  add({ text, id, log_prob: logProb }) {
    this.count += 1;
    const shown = text === null ? `${id} ` : text;
    if (!shown) return; // an end token
    const known = logProb !== null;
    const title = known ? `${visible(shown)} · ${percent(Math.exp(logProb))}` : visible(shown);
    const odd = known ? Math.min(-logProb / Math.LN2 / MOST_BITS, 1) : 0;
    this.text.append(make("span", { class: "written", title, "--odd": odd.toFixed(3) }, shown));
  }

  end() {
    this.text.classList.remove("busy");
  }
}
