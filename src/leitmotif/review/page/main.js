// The page: fetches items, plays and draws them, and sends verdicts. A verdict counts when the
// server has answered that it is on the disk; until then the page stays where it is.

import { Api, newKey, Problem } from "./api.js";
import { Editor } from "./editor.js";
import { addKeys, listen, typing } from "./keys.js";
import { decoded, Player } from "./player.js";
import { remember, setting, themes } from "./settings.js";
import { Screen } from "./screen.js";
import { arranged } from "./sequence.js";
import { KEYS } from "./table.js";
import { time, transposition, VERDICTS } from "./words.js";

const [, , REVIEWER, QUEUE, FIRST_PAIR] = location.pathname.split("/");
const api = new Api(REVIEWER, QUEUE);
const screen = new Screen(REVIEWER, QUEUE);
const editor = new Editor(() => {
  if (player.playing) play(sounding.mode);
});
const player = new Player();
const toggles = { context: false, loop: false, autoplay: true, key: false };

let sounding = null; // what was played last: its mode, its sound, where each clip lies in it
let current = null; // the item shown, with its decoded clips
let upcoming = null; // a promise of the next one
let state = null;
let busy = false;
let unanswered = null; // a verdict that was sent and not answered
let touched = false; // whether the browser lets us make sound

// ---- items

async function prepare(item) {
  if (!item?.clips) return item;
  const entries = Object.entries(item.clips);
  const [buffers, matrix] = await Promise.all([
    Promise.all(entries.map(async ([, clip]) => decoded(await api.clip(clip.name), item.sample_rate))),
    item.matrix ? api.matrix(item.track.id, item.transposition) : null,
  ]);
  item.buffers = Object.fromEntries(entries.map(([name], index) => [name, buffers[index]]));
  if (item.matrix) item.matrix.values = matrix;
  return item;
}

async function fetchNext(but) {
  const answer = await api.next(but);
  return { item: await prepare(answer.item), state: answer.state };
}

function preload() {
  const but = [current.pair];
  upcoming = fetchNext(but);
  upcoming.catch(() => {}); // said when it is wanted
}

async function forward() {
  await guarded(async () => {
    const waiting = upcoming;
    upcoming = null;
    const ahead = await waiting?.catch(() => null);
    // What was fetched ahead knows nothing of the decision since: its counts are out of date.
    if (ahead?.item) show(ahead.item, null, "push");
    else {
      const got = await fetchNext([]);
      show(got.item, got.state, "push");
    }
  }, forward);
}

async function open(pair, history) {
  await guarded(async () => {
    const { item } = await api.item(pair);
    await prepare(item);
    const { state: fresh } = await api.next([pair]);
    show(item, fresh, history);
  }, forward);
}

function show(item, fresh, history) {
  player.open([]); // also what is only about to play
  current = item;
  state = fresh ?? state;
  screen.state(state);
  if (!item) {
    screen.finished(state);
    return;
  }
  const address = `/as/${REVIEWER}/${QUEUE}/${item.pair}`;
  if (history === "push" && address !== location.pathname) window.history.pushState(null, "", address);
  if (history === "replace") window.history.replaceState(null, "", address);
  editor.open(item, toggles);
  screen.item(item, editor);
  if (item.clips && toggles.autoplay && touched) play("turn");
  preload();
}

function redraw() {
  if (current) screen.draw(current, editor);
}

// ---- playback

// What plays: turn, motif, recurrence or both; null for nothing.
function playing() {
  return player.playing ? sounding.mode : null;
}

function play(mode) {
  if (!current?.buffers) return;
  sounding = { mode, ...arranged(mode, editor.parts(current, toggles.context), toggles.loop) };
  player.open([sounding.buffer]);
  if (toggles.loop) player.loop = [0, sounding.buffer.duration];
  player.play().then(follow);
}

function toggleMode(mode) {
  if (playing() === mode || (mode === "turn" && player.playing)) player.stop();
  else play(mode);
}

// Where each clip is now, in its seconds: {motif: 3.21}, or {} between them.
function positions() {
  if (!player.playing) return {};
  const now = player.heard;
  const heard = sounding.places.filter(({ at, duration }) => now >= at && now < at + duration);
  return Object.fromEntries(heard.map(({ name, at, offset }) => [name, offset + now - at]));
}

function follow() {
  editor.playheads(positions());
  if (player.playing) requestAnimationFrame(follow);
}

// ---- decisions

async function decide(verdict) {
  if (!current || busy) return;
  if (current.decision) {
    screen.say(`You already decided: ${current.decision.verdict}. Undo it first: press U.`, "warn");
    return;
  }
  if (current.problem && verdict !== "rejected") {
    screen.say("This item cannot be heard: reject it (R) or skip it (S).", "warn");
    return;
  }
  // The same verdict again after no answer is the same press: the server saves a key once.
  const again = unanswered?.pair === current.pair && unanswered.verdict === verdict;
  const press = again
    ? unanswered
    : { key: newKey(), pair: current.pair, verdict, ...editor.windows(), note: current.note ?? "" };
  await work(async () => {
    unanswered = press;
    const answer = await api.decide(press);
    unanswered = null;
    state = answer.state;
    screen.saved(answer, current);
    await forward();
  });
}

async function undo() {
  const undone = current?.decision ?? state?.last;
  if (!undone || busy) {
    if (!undone) screen.say("There is nothing to undo.", "warn");
    return;
  }
  await work(async () => {
    const answer = await api.undo({ key: newKey(), undoes: undone.key });
    state = answer.state;
    screen.say(`Undone: ${VERDICTS[undone.verdict].toLowerCase()}.`);
    upcoming = null;
    await open(answer.undone, "push");
  });
}

async function skip() {
  if (!current || busy) return;
  await work(async () => {
    if (!current.decision) {
      const answer = await api.skip(current.pair);
      state = answer.state;
      screen.say("Skipped: the item comes again at the end.");
    }
    upcoming = upcoming && state.progress.remaining > 1 ? upcoming : null;
    await forward();
  });
}

// One request at a time. A conflict means that another tab was faster.
async function work(task) {
  busy = true;
  screen.busy(true);
  try {
    await task();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (!problem.unanswered) unanswered = null;
    screen.problem(problem);
    if (problem.status === 409) {
      upcoming = null;
      await forward();
    }
  } finally {
    busy = false;
    screen.busy(false);
  }
}

// Shows a failure in the item's place, with a way on.
async function guarded(task, again) {
  try {
    await task();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    upcoming = null;
    current = null;
    screen.failed(problem, again);
  }
}

// ---- keys, buttons, settings

const ACTIONS = {
  play: toggleMode,
  verdict: decide,
  toggle,
  nudge: (direction, event) => editor.nudge(Number(direction) * (event.shiftKey ? 5 : 1)),
  do: (what) => ({ undo, skip, note, edge: () => editor.nextEdge(), reset: () => editor.reset() })[what](),
};

function act(kind, value, event) {
  touched = true;
  if (!current && value !== "undo") return;
  ACTIONS[kind](value, event);
}

function toggle(name) {
  toggles[name] = !toggles[name];
  remember(name, toggles[name]);
  screen.toggle(name, toggles[name]);
  if (name === "context" || name === "key") editor.draw();
  if (player.playing && (name === "loop" || name === "context")) play(sounding.mode);
}

function note() {
  screen.note(current.note ?? "", (text) => {
    current.note = text;
    screen.noted(text);
  });
}

function start() {
  for (const name of Object.keys(toggles)) {
    toggles[name] = setting(name, toggles[name]);
    screen.toggle(name, toggles[name]);
  }
  themes(document.getElementById("theme"), redraw);
  for (const [title, rows] of KEYS) {
    addKeys(title, rows.map(([key, kind, value, meaning]) => [key, meaning, (event) => act(kind, value, event), kind === "nudge"]));
  }
  listen(document.getElementById("legend"), document.getElementById("legend-open"));
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.repeat || typing(event)) return;
    event.preventDefault();
    act("do", "undo", event);
  });
  for (const kind of ["play", "verdict", "toggle", "do"]) {
    for (const button of document.querySelectorAll(`button[data-${kind}]`)) {
      button.addEventListener("click", (event) => {
        // Focus stays on a button only for who came by keyboard: Space is for playing.
        if (event.detail) button.blur();
        act(kind, button.dataset[kind], event);
      });
    }
  }
  player.addEventListener("change", () => screen.playing(playing()));
  document.addEventListener("pointerdown", () => (touched = true), { once: true });
  window.addEventListener("popstate", () => {
    const pair = location.pathname.split("/")[4];
    if (pair) open(pair, null);
    else forward();
  });
  window.addEventListener("resize", redraw);
  if (FIRST_PAIR) open(FIRST_PAIR, null);
  else first();
}

function first() {
  guarded(async () => {
    const got = await fetchNext([]);
    show(got.item, got.state, "replace");
  }, first);
}

start();

// For tests and the curious: what plays, and how loud it is.
window.review = { player, playing, positions, get current() { return current; }, time, transposition };
