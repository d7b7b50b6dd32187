// Where bundles come from, and what a browser may lack.

import assert from "node:assert/strict";
import test from "node:test";

import { Bundle, BundleError, ServingError, whyNoWebAssembly, whyOneThread } from "../../../../serving/web/index.js";
import { startBackend, whyNotStarted } from "../../../../serving/web/src/backend.js";

const ANSWERS = {
  "bundle.json": [200, '{"schema_version": 3, "name": "x"}'],
  "page.html": [200, "<!doctype html>"],
};

// A server: what it was asked for stands in `asked`.
function server(answers = ANSWERS) {
  const asked = [];
  const fetch = async (address) => {
    asked.push(String(address));
    const [status, body] = answers[new URL(address).pathname.split("/").at(-1)] ?? [404, "none"];
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    return { ok: status === 200, status, statusText: "", arrayBuffer: async () => bytes.slice().buffer };
  };
  return { asked, fetch };
}

test("a bundle of a newer schema says to upgrade, and where it lies", async () => {
  const { asked, fetch } = server();
  for (const address of ["http://here/out/tagger", "http://here/out/tagger/", new URL("http://here/out/tagger?key=1#top")]) {
    await assert.rejects(Bundle.load(address, { fetch }), {
      name: "BundleError",
      message: /^http:\/\/here\/out\/tagger: The bundle has schema version 3; this keras-seq reads up to 2\. Upgrade/,
    });
  }
  assert.deepEqual(asked, [
    "http://here/out/tagger/bundle.json",
    "http://here/out/tagger/bundle.json",
    "http://here/out/tagger/bundle.json?key=1",
  ]);
});

test("what a server says instead of a bundle", async () => {
  const load = (answers) => Bundle.load("http://here/x", server(answers));
  await assert.rejects(load({}), { name: "BundleError", message: /http:\/\/here\/x: it is not a bundle, as it has no bundle.json/ });
  await assert.rejects(load({ "bundle.json": [500, ""] }), { message: /cannot be read: the server answered 500/ });
  await assert.rejects(load({ "bundle.json": [200, "<!doctype html>"] }), { message: /bundle.json is not JSON: .*damaged or cut/ });
  await assert.rejects(load({ "bundle.json": [200, new Uint8Array([0x7b, 0xff])] }), { message: /bundle.json is not UTF-8 text/ });
  await assert.rejects(load({ "bundle.json": [200, "[1]"] }), { message: /no `schema_version`.*Received: \[1\]/ });
  const fetch = async () => {
    throw new TypeError("fetch failed");
  };
  await assert.rejects(Bundle.load("http://here/x", { fetch }), { message: /fetch failed. Is the server running/ });
});

test("a page that was opened as a file says how to serve it", async () => {
  await assert.rejects(Bundle.load("file:///home/me/tagger"), {
    name: "BundleError",
    message: /Serve the folder, for one with `python -m http.server`/,
  });
  await assert.rejects(Bundle.load("out/tagger"), { name: "BundleError", message: /is no address. In Node, .* folder\(path\)/ });
  globalThis.document = { baseURI: "file:///home/me/index.html" };
  await assert.rejects(Bundle.load("tagger"), { message: /^file:\/\/\/home\/me\/tagger: browsers do not let/ });
  delete globalThis.document;
});

test("an address is relative to the page", async () => {
  const { asked, fetch } = server();
  globalThis.document = { baseURI: "http://here/site/index.html" };
  await assert.rejects(Bundle.load("models/naïve tagger", { fetch }), BundleError);
  delete globalThis.document;
  assert.deepEqual(asked, ["http://here/site/models/na%C3%AFve%20tagger/bundle.json"]);
});

test("what is no bundle is refused", async () => {
  for (const wrong of [null, 7, {}, undefined]) {
    await assert.rejects(Bundle.load(wrong), { name: "BundleError", message: /must be given as the address/ });
  }
});

test("no WebAssembly, or one without SIMD, is said clearly", async () => {
  const real = globalThis.WebAssembly;
  assert.equal(whyNoWebAssembly(), "");
  try {
    delete globalThis.WebAssembly;
    assert.match(whyNoWebAssembly(), /There is no WebAssembly here/);
    await assert.rejects(startBackend({}), { name: "ServingError", message: /There is no WebAssembly here/ });
    globalThis.WebAssembly = { validate: () => false };
    await assert.rejects(startBackend({}), { name: "ServingError", message: /no SIMD here/ });
  } finally {
    globalThis.WebAssembly = real;
  }
});

test("threads, providers and the module are checked", async () => {
  for (const numThreads of [0, -1, 1.5, "2"]) {
    await assert.rejects(startBackend({ numThreads }), { name: "ServingError", message: /must be a positive integer/ });
  }
  await assert.rejects(startBackend({ providers: [] }), { message: /must name at least one/ });
  await assert.rejects(startBackend({ ort: {} }), { message: /no InferenceSession/ });
  await assert.rejects(startBackend({ ort: { InferenceSession: { create() {} }, env: { wasm: {} } }, providers: ["webgpu"] }), {
    message: /There is no WebGPU here/,
  });
  const ort = { InferenceSession: { create() {} }, env: { wasm: {} } };
  assert.equal((await startBackend({ ort, numThreads: 2, wasmPaths: "/ort/" })).numThreads, 2);
  assert.deepEqual(ort.env.wasm, { numThreads: 2, wasmPaths: "/ort/" });
  assert.equal((await startBackend({ ort })).numThreads, 2);
  await assert.rejects(startBackend({ ort, numThreads: 3 }), { message: /share 2 threads/ });
  assert.equal(whyOneThread(), "");
  const found = whyNotStarted({ providers: ["wasm"] }, new Error("no available backend found. ERR: [wasm] x"));
  assert.ok(found instanceof ServingError && /must lie beside its module, or where `wasmPaths` says/.test(found.message));
});
