// Where a hypothesis looks: a table of weights, coloured, walked through with the arrow keys.

import { make, percent, visible } from "./dom.js";

const MOST_CELLS = 10_000;

export function heatMap(source, target, alignment) {
  if (source.length * target.length > MOST_CELLS) {
    return make("p", { class: "notice" }, `The alignment has ${target.length} × ${source.length} weights, too many to draw. The answer of the API has them all.`);
  }
  const readout = make("p", { class: "readout", "aria-live": "polite" }, "Point at a cell, or walk with the arrow keys.");
  const cells = target.map((to, row) =>
    source.map((from, column) => {
      const weight = alignment[row][column];
      const shown = Math.round(100 * weight);
      return make(
        "td",
        { role: "gridcell", tabindex: row + column === 0 ? 0 : -1, class: weight > 0.5 ? "strong" : weight < 0.05 ? "faint" : null, "--w": Math.min(Math.max(weight, 0), 1).toFixed(4), "aria-label": `${visible(to)} looks at ${visible(from)}: ${percent(weight)}`, "data-row": row, "data-column": column },
        shown ? String(shown) : "",
      );
    }),
  );
  const heads = source.map((token) => make("th", { scope: "col", role: "columnheader" }, make("span", {}, visible(token))));
  const rows = cells.map((row, i) => make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, visible(target[i])), ...row));
  const corner = make("td", { class: "corner", role: "columnheader", "aria-label": "target by source" });
  const table = make("table", { class: "heat", role: "grid", "aria-label": "Attention in percent: a row for each target token, a column for each source token" }, make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, corner, ...heads)), make("tbody", { role: "rowgroup" }, ...rows));

  const show = (cell) => {
    for (const marked of table.querySelectorAll(".marked")) marked.classList.remove("marked");
    const [row, column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    heads[column].classList.add("marked");
    rows[row].firstChild.classList.add("marked");
    readout.textContent = cell.getAttribute("aria-label");
  };
  table.addEventListener("pointerover", (event) => event.target.matches("[role=gridcell]") && show(event.target));
  table.addEventListener("focusin", (event) => event.target.matches("[role=gridcell]") && show(event.target));
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("[role=gridcell]");
    const next = cell && step(event, Number(cell.dataset.row), Number(cell.dataset.column), target.length - 1, source.length - 1);
    if (!next) return;
    event.preventDefault();
    cell.tabIndex = -1;
    const [row, column] = next;
    cells[row][column].tabIndex = 0;
    cells[row][column].focus();
  });
  const scale = make("p", { class: "scale", "aria-hidden": "true" }, "0", make("span", {}), "100 %");
  return make("figure", { class: "attention" }, make("figcaption", {}, "Where each token of the translation looks"), make("div", { class: "scroll" }, table), make("div", { class: "under" }, readout, scale));
}

function step({ key, ctrlKey, metaKey }, row, column, lastRow, lastColumn) {
  if (ctrlKey || metaKey) return null;
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
