// Keys and buttons, and what they do.

import { addKeys, listen, typing } from "./keys.js";
import { keysOf } from "./table.js";

// `act(kind, value, event)` does it. `shown()`: the kind of item that is shown, or null.
export function wire(queue, act, shown) {
  const row = ([key, kind, value, meaning, on]) => {
    const repeats = kind === "nudge" || value === "back" || value === "on";
    const action = (event) => {
      const fits = shown() ? on.split(" ").includes(shown()) : value === "undo";
      return fits ? act(kind, value, event) : false;
    };
    return [key, meaning, action, repeats];
  };
  for (const [title, rows] of keysOf(queue)) addKeys(title, rows.map(row));
  listen(document.getElementById("legend"), document.getElementById("legend-open"));
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.repeat || typing(event)) return;
    event.preventDefault();
    if (shown() !== "draft") act("do", "undo", event);
  });
  for (const kind of ["play", "verdict", "heard", "toggle", "do"]) {
    for (const button of document.querySelectorAll(`button[data-${kind}]`)) {
      button.addEventListener("click", (event) => {
        // Focus stays on a button only for who came by keyboard: Space is for playing.
        if (event.detail) button.blur();
        act(kind, button.dataset[kind], event);
      });
    }
  }
  document.getElementById("marks").addEventListener("submit", (event) => {
    event.preventDefault();
    act("do", "hear", event);
  });
}
