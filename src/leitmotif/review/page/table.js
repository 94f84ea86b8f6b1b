// Which key does what: [key, kind of action, its value, meaning].

export const KEYS = [
  ["Listen", [
    ["Space", "play", "turn", "motif, then recurrence; stops what plays"],
    ["1", "play", "motif", "the motif"],
    ["2", "play", "recurrence", "the recurrence"],
    ["3", "play", "both", "both at once, left and right"],
    ["C", "toggle", "context", "with 4 s of context"],
    ["L", "toggle", "loop", "loop"],
    ["O", "toggle", "autoplay", "play each new item at once"],
    ["K", "toggle", "key", "show a transposed recurrence in the motif's key"],
  ]],
  ["Decide", [
    ["P", "verdict", "positive", "positive: the motif returns"],
    ["N", "verdict", "negative", "negative: it sounds alike, but is no return"],
    ["A", "verdict", "ambiguous", "ambiguous: it cannot be told"],
    ["R", "verdict", "rejected", "reject: it cannot be judged (noise, silence, wrong windows)"],
    ["U", "do", "undo", "undo the last decision, or that of the item shown"],
    ["S", "do", "skip", "skip: to the end of the queue"],
    ["M", "do", "note", "write a note"],
  ]],
  ["Move the windows", [
    ["E", "do", "edge", "choose the next edge"],
    ["←", "nudge", "-1", "move it 20 ms earlier (Shift: 100 ms)"],
    ["→", "nudge", "1", "move it 20 ms later (Shift: 100 ms)"],
    ["0", "do", "reset", "back to the proposed windows"],
  ]],
];
