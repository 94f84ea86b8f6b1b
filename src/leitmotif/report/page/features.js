// What pages do beside playing: tables that sort, and keys that walk from clip to clip.

import { addKeys } from "./keys.js";

export function sortTable(table) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    if ("fixed" in heading.dataset) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].sort((a, b) => comparedCells(a.cells[column], b.cells[column], up));
      body.append(...rows);
    });
  });
}

// Numbers as numbers, words as words; what is missing comes last either way.
function comparedCells(a, b, up) {
  const [one, other] = [a.dataset.value, b.dataset.value];
  if (one === "" || other === "") return (one === "") - (other === "");
  const [x, y] = [Number(one), Number(other)];
  const order = Number.isNaN(x) || Number.isNaN(y) ? one.localeCompare(other) : x - y;
  return up ? order : -order;
}

// Keys that play the moments of a feature or the clips of a table one after the other, the focus
// going along.
export function walkClips(samples) {
  const every = samples.filter(({ figure }) => figure.matches(".firing, .exit"));
  if (!every.length) return;
  let last = null;
  const go = (by) => {
    const clips = every.filter(({ figure }) => figure.checkVisibility());
    const focused = clips.findIndex(({ figure }) => figure.contains(document.activeElement));
    const from = focused < 0 ? clips.indexOf(last) : focused;
    last = clips[Math.min(clips.length - 1, Math.max(0, from + by))];
    last.button.focus();
    last.figure.scrollIntoView({ block: "nearest" });
    if (!(last.mine && last.player.playing)) last.toggle();
  };
  addKeys("Clips", [
    ["N", "play the next clip", () => go(1), true],
    ["P", "play the previous one", () => go(-1), true],
  ]);
}
