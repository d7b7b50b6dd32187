// Answers while somebody types, as often as the model can: after a pause as long as a call, and one call at a time.

import { byId, make } from "./dom.js";

const TASKS = ["tag", "classify"]; // what changes with each letter and is there at once
const [SHORTEST_MS, LONGEST_MS] = [30, 600]; // pauses
const TOO_SLOW = 1.5; // seconds of a call from which on nobody wants it at each letter

export function listenToTyping(page, answerer) {
  const text = byId("text");
  const box = make("input", { type: "checkbox", id: "typing" });
  box.checked = true;
  const field = make("label", { id: "typing-field", hidden: true }, box, " While I type");
  byId("lines-field").before(field);

  let timer = null;
  let changed = false;

  const wanted = () => box.checked && !field.hidden;
  const pause = () => Math.min(Math.max(1000 * (answerer.pace.median ?? 0), SHORTEST_MS), LONGEST_MS);

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(answer, pause());
  }

  async function answer() {
    if (!changed || !wanted() || page.running()) return;
    changed = false;
    if (!text.value.trim()) return page.rest();
    if (answerer.pace.median > TOO_SLOW) return;
    await page.run({ typing: true });
    if (changed) soon();
  }

  text.addEventListener("input", (event) => {
    changed = true;
    if (!event.isComposing) soon();
  });
  text.addEventListener("compositionend", soon);
  box.addEventListener("change", () => {
    changed = true;
    soon();
  });
  return {
    // Whether a task is answered like this.
    offer(task) {
      field.hidden = !TASKS.includes(task);
    },
  };
}
