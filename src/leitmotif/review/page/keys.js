// Which key does what. One table serves the keyboard and its legend.

export const KEYS = [
  ["Listen", [
    ["Space", "play", "turn", "motif, then recurrence; or stop"],
    ["1", "play", "motif", "the motif"],
    ["2", "play", "recurrence", "the recurrence"],
    ["3", "play", "both", "both at once, on the left and right"],
    ["C", "toggle", "context", "add 4 s of context"],
    ["L", "toggle", "loop", "loop"],
    ["O", "toggle", "autoplay", "play each new item automatically"],
    ["K", "toggle", "key", "show a transposed recurrence in the motif's key"],
  ]],
  ["Decide", [
    ["P", "verdict", "positive", "positive: the motif returns"],
    ["N", "verdict", "negative", "negative: it sounds similar, but the motif does not return"],
    ["A", "verdict", "ambiguous", "ambiguous: you cannot tell"],
    ["R", "verdict", "rejected", "reject: it cannot be judged (noise, silence, wrong windows)"],
    ["U", "do", "undo", "undo the last decision, or the decision on the item shown"],
    ["S", "do", "skip", "skip: move the item to the end of the queue"],
    ["M", "do", "note", "write a note"],
  ]],
  ["Move the windows", [
    ["E", "do", "edge", "select the next edge"],
    ["←", "nudge", "-1", "move it 20 ms earlier (Shift: 100 ms)"],
    ["→", "nudge", "1", "move it 20 ms later (Shift: 100 ms)"],
    ["0", "do", "reset", "reset to the proposed windows"],
  ]],
  ["Page", [
    ["?", "do", "legend", "this list"],
  ]],
];

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→" };
const BY_KEY = new Map(KEYS.flatMap(([, rows]) => rows.map(([key, ...action]) => [key, action])));

// `act(kind, value, event)` for each key of the table, unless something is being typed.
export function listen(act, enabled) {
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    if (document.querySelector("dialog[open]") || event.target.closest("textarea, input")) return;
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (!undo && !enabled()) return;
    // A button or a link that has the focus is pressed by Space, as everywhere.
    if (event.key === " " && event.target.closest("button, a")) return;
    const key = NAMES[event.key] ?? event.key.toUpperCase();
    const action = undo ? ["do", "undo"] : BY_KEY.get(key);
    if (!action) return;
    event.preventDefault();
    act(action[0], action[1], event);
  });
}

export function legend(container) {
  for (const [title, rows] of KEYS) {
    const heading = document.createElement("h3");
    heading.textContent = title;
    const list = document.createElement("dl");
    for (const [key, , , meaning] of rows) {
      const term = document.createElement("dt");
      const cap = document.createElement("kbd");
      cap.textContent = key;
      term.append(cap);
      const text = document.createElement("dd");
      text.textContent = meaning;
      list.append(term, text);
    }
    const section = document.createElement("section");
    section.append(heading, list);
    container.append(section);
  }
}
