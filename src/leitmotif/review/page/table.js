// Which key does what: [key, kind of action, its value, meaning].

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
];
