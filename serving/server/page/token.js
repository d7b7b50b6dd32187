// The bearer token: kept in this tab, and asked for where the server wants one.

import { make } from "./dom.js";

const KEY = "keras_seq.token";

export const token = () => sessionStorage.getItem(KEY);
export const hasToken = () => token() !== null;
export const forgetToken = () => sessionStorage.removeItem(KEY);

let asking = null; // several requests that are refused at a time ask once

// Whether there is a token to try now.
export function askForToken() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const note = hasToken()
    ? "The server does not know the token that it was given. Try another one."
    : "It stays in this tab, until you close it.";
  const input = make("input", { id: "token", type: "password", autocomplete: "off", required: true });
  const use = make("button", { type: "submit", class: "main" }, "Use it");
  const cancel = make("button", { type: "button", class: "plain" }, "Cancel");
  const form = make(
    "form",
    {},
    make("h2", { id: "token-title" }, "This server asks for a token"),
    make("p", {}, note),
    make("label", { for: "token" }, "Bearer token"),
    input,
    make("div", { class: "actions" }, use, cancel),
  );
  const dialog = make("dialog", { "aria-labelledby": "token-title" }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, input.value);
    dialog.close("use");
  });
  cancel.addEventListener("click", () => dialog.close(""));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "use");
    });
  });
}
