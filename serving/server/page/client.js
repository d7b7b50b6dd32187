// Speaks with the server that this page is from: JSON, server-sent events, the bearer token.

import { byId } from "./dom.js";

const KEY = "keras_seq.token";

export class ServerError extends Error {
  constructor(message, { status = 0, code = "", requestId = "" } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId });
  }
}

export const hasToken = () => sessionStorage.getItem(KEY) !== null;
export const forgetToken = () => sessionStorage.removeItem(KEY);

async function send(path, body, signal) {
  const headers = {};
  if (hasToken()) headers.Authorization = `Bearer ${sessionStorage.getItem(KEY)}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer. Is it running, and is the network there?");
  }
}

// The answer to a request; asks for a token, and again, as often as the server wants one.
async function answer(path, body, signal) {
  let response = await send(path, body, signal);
  while (response.status === 401) {
    const token = await askForToken(hasToken());
    if (token === null) break;
    sessionStorage.setItem(KEY, token);
    response = await send(path, body, signal);
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

async function errorOf(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // Something between here and the server answered in its place.
  }
  const wait = response.headers.get("Retry-After");
  const plain = `The server answered ${response.status} ${response.statusText}.`;
  const message = typeof said.error === "string" ? said.error : plain;
  return new ServerError(wait ? `${message} Try again in ${wait} s.` : message, {
    status: response.status,
    code: said.code ?? "",
    requestId: said.request_id ?? response.headers.get("X-Request-Id") ?? "",
  });
}

export async function ask(path, body, signal) {
  const start = performance.now();
  const response = await answer(path, body, signal);
  const value = await response.json();
  return { value, roundTrip: (performance.now() - start) / 1000 };
}

// Server-sent events as they come: { name, data }.
export async function* events(path, body, signal) {
  const response = await answer(path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const found = { name: "message", data: null };
        for (const line of block.split("\n")) {
          if (line.startsWith("event: ")) found.name = line.slice(7);
          if (line.startsWith("data: ")) found.data = JSON.parse(line.slice(6));
        }
        if (found.name === "error") {
          const { error, code, request_id: requestId } = found.data;
          throw new ServerError(error, { status: 200, code, requestId });
        }
        yield found;
      }
    }
  } catch (error) {
    if (error instanceof TypeError) throw new ServerError("The connection broke off before the text was at its end.");
    throw error;
  } finally {
    reader.cancel().catch(() => {}); // it may be aborted already, and nobody waits for it
  }
}

function askForToken(again) {
  const dialog = byId("token-dialog");
  byId("token-note").textContent = again
    ? "The server does not know the token that it was given. Try another one."
    : "It stays in this tab, until you close it.";
  byId("token").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "use" ? byId("token").value : null), {
      once: true,
    });
  });
}

export function prepareTokenDialog() {
  const dialog = byId("token-dialog");
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close("use");
  });
  byId("token-cancel").addEventListener("click", () => dialog.close(""));
}

export function command(path, body) {
  const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const address = new URL(path, document.baseURI).href;
  const lines = [
    `curl ${body.stream ? "--no-buffer " : ""}${quoted(address)}`,
    "--header 'Content-Type: application/json'",
    ...(hasToken() ? ['--header "Authorization: Bearer $TOKEN"'] : []),
    `--data ${quoted(JSON.stringify(body))}`,
  ];
  return lines.join(" \\\n  ");
}
