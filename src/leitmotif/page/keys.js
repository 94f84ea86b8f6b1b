// Which key does what. Each page's part adds its rows; one table serves the keyboard and its legend.

import { remember, setting } from "./settings.js";

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→" };
const sections = [];

// `rows`: [key, meaning, action, repeats]; an action returns false for a key that it has no use for,
// which is then the next row's with this key.
export function addKeys(title, rows) {
  sections.push([title, rows]);
}

// Whether a key is for a dialog or a field, and not for the page.
export function typing(event) {
  return document.querySelector("dialog[open]") || event.target.closest("textarea, input:not([type=radio]), select");
}

export function listen(dialog, open) {
  addKeys("Page", [["?", "this list", () => dialog.showModal()]]);
  open.hidden = false;
  open.addEventListener("click", () => dialog.showModal());
  const single = dialog.querySelector("#single-keys"); // voice control types letters
  single.checked = setting("single-keys", true);
  single.addEventListener("change", () => remember("single-keys", single.checked));
  const byKey = Map.groupBy(sections.flatMap(([, rows]) => rows), ([key]) => key);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !single.checked) return;
    if (typing(event)) return;
    // A button or a link that has the focus is pressed by Space, as everywhere.
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    const rows = byKey.get(NAMES[event.key] ?? event.key.toUpperCase()) ?? [];
    if (rows.some(([, , act, repeats]) => (repeats || !event.repeat) && act(event) !== false)) event.preventDefault();
  });
  const container = dialog.querySelector(".keys");
  for (const [title, rows] of sections) {
    const section = container.appendChild(document.createElement("section"));
    section.append(Object.assign(document.createElement("h3"), { textContent: title }));
    const list = section.appendChild(document.createElement("dl"));
    for (const [key, meaning] of rows) {
      const term = list.appendChild(document.createElement("dt"));
      term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      list.append(Object.assign(document.createElement("dd"), { textContent: meaning }));
    }
  }
}
