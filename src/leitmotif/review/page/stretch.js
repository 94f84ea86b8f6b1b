// A stretch of a recording: it is played from any place, a part of it is selected, and the windows of
// a pair that is missing are marked.

import { announce } from "./announce.js";
import { prepared, colour } from "./drawing.js";
import { fill, movable, steps, tell, typed } from "./edges.js";
import { Lane } from "./lane.js";
import { drawRecording, mark, selected } from "./overview.js";
import { range, time } from "./words.js";

const [STEP, PAGE] = [1, 10]; // seconds that a key moves the playing position
const DRAG = 4; // CSS pixels from which a press is a drag
const WINDOWS = ["motif", "recurrence"];
const element = (id) => document.getElementById(id);

export class StretchDesk {
  #frame = 0;

  // `changed()` when something is to be drawn anew elsewhere; `say(text, kind)` tells the person.
  constructor(player, toggles, say) {
    Object.assign(this, { player, toggles, say, item: null });
    this.lane = new Lane(document.querySelector(".view[data-lane=stretch]"));
    this.strip = element("seek");
    this.#listen();
  }

  open(item) {
    this.item = item;
    this.locked = Boolean(item.decision);
    this.heard = { ...(item.decision?.windows.stretch ?? item.stretch) };
    if (this.kept !== item.pair) this.clear();
    this.kept = item.pair;
    if (!item.buffer) return;
    this.lane.show(item.view, item.sample_rate);
    this.player.open([item.buffer]);
    this.seek(this.heard.start_sample);
  }

  // Forget what was marked.
  clear() {
    this.selection = null;
    for (const field of element("marks").querySelectorAll("input")) field.value = "";
  }

  draw() {
    const { item, lane, heard } = this;
    this.#describe();
    if (!item?.view) return;
    const { sample_rate: rate } = item;
    const pairs = item.pairs.map(({ windows }) => windows);
    drawRecording(this.strip.querySelector(".score"), item.recording, { pairs, stretch: item.stretch, selection: this.selection });
    const margin = Math.min(rate, item.stretch.samples / 40);
    lane.draw({ window: heard, origin: item.stretch.start_sample, from: -margin, to: item.stretch.samples + margin, turn: 0 });
    const context = lane.score.getContext("2d");
    const place = ({ start_sample: start, samples }) => [lane.x(start), lane.x(start + samples) - lane.x(start)];
    for (const windows of pairs) for (const name of WINDOWS) mark(context, ...place(windows[name]), 0, colour(`--${name}`));
    for (const name of WINDOWS) {
      const window = this.#marked(name);
      if (window) mark(context, ...place(window), 7, colour(`--${name}`));
    }
    if (this.selection) selected(context, ...place(this.selection), lane.score.clientHeight);
    this.#playheads();
  }

  // ---- playing

  get place() {
    return this.item.sound.start_sample + Math.round(this.player.position * this.item.sample_rate);
  }

  toggle() {
    if (!this.item?.buffer) return;
    if (this.player.playing) this.player.pause();
    else this.player.play().then(() => this.#follow());
  }

  seek(sample) {
    const { sound, sample_rate: rate } = this.item;
    this.player.seek((sample - sound.start_sample) / rate);
    this.#playheads();
  }

  move(seconds) {
    if (this.item?.buffer) this.seek(this.place + seconds * this.item.sample_rate);
  }

  home() {
    if (this.item?.buffer) this.seek(this.item.stretch.start_sample);
  }

  loop() {
    const { selection, item } = this;
    if (!item?.buffer) return;
    const on = this.toggles.repeat && selection;
    const ends = on ? [selection.start_sample, selection.start_sample + selection.samples] : null;
    const span = ends?.map((sample) => (sample - item.sound.start_sample) / item.sample_rate) ?? null;
    this.player.setLoop(span);
    // From within: a loop that has not been reached is not begun.
    if (span && (this.player.position < span[0] || this.player.position >= span[1])) this.player.seek(span[0]);
  }

  words() {
    const { item } = this;
    if (!item?.buffer) return "Nothing can be played.";
    const inside = (this.place - item.stretch.start_sample) / item.sample_rate;
    const where = inside < 0 ? "before the stretch" : `${inside.toFixed(2)} s into the stretch`;
    return `${this.player.playing ? "Playing" : "Paused"} at ${time(this.place, item.sample_rate)}, ${where}.`;
  }

  // ---- selecting and marking

  select(from, to) {
    const { sound, shortest_window: shortest } = this.item;
    const [low, high] = [sound.start_sample, sound.start_sample + sound.samples];
    const [start, end] = [Math.min(from, to), Math.max(from, to)].map((place) => Math.round(Math.min(high, Math.max(low, place))));
    this.selection = end - start >= shortest ? { start_sample: start, samples: end - start } : null;
    if (this.toggles.repeat) this.loop();
    this.draw();
  }

  // The selection begins, or ends, at the playing position.
  border(edge) {
    if (!this.item?.buffer) return;
    const { selection, place, item } = this;
    const second = item.sample_rate;
    const end = selection ? selection.start_sample + selection.samples : 0;
    if (edge === "in") this.select(place, end > place ? end : place + second);
    else this.select(selection && selection.start_sample < place ? selection.start_sample : place - second, place);
    announce(element("selection").textContent);
  }

  // The selection becomes a window of the pair.
  mark(name) {
    if (!this.selection) {
      this.say("Select a part first: I and O at the playing position, or drag.", "warn");
      return;
    }
    const { start_sample: start, samples } = this.selection;
    const rate = this.item.sample_rate;
    fill(element(`mark-${name}-start`), start, rate);
    fill(element(`mark-${name}-end`), start + samples, rate);
    this.draw();
    announce(`The ${name} is ${range(this.selection, rate)}.`);
  }

  // What was marked, for the server; null and a word where something is missing.
  draft() {
    const [motif, recurrence] = WINDOWS.map((name) => this.#marked(name));
    if (!motif || !recurrence) {
      const name = motif ? "recurrence" : "motif";
      this.say(`The ${name} needs a start and a later end, in seconds of the recording.`, "warn");
      element(`mark-${name}-start`).focus();
      return null;
    }
    const semitones = element("mark-semitones");
    if (!semitones.validity.valid) {
      this.say("The transposition is a whole number of semitones from -11 to 11, or empty.", "warn");
      semitones.focus();
      return null;
    }
    const transposition = semitones.value === "" ? null : Number(semitones.value);
    return { track_id: this.item.track.id, motif, recurrence, transposition };
  }

  // The windows of a pair that is heard, or was undone, as fields.
  take({ motif, recurrence }, semitones) {
    const rate = this.item.sample_rate;
    for (const [name, { start_sample: start, samples }] of Object.entries({ motif, recurrence })) {
      fill(element(`mark-${name}-start`), start, rate);
      fill(element(`mark-${name}-end`), start + samples, rate);
    }
    element("mark-semitones").value = semitones;
  }

  #marked(name) {
    const [start, end] = ["start", "end"].map((edge) => element(`mark-${name}-${edge}`));
    if ([start, end].some((field) => field.value === "" || Number(field.value) < 0)) return null;
    const [first, last] = [start, end].map((field) => Math.round(Number(field.value) * this.item.sample_rate));
    return last > first ? { start_sample: first, samples: last - first } : null;
  }

  // ---- what was listened to

  #edge(edge) {
    return edge === "start" ? this.heard.start_sample : this.heard.start_sample + this.heard.samples;
  }

  #limits(edge) {
    const { stretch, shortest_stretch: shortest } = this.item;
    return edge === "start"
      ? [stretch.start_sample, this.#edge("end") - shortest]
      : [this.#edge("start") + shortest, stretch.start_sample + stretch.samples];
  }

  #setHeard(edge, sample) {
    if (this.locked || !this.item?.view) return;
    const [low, high] = this.#limits(edge);
    const place = Math.min(high, Math.max(low, Math.round(sample)));
    const [start, end] = edge === "start" ? [place, this.#edge("end")] : [this.#edge("start"), place];
    this.heard = { start_sample: start, samples: end - start };
    this.draw();
  }

  #describe() {
    const { item, selection } = this;
    element("selection").textContent = !item ? "" : selection
      ? `Selection: ${range(selection, item.sample_rate)}`
      : "No selection: press I and O, or drag";
    if (!item?.view) return;
    const { sample_rate: rate } = item;
    this.lane.score.setAttribute("aria-label", `Waveform and chroma of the stretch, ${range(item.stretch, rate)}`);
    for (const edge of ["start", "end"]) {
      const field = element(`heard-${edge}`);
      tell(this.lane.edges[edge], this.#limits(edge), this.#edge(edge), rate);
      this.lane.edges[edge].setAttribute("aria-disabled", String(this.locked));
      fill(field, this.#edge(edge), rate);
      field.disabled = this.locked;
    }
  }

  #playheads() {
    const { item, player, strip } = this;
    if (!item?.view) return;
    const { sample_rate: rate, sound } = item;
    const now = sound.start_sample + player.heard * rate;
    this.lane.playhead((now - item.view.start_sample) / rate);
    const { context, width, height } = prepared(strip.querySelector(".playhead"));
    context.clearRect(0, 0, width, height);
    context.fillStyle = colour("--ink");
    context.fillRect((now / item.recording.samples) * width - 0.75, 0, 1.5, height);
    tell(strip, [sound.start_sample, sound.start_sample + sound.samples], this.place, rate);
    element("position").textContent = `${time(now, rate)} of ${time(item.recording.samples, rate)}`;
  }

  #follow() {
    cancelAnimationFrame(this.#frame);
    this.#playheads();
    if (this.player.playing) this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #listen() {
    for (const edge of ["start", "end"]) {
      const rate = () => this.item.sample_rate;
      const move = (sample) => this.#setHeard(edge, sample);
      movable(this.lane.edges[edge], this.lane.view, {
        rate, move, place: () => this.#edge(edge), limits: () => this.#limits(edge), at: (x) => this.lane.sample(x),
      });
      typed(element(`heard-${edge}`), rate, (sample) => {
        move(sample);
        fill(element(`heard-${edge}`), this.#edge(edge), rate());
      });
    }
    element("marks").addEventListener("change", () => this.draw());
    this.strip.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.item?.buffer) return;
      const seconds = steps(event, STEP, PAGE);
      const { stretch } = this.item;
      const end = { Home: stretch.start_sample, End: stretch.start_sample + stretch.samples }[event.key];
      if (seconds === null && end === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      if (seconds === null) this.seek(end);
      else this.move(seconds);
    });
    this.#drags(this.strip, (x) => (x / this.strip.clientWidth) * this.item.recording.samples);
    this.#drags(this.lane.view, (x) => this.lane.sample(x));
  }

  // A press seeks, a drag selects.
  #drags(view, at) {
    let from = null;
    const x = (event) => event.clientX - view.getBoundingClientRect().left;
    view.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.item?.buffer) return;
      from = x(event);
      view.setPointerCapture(event.pointerId);
    });
    view.addEventListener("pointermove", (event) => {
      if (from !== null && Math.abs(x(event) - from) > DRAG) this.select(at(from), at(x(event)));
    });
    view.addEventListener("pointerup", (event) => {
      if (from !== null && Math.abs(x(event) - from) <= DRAG) this.seek(at(x(event)));
      from = null;
    });
    view.addEventListener("pointercancel", () => (from = null));
  }
}
