// Keeps the files of the site on the device, each as what it was when the site was written, and lets it run without a
// network. It also sends the headers that make the page cross-origin isolated, which threads need, whatever the server
// sends: so from the second visit on they are there anywhere.

const FILES = {}; // path to { integrity, kept }; `keras-seq web` writes them in

const SCOPE = self.registration.scope;
const CACHE = `keras_seq ${SCOPE}`;
const FIRST = /^(?!onnxruntime\/|models\/)/; // the page itself, which is kept before anything else
const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  mjs: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  wasm: "application/wasm",
};
const HEADERS = {
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

const keyOf = (path) => new URL(`${path}?${encodeURIComponent(FILES[path].integrity)}`, SCOPE).href;
const keptFiles = () => Object.keys(FILES).filter((path) => FILES[path].kept);

function pathOf({ method, url }) {
  if (method !== "GET" || !url.startsWith(SCOPE)) return null;
  const path = decodeURIComponent(url.slice(SCOPE.length).replace(/[?#].*$/, "")) || "index.html";
  return Object.hasOwn(FILES, path) ? path : null;
}

function served(path, response) {
  const headers = new Headers(HEADERS);
  headers.set("Content-Type", TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream");
  return new Response(response.body, { status: 200, headers });
}

const addressOf = (path) => new URL(path, SCOPE).href;
const underWay = new Map(); // path to what is being loaded: the page and what keeps the rest may ask for it at once

// The file from the network, kept if it is what it was when the site was written; `error` says why it is not kept.
async function loaded(path) {
  const response = await fetch(addressOf(path), { integrity: FILES[path].integrity, cache: "no-cache" });
  if (!response.ok) return { response };
  const cache = await caches.open(CACHE);
  const put = cache.put(keyOf(path), response.clone());
  return { response, error: await put.then(() => null, (error) => error) };
}

function load(path) {
  if (!underWay.has(path)) underWay.set(path, loaded(path).finally(() => underWay.delete(path)));
  return underWay.get(path);
}

async function fetched(path) {
  try {
    const { response } = await load(path); // kept or not: without room the page goes on without
    return response.ok ? served(path, response.clone()) : response.clone();
  } catch {
    return fetch(addressOf(path)); // another version of the site, which goes by, or no network
  }
}

async function answer(path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(keyOf(path));
  return kept ? served(path, kept) : fetched(path);
}

async function keep(paths) {
  const cache = await caches.open(CACHE);
  for (const path of paths) {
    if (await cache.match(keyOf(path))) continue;
    const { response, error } = await load(path);
    if (!response.ok) throw new Error(`${path} has status ${response.status}`);
    if (error) throw error;
  }
}

async function forgetOthers() {
  const cache = await caches.open(CACHE);
  const known = new Set(Object.keys(FILES).map(keyOf));
  for (const request of await cache.keys()) if (!known.has(request.url)) await cache.delete(request);
}

async function keepRest(port) {
  try {
    await keep(keptFiles());
    port.postMessage({});
  } catch (error) {
    port.postMessage({ error: error.name === "QuotaExceededError" ? "There is no room on this device." : error.message });
  }
}

self.addEventListener("install", (event) => {
  event.waitUntil(keep(keptFiles().filter((path) => FIRST.test(path))));
});
self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const path = pathOf(event.request);
  if (path !== null) event.respondWith(answer(path));
});
self.addEventListener("message", (event) => {
  if (event.data.kind === "replace") self.skipWaiting();
  if (event.data.kind === "keep") event.waitUntil(keepRest(event.ports[0]));
});
