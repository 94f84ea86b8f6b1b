// The page: fetches items, plays and draws them, and sends verdicts. A verdict counts when the
// server has answered that it is on the disk; until then the page stays where it is.

import { announce } from "./announce.js";
import { Api, newKey, Problem } from "./api.js";
import { Editor } from "./editor.js";
import { fetchNext, prepare } from "./loading.js";
import { PairSound } from "./playback.js";
import { Player } from "./player.js";
import { remember, setting, themes } from "./settings.js";
import { Screen } from "./screen.js";
import { StretchDesk } from "./stretch.js";
import { StretchScreen } from "./stretch_screen.js";
import { wire } from "./wiring.js";
import { time, transposition, VERDICTS } from "./words.js";

const [, , REVIEWER, QUEUE, FIRST_PAIR] = location.pathname.split("/");
const IN_QUEUE = "#in-queue"; // the address of a pair that somebody marked again
const api = new Api(REVIEWER, QUEUE);
const screen = new Screen(REVIEWER, QUEUE);
const player = new Player();
const toggles = { context: false, loop: false, autoplay: true, key: false, repeat: false };
const editor = new Editor(() => screen.words(current, editor.windows()), () => sound.again());
const sound = new PairSound(player, editor, toggles);
const desk = new StretchDesk(player, toggles, (text, kind) => screen.say(text, kind));
const stretchScreen = new StretchScreen(REVIEWER, screen, desk);

let current = null; // the item shown, with its decoded sound
let upcoming = null; // a promise of the next one
let state = null;
let busy = false;
let unanswered = null; // what was sent under which key, and not answered
let touched = false; // whether the browser lets us make sound

// ---- items

function preload() {
  upcoming = fetchNext(api, [current.pair]);
  upcoming.catch(() => {}); // said when it is wanted
}

async function forward() {
  await guarded(async () => {
    const waiting = upcoming;
    upcoming = null;
    const ahead = await waiting?.catch(() => null);
    // What was fetched ahead knows nothing of the decision since: its counts are out of date.
    const got = ahead?.item ? { item: ahead.item, state: null } : await fetchNext(api);
    show(got.item, got.state, "push");
  }, forward);
}

async function open(pair, history) {
  await guarded(async () => {
    const { item } = await api.item(pair);
    await prepare(api, item);
    const { state: fresh } = await api.next([pair]);
    show(item, fresh, history);
  }, forward);
}

function show(item, fresh, history) {
  player.open([]); // also what is only about to play
  current = item;
  state = fresh ?? state;
  screen.state(state);
  sound.open(item?.kind === "stretch" ? null : item);
  if (!item) {
    screen.finished(state);
    return;
  }
  const address = `/as/${REVIEWER}/${QUEUE}/${item.pair}`;
  if (history === "push" && address !== location.pathname) window.history.pushState(null, "", address);
  if (history === "replace") window.history.replaceState(null, "", address);
  if (item.kind === "stretch") {
    desk.open(item);
    stretchScreen.show(item);
  } else {
    editor.open(item, toggles);
    screen.item(item, editor);
    if (item.clips && toggles.autoplay && touched) sound.play("turn");
  }
  if (item.kind !== "draft") preload();
}

function redraw() {
  if (current?.kind === "stretch") stretchScreen.draw(current);
  else if (current) screen.draw(current, editor);
}

// ---- decisions

// Whether the item shown can be answered: what was answered has to be undone first.
function answerable() {
  if (!current || busy) return false;
  if (!current.decision) return true;
  screen.say(`You already decided: ${VERDICTS[current.decision.verdict].toLowerCase()}. Undo it first: press U.`, "warn");
  return false;
}

async function decide(verdict) {
  if (!answerable()) return;
  if (current.problem && verdict !== "rejected") {
    screen.say("This item cannot be heard: reject it (R) or skip it (S).", "warn");
    return;
  }
  const press = keyed(`${current.pair} ${verdict}`, { pair: current.pair, verdict, ...editor.windows(), note: current.note ?? "" });
  await send((sent) => api.decide(sent), press, forward);
}

async function hear(verdict) {
  if (!answerable()) return;
  if (current.problem && verdict === "nothing_else") {
    screen.say("This stretch cannot be heard: skip it (S), or say that you cannot tell (A).", "warn");
    return;
  }
  const hearing = keyed(`${current.pair} ${verdict}`, { pair: current.pair, verdict, stretch: desk.heard, note: current.note ?? "" });
  await send((sent) => api.listen(sent), hearing, forward);
}

// The pair that was marked is heard before it is saved.
async function draft() {
  const marked = busy ? null : desk.draft();
  if (!marked) return;
  await work(async () => {
    const { item } = await api.draft(marked);
    item.note = current.note ?? "";
    show(await prepare(api, item), null, null);
  });
}

async function transposed(field) {
  if (current?.kind !== "draft" || !field.validity.valid || field.value === "") return;
  current.transposition = Number(field.value);
  if (current.matrix) current.matrix.values = await api.matrix(current.track.id, current.transposition);
  redraw();
}

async function saveDraft() {
  if (busy) return;
  const pair = { track_id: current.track.id, ...editor.windows(), transposition: current.transposition, note: current.note ?? "" };
  await send((sent) => api.add(sent), keyed(JSON.stringify(pair), pair), async () => {
    desk.clear();
    upcoming = null;
    await open(desk.item.pair, null);
  });
}

function leave() {
  if (current.clips) desk.take(editor.windows(), current.transposition);
  desk.item.note = current.note;
  show(desk.item, null, null);
}

// The same verdict again after no answer is the same press: the server saves a key once.
function keyed(what, fields) {
  return unanswered?.what === what ? unanswered : { what, sent: { key: newKey(), ...fields } };
}

async function send(request, press, then) {
  await work(async () => {
    unanswered = press;
    const answer = await request(press.sent);
    unanswered = null;
    state = answer.state;
    screen.saved(answer, current);
    await then();
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
    const added = QUEUE === "stretches" && undone.windows.motif;
    screen.say(added ? "Undone: the pair that you added." : `Undone: ${VERDICTS[undone.verdict].toLowerCase()}.`);
    upcoming = null;
    if (answer.undone) await open(answer.undone, "push");
    else await forward();
    if (added && current?.buffer) desk.take(undone.windows, "");
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
    if (problem.pair) location.assign(`/as/${REVIEWER}/review/${problem.pair}${IN_QUEUE}`);
    else if (problem.status === 409) {
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
  play: (mode) => sound.toggle(mode),
  verdict: decide,
  heard: hear,
  toggle,
  nudge: (direction, event) => editor.nudge(Number(direction) * (event.shiftKey ? 5 : 1)),
  do: (what, event) => DO[what](event),
};
const DO = {
  undo,
  skip,
  note,
  position: () => announce(current.kind === "stretch" ? desk.words() : sound.words()),
  words,
  edge: () => editor.nextEdge(),
  reset: () => editor.reset(),
  add: () => current.listen_at && location.assign(`/as/${REVIEWER}/stretches/${current.listen_at}`),
  play: () => desk.toggle(),
  back: (event) => desk.move(event.shiftKey ? -5 : -1),
  on: (event) => desk.move(event.shiftKey ? 5 : 1),
  home: () => desk.home(),
  in: () => desk.border("in"),
  out: () => desk.border("out"),
  motif: () => desk.mark("motif"),
  recurrence: () => desk.mark("recurrence"),
  hear: draft,
  save: saveDraft,
  leave,
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
  if (name === "loop" || name === "context") sound.again();
  if (name === "repeat") desk.loop();
}

function words() {
  if (current.kind === "stretch") announce(stretchScreen.words(current));
  else {
    document.getElementById("numbers").open = true;
    announce(screen.words(current, editor.windows()));
  }
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
  wire(QUEUE, act, () => current?.kind ?? null);
  document.getElementById("draft-semitones").addEventListener("change", (event) => transposed(event.target));
  player.addEventListener("change", () => screen.playing(current?.kind === "stretch" ? player.playing : sound.mode));
  document.addEventListener("pointerdown", () => (touched = true), { once: true });
  window.addEventListener("popstate", () => {
    const pair = location.pathname.split("/")[4];
    if (pair) open(pair, null);
    else forward();
  });
  window.addEventListener("resize", redraw);
  if (FIRST_PAIR) open(FIRST_PAIR, null).then(arrived);
  else first();
}

function arrived() {
  if (location.hash !== IN_QUEUE) return;
  window.history.replaceState(null, "", location.pathname);
  screen.say("A pair with nearly the windows that you marked is in the queue: this one. Its edges can be moved.", "warn");
}

function first() {
  guarded(async () => {
    const got = await fetchNext(api);
    show(got.item, got.state, "replace");
  }, first);
}

start();

// For tests and the curious: what plays, and how loud it is.
const heard = { playing: () => sound.mode, positions: () => sound.positions() };
window.review = { player, desk, time, transposition, ...heard, get current() { return current; } };
