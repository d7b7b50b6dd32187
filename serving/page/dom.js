// Elements without markup: texts go in as texts, whatever they spell.

export const byId = (id) => document.getElementById(id);

// make("button", { type: "button", class: "plain" }, "Copy"); properties that begin with "--" are CSS variables.
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("--")) element.style.setProperty(key, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

// White space that is a token of its own can be seen.
export const visible = (token) =>
  token.trim() ? token : token.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "␣") || "∅";

// 7.4 %, 81 %; what is nearly certain is not called 100 %; null where the model gave no number.
export function percent(p) {
  if (p === null) return "–";
  if (p > 0.995 && p < 1) return `${(Math.floor(1000 * p) / 10).toFixed(1)} %`;
  return `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;
}

export function duration(seconds) {
  if (seconds < 0.01) return `${(1000 * seconds).toFixed(1)} ms`;
  return seconds < 1 ? `${(1000 * seconds).toFixed(0)} ms` : `${seconds.toFixed(2)} s`;
}

export const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
