// Keeps the site on this device, so that it is there without a network: the page's side of service_worker.js.

import { byId, make } from "./dom.js";

const PATIENCE_MS = 4000;

const within = (promise) =>
  Promise.race([promise, new Promise((resolve) => setTimeout(() => resolve(undefined), PATIENCE_MS))]);

// Once it is there, all that the page asks for goes through the service worker and is kept as it comes.
function inControl() {
  if (navigator.serviceWorker.controller) return true;
  return within(
    new Promise((resolve) => {
      navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), { once: true });
    }),
  );
}

// Gives { rest() }, which keeps what has not been asked for yet, or { why }, why nothing can be kept.
export async function keepSite() {
  if (!("serviceWorker" in navigator)) {
    return { why: isSecureContext ? "This browser keeps no sites." : "Only sites at https:// or localhost can be kept." };
  }
  let registration;
  try {
    registration = await navigator.serviceWorker.register("service_worker.js", { updateViaCache: "none" });
  } catch (error) {
    return { why: `This browser does not keep it: ${error.message}` };
  }
  watch(registration);
  if (!(await inControl())) return { why: "The service worker did not start. Reload the page." };
  return { rest: () => tell(navigator.serviceWorker.controller, { kind: "keep" }) };
}

function tell(worker, message) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    worker.postMessage(message, [port2]);
  });
}

// A newer site waits until nobody uses the old one, or until it is told to come.
function watch(registration) {
  const offer = () => {
    if (!registration.waiting || byId("renew")) return;
    const renew = () => {
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      registration.waiting.postMessage({ kind: "replace" });
    };
    const text = "A newer version is here: use it";
    byId("nav").prepend(make("button", { type: "button", id: "renew", class: "plain", onclick: renew }, text));
  };
  offer();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", () => {
      if (navigator.serviceWorker.controller) offer();
    });
  });
}
