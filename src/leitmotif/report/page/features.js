// What the feature pages do beside playing: tables that sort, and keys that walk from moment to moment.

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

// Keys that play the moments one after the other, the focus going along.
export function walkMoments(samples) {
  const moments = samples.filter(({ figure }) => figure.classList.contains("firing"));
  if (!moments.length) return;
  let at = -1;
  const go = (by) => {
    const focused = moments.findIndex(({ figure }) => figure.contains(document.activeElement));
    at = Math.min(moments.length - 1, Math.max(0, (focused < 0 ? at : focused) + by));
    moments[at].button.focus();
    moments[at].figure.scrollIntoView({ block: "nearest" });
    if (!(moments[at].mine && moments[at].player.playing)) moments[at].toggle();
  };
  addKeys("Moments", [
    ["N", "play the next moment", () => go(1), true],
    ["P", "play the previous one", () => go(-1), true],
  ]);
}
