// Which key does what: [key, kind of action, its value, meaning, on what]. `on` names the kinds of
// item for which the key is: a pair of a queue, a draft that is not saved yet, a stretch.

const HEAR = [
  ["Space", "play", "turn", "motif, then recurrence; or stop", "pair draft"],
  ["1", "play", "motif", "the motif", "pair draft"],
  ["2", "play", "recurrence", "the recurrence", "pair draft"],
  ["3", "play", "both", "both at once, on the left and right", "pair draft"],
  ["C", "toggle", "context", "add 4 s of context", "pair draft"],
  ["L", "toggle", "loop", "loop", "pair draft"],
  ["O", "toggle", "autoplay", "play each new item automatically", "pair draft"],
  ["K", "toggle", "key", "show a transposed recurrence in the motif's key", "pair draft"],
];

const MOVE = ["Move the windows", [
  ["E", "do", "edge", "select the next edge", "pair draft"],
  ["←", "nudge", "-1", "move it 20 ms earlier (Shift: 100 ms)", "pair draft"],
  ["→", "nudge", "1", "move it 20 ms later (Shift: 100 ms)", "pair draft"],
  ["0", "do", "reset", "reset to the first windows", "pair draft"],
]];

const SAID = ["In words", [
  ["W", "do", "words", "say what is shown: places, lengths, similarity", "pair draft stretch"],
  ["T", "do", "position", "say where it plays", "pair draft stretch"],
]];

const AFTER = [
  ["U", "do", "undo", "undo what was saved last, or what was saved of the item shown", "pair stretch"],
  ["S", "do", "skip", "skip: move the item to the end of the queue", "pair stretch"],
  ["M", "do", "note", "write a note", "pair draft stretch"],
];

const PAIRS = [
  ["Listen", HEAR],
  ["Decide", [
    ["P", "verdict", "positive", "positive: the motif returns", "pair"],
    ["N", "verdict", "negative", "negative: it sounds similar, but the motif does not return", "pair"],
    ["A", "verdict", "ambiguous", "ambiguous: you cannot tell", "pair"],
    ["R", "verdict", "rejected", "reject: it cannot be judged (noise, silence, wrong windows)", "pair"],
    ...AFTER,
    ["D", "do", "add", "add a pair that is missing in this recording", "pair"],
  ]],
  MOVE,
  SAID,
];

const STRETCHES = [
  ["Listen to the stretch", [
    ["Space", "do", "play", "play from the playing position; or pause", "stretch"],
    ["←", "do", "back", "1 s back (Shift: 5 s)", "stretch"],
    ["→", "do", "on", "1 s on (Shift: 5 s)", "stretch"],
    ["H", "do", "home", "back to the start of the stretch", "stretch"],
    ["I", "do", "in", "the selection starts here", "stretch"],
    ["O", "do", "out", "the selection ends here", "stretch"],
    ["L", "toggle", "repeat", "loop the selection", "stretch"],
  ]],
  ["Answer", [
    ["N", "heard", "nothing_else", "nothing else returns here", "stretch"],
    ["A", "heard", "cannot_tell", "you cannot tell", "stretch"],
    ...AFTER,
  ]],
  ["Add a pair", [
    ["1", "do", "motif", "the selection is the motif", "stretch"],
    ["2", "do", "recurrence", "the selection is its recurrence", "stretch"],
    ["D", "do", "hear", "hear the pair before it is saved", "stretch"],
    ["P", "do", "save", "save the pair: the motif returns", "draft"],
    ["B", "do", "leave", "back to the stretch, without saving", "draft"],
  ]],
  ["Hear the pair", HEAR],
  MOVE,
  SAID,
];

export function keysOf(queue) {
  return queue === "stretches" ? STRETCHES : PAIRS;
}
