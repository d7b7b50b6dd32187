// Where a hypothesis looks: a table of weights, coloured, walked through with the arrow keys.

import { make, percent, visible } from "./dom.js";

const MOST_CELLS = 10_000;
const [MIDDLE, STRONG] = [0.57, 0.725]; // where black, or white, is what can be read on the colour
const WRITTEN = 0.05; // smaller weights are seen as colours alone; the readout has their numbers

function cell(to, from, weight, row, column) {
  const percents = String(Math.round(100 * weight));
  const shade = weight > STRONG ? "strong" : weight > MIDDLE ? "middle" : null;
  return make(
    "td",
    {
      role: "gridcell",
      class: shade,
      tabindex: row + column === 0 ? 0 : -1,
      "aria-label": `${visible(to)} looks at ${visible(from)}: ${percent(weight)}`,
      "data-row": row,
      "data-column": column,
      "--w": Math.min(Math.max(weight, 0), 1).toFixed(4),
    },
    weight < WRITTEN ? "" : percents,
  );
}

function step({ key }, row, column, lastRow, lastColumn) {
  const to = {
    ArrowLeft: [row, Math.max(column - 1, 0)],
    ArrowRight: [row, Math.min(column + 1, lastColumn)],
    ArrowUp: [Math.max(row - 1, 0), column],
    ArrowDown: [Math.min(row + 1, lastRow), column],
    Home: [row, 0],
    End: [row, lastColumn],
  };
  return to[key] ?? null;
}

// Args: tokens of the source and of the hypothesis; alignment[target][source].
export function heatMap(source, target, alignment) {
  if (source.length * target.length > MOST_CELLS) {
    const size = `${target.length} × ${source.length}`;
    const text = `The alignment has ${size} weights, too many to draw. The answer of the API has them all.`;
    return make("p", { class: "notice" }, text);
  }
  const cells = target.map((to, i) => source.map((from, k) => cell(to, from, alignment[i][k], i, k)));
  const heads = source.map((token) =>
    make("th", { scope: "col", role: "columnheader" }, make("span", {}, visible(token))),
  );
  const rows = cells.map((row, i) =>
    make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, visible(target[i])), ...row),
  );
  const corner = make("td", { role: "columnheader", "aria-label": "target by source" });
  const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, corner, ...heads));
  const label = "Attention in percent: a row for each token of the answer, a column for each of the source";
  const body = make("tbody", { role: "rowgroup" }, ...rows);
  const table = make("table", { class: "heat", role: "grid", "aria-label": label }, head, body);
  const readout = make("p", { class: "readout" }, "Point at a cell, or walk with the arrow keys.");

  const show = ({ target: found }) => {
    if (!found.matches("[role=gridcell]")) return;
    for (const marked of table.querySelectorAll(".marked")) marked.classList.remove("marked");
    heads[Number(found.dataset.column)].classList.add("marked");
    rows[Number(found.dataset.row)].firstChild.classList.add("marked");
    readout.textContent = found.getAttribute("aria-label");
  };
  const walk = (event) => {
    const from = event.target.closest("[role=gridcell]");
    if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
    const { row, column } = from.dataset;
    const to = step(event, Number(row), Number(column), target.length - 1, source.length - 1);
    if (!to) return;
    event.preventDefault();
    from.tabIndex = -1;
    cells[to[0]][to[1]].tabIndex = 0;
    cells[to[0]][to[1]].focus();
  };
  table.addEventListener("pointerover", show);
  table.addEventListener("focusin", show);
  table.addEventListener("keydown", walk);

  const scale = make("p", { class: "scale", "aria-hidden": "true" }, "0", make("span"), "100 %");
  const under = make("div", { class: "under" }, readout, scale);
  const caption = make("figcaption", {}, "Where each token looks");
  return make("figure", { class: "attention" }, caption, make("div", { class: "scroll" }, table), under);
}
