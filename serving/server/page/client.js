// Speaks with the server that this page is from: JSON, server-sent events, the bearer token. page.js says what it has.

import { byId, duration, make } from "./dom.js";
import { askForToken, forgetToken, hasToken, token } from "./token.js";

export const WORDS = {
  asking: "Asking the server …",
  loaded: (models) => `${models} loaded`,
  nothing: "Start the server with one: keras-seq serve BUNDLE.",
  request: "The same from a terminal",
};

export class ServerError extends Error {
  constructor(message, { code = "", requestId = "" } = {}) {
    super(message);
    Object.assign(this, { code, requestId });
  }
}

async function send(path, body, signal) {
  const headers = {};
  if (hasToken()) headers.Authorization = `Bearer ${token()}`;
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
  while (response.status === 401 && (await askForToken())) response = await send(path, body, signal);
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
    code: said.code ?? "",
    requestId: said.request_id ?? response.headers.get("X-Request-Id") ?? "",
  });
}

// What the server gives for a path: of the page's own routes, and of its description.
export const get = async (path) => (await answer(path)).json();

function pathOf({ model, version, task }) {
  const query = version === null ? "" : `?version=${encodeURIComponent(version)}`;
  return `v1/${encodeURIComponent(model)}/${task}${query}`;
}

export function install() {
  const forget = () => {
    forgetToken();
    settled();
  };
  byId("nav").append(
    make("button", { type: "button", id: "forget", class: "plain", hidden: true, onclick: forget }, "Forget token"),
    make("a", { href: "page/api.html" }, "API"),
  );
}

export const models = async () => (await get("v1/models")).models;

export const chosen = () => null; // the server has every model at hand

export function settled() {
  byId("forget").hidden = !hasToken();
}

export async function ask(request, signal) {
  const start = performance.now();
  const response = await answer(pathOf(request), request.body, signal);
  const value = await response.json();
  return { value, roundTrip: (performance.now() - start) / 1000 };
}

export const timing = ({ value, roundTrip }) =>
  `${duration(value.seconds)} on the server · ${duration(roundTrip)} round trip`;

// Server-sent events as they come: { name, data }.
export async function* events(request, signal) {
  const response = await answer(pathOf(request), request.body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const { name, data } = eventOf(block);
        if (name === "error") throw new ServerError(data.error, { code: data.code, requestId: data.request_id });
        yield { name, data };
        if (name === "done") return;
      }
    }
  } catch (error) {
    if (error instanceof TypeError) throw new ServerError(BROKEN_OFF); // as browsers call it
    throw error;
  } finally {
    reader.cancel().catch(() => {}); // it may be aborted already, and nobody waits for it
  }
  throw new ServerError(BROKEN_OFF);
}

const BROKEN_OFF = "The connection broke off before the text was at its end.";

function eventOf(block) {
  const found = { name: "message", data: null };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) found.name = line.slice(7);
    if (line.startsWith("data: ")) found.data = JSON.parse(line.slice(6));
  }
  return found;
}

export function command(request) {
  const { body } = request;
  const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const address = new URL(pathOf(request), document.baseURI).href;
  const lines = [
    `curl ${body.stream ? "--no-buffer " : ""}${quoted(address)}`,
    "--header 'Content-Type: application/json'",
    ...(hasToken() ? ['--header "Authorization: Bearer $TOKEN"'] : []),
    `--data ${quoted(JSON.stringify(body))}`,
  ];
  return lines.join(" \\\n  ");
}
