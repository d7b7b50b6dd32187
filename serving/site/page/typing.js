// Answers while somebody types, as often as the model can: one call at a time, and after each a pause as long as it took.

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

  let waiting = false;
  let changed = false;
  let composing = false; // letters of a script that takes several keys for each

  const wanted = () => box.checked && !field.hidden;
  const pause = () => Math.min(Math.max(1000 * (answerer.pace.median ?? 0), SHORTEST_MS), LONGEST_MS);

  async function soon() {
    if (waiting) return;
    waiting = true;
    try {
      while (changed) {
        await new Promise((resolve) => setTimeout(resolve, pause()));
        if (!changed || page.running()) continue; // whoever pressed a button has, or gets, an answer
        changed = false;
        await answer();
      }
    } finally {
      waiting = false;
    }
  }

  async function answer() {
    if (!wanted() || composing) return;
    if (!text.value.trim()) page.rest();
    else if (!(answerer.pace.median > TOO_SLOW)) await page.run({ typing: true });
  }

  const change = () => {
    changed = true;
    soon();
  };
  text.addEventListener("compositionstart", () => (composing = true));
  text.addEventListener("compositionend", () => {
    composing = false;
    change();
  });
  text.addEventListener("input", change);
  box.addEventListener("change", change);
  return {
    // Whoever asked, what stands there is answered.
    asked() {
      changed = false;
    },

    // Whether a task is answered like this.
    offer(task) {
      field.hidden = !TASKS.includes(task);
    },
  };
}
