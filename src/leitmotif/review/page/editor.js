// The two windows of an item and their edges, which keys and pointers move.

import { fill, movable, tell, typed } from "./edges.js";
import { Lane } from "./lane.js";
import { duration, range } from "./words.js";

const STEP = 0.02; // seconds that a key moves a border
const MARGIN = 0.25; // of the longer window, shown on either side where the context is not
const NAMES = ["motif", "recurrence"];
const EDGES = NAMES.flatMap((name) => ["start", "end"].map((edge) => [name, edge]));

export class Editor {
  #settled = 0;

  // `told()` when the windows are drawn anew, `changed()` once moved edges stay.
  constructor(told, changed) {
    Object.assign(this, { told, changed });
    this.lanes = Object.fromEntries(
      NAMES.map((name) => [name, new Lane(document.querySelector(`.view[data-lane=${name}]`))]),
    );
    this.chosen = 2; // the recurrence's start, which is wrong most often
    EDGES.forEach(([name, edge], index) => this.#listen(name, edge, index));
  }

  open(item, toggles) {
    this.item = item;
    this.chosen = 2;
    this.toggles = toggles;
    this.moved = structuredClone(item.decision?.windows ?? item.windows);
    this.locked = Boolean(item.decision);
    if (item.clips) for (const name of NAMES) this.lanes[name].show(item.clips[name], item.sample_rate);
  }

  windows() {
    return structuredClone(this.moved);
  }

  // What to play of each clip, in seconds.
  parts(item, context) {
    const rate = item.sample_rate;
    return Object.fromEntries(NAMES.map((name) => {
      const clip = item.clips[name];
      const { start_sample: start, samples } = this.moved[name];
      const margin = context ? item.context : 0;
      const first = Math.max(0, start - margin - clip.start_sample);
      const last = Math.min(clip.samples, start + samples + margin - clip.start_sample);
      return [name, { buffer: item.buffers[name], offset: first / rate, duration: (last - first) / rate }];
    }));
  }

  draw() {
    const { item } = this;
    if (!item?.clips) return;
    const longest = Math.max(...NAMES.map((name) => item.windows[name].samples));
    const margin = this.toggles.context ? item.context : Math.min(MARGIN * longest, item.sample_rate);
    for (const name of NAMES) {
      this.lanes[name].draw({
        window: this.moved[name],
        origin: item.windows[name].start_sample,
        from: -margin,
        to: longest + margin,
        turn: name === "recurrence" && this.toggles.key ? item.transposition : 0,
      });
      this.#describe(name);
    }
    this.told();
  }

  playheads(positions) {
    for (const name of NAMES) this.lanes[name].playhead(positions[name] ?? null);
  }

  nextEdge() {
    this.chosen = (this.chosen + 1) % EDGES.length;
    const [name, edge] = EDGES[this.chosen];
    this.lanes[name].edges[edge].focus();
  }

  nudge(steps) {
    const [name, edge] = EDGES[this.chosen];
    this.#move(name, edge, this.#position(name, edge) + Math.round(steps * STEP * this.item.sample_rate));
  }

  reset() {
    if (this.locked) return;
    this.moved = structuredClone(this.item.windows);
    this.#redraw();
  }

  #position(name, edge) {
    const { start_sample: start, samples } = this.moved[name];
    return edge === "start" ? start : start + samples;
  }

  #limits(name, edge) {
    const { clips, shortest_window: shortest } = this.item;
    const { start_sample: first, samples } = clips[name];
    return edge === "start"
      ? [first, this.#position(name, "end") - shortest]
      : [this.#position(name, "start") + shortest, first + samples];
  }

  #move(name, edge, sample) {
    if (this.locked || !this.item?.clips) return;
    const [low, high] = this.#limits(name, edge);
    const place = Math.min(high, Math.max(low, Math.round(sample)));
    const [start, end] = edge === "start" ? [place, this.#position(name, "end")] : [this.#position(name, "start"), place];
    this.moved[name] = { start_sample: start, samples: end - start };
    this.#redraw();
  }

  #redraw() {
    this.draw();
    clearTimeout(this.#settled);
    this.#settled = setTimeout(this.changed, 250);
  }

  #describe(name) {
    const { sample_rate: rate } = this.item;
    const { start_sample: start, samples } = this.moved[name];
    const proposed = this.item.windows[name];
    const moved = start !== proposed.start_sample || samples !== proposed.samples;
    document.getElementById(`${name}-times`).textContent =
      `${range(this.moved[name], rate)} · ${duration(samples, rate)}${moved ? " · moved" : ""}`;
    this.lanes[name].score.setAttribute("aria-label", `Waveform and chroma of the ${name}, ${range(this.moved[name], rate)}`);
    for (const edge of ["start", "end"]) {
      const slider = this.lanes[name].edges[edge];
      tell(slider, this.#limits(name, edge), this.#position(name, edge), rate);
      slider.setAttribute("aria-disabled", String(this.locked));
      slider.toggleAttribute("data-chosen", EDGES[this.chosen][0] === name && EDGES[this.chosen][1] === edge);
      fill(this.#field(name, edge), this.#position(name, edge), rate);
      this.#field(name, edge).disabled = this.locked;
    }
  }

  #field(name, edge) {
    return document.getElementById(`${name}-${edge}`);
  }

  #listen(name, edge, index) {
    const slider = this.lanes[name].edges[edge];
    slider.addEventListener("focus", () => {
      this.chosen = index;
      for (const lane of NAMES) if (this.item?.clips) this.#describe(lane);
    });
    const rate = () => this.item.sample_rate;
    const move = (sample) => this.#move(name, edge, sample);
    movable(slider, this.lanes[name].view, {
      rate,
      move,
      place: () => this.#position(name, edge),
      limits: () => this.#limits(name, edge),
      at: (x) => this.lanes[name].sample(x),
    });
    typed(this.#field(name, edge), rate, (sample) => {
      move(sample);
      fill(this.#field(name, edge), this.#position(name, edge), rate());
    });
  }
}
