// The maps of a page of swaps: a cell plays the original clip, the swapped one and the desired
// concept's own one after the other; the buttons of the bar play one of them alone.

import { loadClip } from "./clips.js";
import { addKeys } from "./keys.js";
import { sourceLink } from "./sources.js";

const PAUSE = 0.25; // seconds of silence between two clips

export class SwapMaps {
  #cell = null; // the chosen one
  #button = null; // what was pressed last
  #opened = null; // buffer that the player got from here
  #ends = []; // of the clips in it, in seconds: [name of the part, end]

  constructor(place, player) {
    Object.assign(this, { place, player });
    this.pairs = place.querySelector("[data-pair]");
    this.said = place.querySelector("[data-said]");
    this.sources = place.querySelector("[data-sources]");
    this.cells = [...place.querySelectorAll("[data-cell]")];
    this.parts = [...place.querySelectorAll("[data-part]")];
    if (!this.pairs) return; // no clip was kept
    for (const cell of this.cells) cell.addEventListener("click", () => this.#press(cell));
    for (const part of this.parts) part.addEventListener("click", () => this.#press(part));
    this.pairs.addEventListener("change", () => this.#pair());
    player.addEventListener("change", () => this.#state());
    addKeys("Cells", [
      ["N", "play the next cell", () => this.#go(1), true],
      ["P", "play the previous one", () => this.#go(-1), true],
    ]);
    this.#cell = place.querySelector("[data-first]") ?? this.cells[0];
    this.#pair();
  }

  get #mine() {
    return this.#opened !== null && this.player.owner === this && this.player.buffers[0] === this.#opened;
  }

  // Ids of the clips of the chosen pair and cell, by part; without those that were not kept.
  get #clips() {
    const { original, desired } = this.pairs.selectedOptions[0].dataset;
    const clips = { original, swapped: this.#swap?.[0], desired };
    return Object.fromEntries(Object.entries(clips).filter(([, id]) => id));
  }

  get #swap() {
    return JSON.parse(this.#cell.dataset.clips)[this.pairs.value];
  }

  #pair() {
    if (this.#mine) this.player.stop();
    for (const cell of this.cells) cell.disabled = !(this.pairs.value in JSON.parse(cell.dataset.clips));
    this.#show();
  }

  #show() {
    for (const cell of this.cells) cell.toggleAttribute("aria-current", cell === this.#cell);
    this.#cell.setAttribute("aria-current", "true");
    const { originalName, desiredName } = this.pairs.selectedOptions[0].dataset;
    const names = { original: originalName, swapped: this.#where(), desired: desiredName };
    for (const part of this.parts) {
      part.querySelector("[data-name]").textContent = names[part.dataset.part];
      part.disabled = !(part.dataset.part in this.#clips);
    }
    this.said.textContent = this.#swap?.[1] ?? "";
    this.said.classList.remove("problem");
    this.#link();
  }

  // Where the numbers are written: that of the cell, of its clip, and of the chosen pair.
  #link() {
    const { title, dataset } = this.#cell;
    const cell = { file: JSON.parse(dataset.source).file, place: title, address: dataset.source };
    const [clip, pair] = this.#swap?.[2] ?? [];
    const named = [[cell, "over all pairs"], [clip, "this clip"], [pair, "this pair"]];
    const links = named.filter(([source]) => source).map(([source, text]) => sourceLink(source, text));
    this.sources.replaceChildren("Written in: ", ...links.flatMap((link, at) => (at ? [", ", link] : [link])));
  }

  // Where the chosen cell is, such as "MLP, layer 3".
  #where() {
    const row = this.#cell.closest("tr");
    const column = this.#cell.closest("table").tHead.rows[0].cells[this.#cell.closest("td").cellIndex];
    return `${row.cells[0].textContent}, layer ${column.textContent}`;
  }

  #go(by) {
    const cells = this.cells.filter((cell) => !cell.disabled);
    const from = cells.indexOf(this.#cell);
    const next = cells[Math.min(cells.length - 1, Math.max(0, from + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (!(this.#mine && this.player.playing && this.#button === next)) this.#press(next);
  }

  async #press(button) {
    if (this.#mine && this.player.playing && this.#button === button) return this.player.stop();
    this.player.stop();
    this.#button = button;
    if (button.matches("[data-cell]")) this.#cell = button;
    this.#show();
    const every = this.#clips;
    const names = button.matches("[data-cell]") ? Object.keys(every) : [button.dataset.part];
    try {
      const clips = await Promise.all(names.map((name) => loadClip(every[name])));
      // Another press came first, or this browser cannot play.
      if (this.#button !== button || !clips.every(({ buffer }) => buffer)) return;
      this.#open(clips.map(({ buffer }) => buffer), names);
      await this.player.play();
    } catch (error) {
      this.said.textContent = error.message;
      this.said.classList.add("problem");
    }
  }

  // One sound of all, so that nothing comes between two of them.
  #open(buffers, names) {
    const { sampleRate } = buffers[0];
    const gap = Math.round(PAUSE * sampleRate);
    const length = buffers.reduce((sum, buffer) => sum + buffer.length + gap, -gap);
    this.#opened = new AudioBuffer({ length, sampleRate, numberOfChannels: 1 });
    let at = 0;
    this.#ends = buffers.map((buffer, number) => {
      this.#opened.copyToChannel(buffer.getChannelData(0), 0, at);
      at += buffer.length + gap;
      return [names[number], at / sampleRate];
    });
    this.player.open([this.#opened]);
    this.player.owner = this;
  }

  #state() {
    const playing = Boolean(this.#mine && this.player.playing);
    for (const button of [...this.cells, ...this.parts]) {
      button.setAttribute("aria-pressed", String(playing && button === this.#button));
      button.toggleAttribute("data-playing", playing && button === this.#button);
    }
    this.#follow();
  }

  // Mark the part that is heard.
  #follow() {
    const playing = this.#mine && this.player.playing;
    const heard = playing && this.#ends.find(([, end]) => this.player.heard < end)?.[0];
    for (const part of this.parts) part.toggleAttribute("data-heard", part.dataset.part === heard);
    if (playing) requestAnimationFrame(() => this.#follow());
  }
}
