// A pair's two windows as sound: in turn, at once, or one of them.

import { arranged } from "./sequence.js";
import { time } from "./words.js";

export class PairSound {
  #sounding = null; // what was played last: its mode, its sound, where each clip lies in it

  constructor(player, editor, toggles) {
    Object.assign(this, { player, editor, toggles, item: null });
  }

  // What plays: turn, motif, recurrence or both; null for nothing.
  get mode() {
    return this.item && this.player.playing ? this.#sounding?.mode ?? null : null;
  }

  open(item) {
    this.item = item;
    this.#sounding = null;
  }

  play(mode) {
    const { item, toggles, player } = this;
    if (!item?.buffers) return;
    this.#sounding = { mode, ...arranged(mode, this.editor.parts(item, toggles.context), toggles.loop) };
    player.open([this.#sounding.buffer]);
    if (toggles.loop) player.loop = [0, this.#sounding.buffer.duration];
    player.play().then(() => this.#follow());
  }

  again() {
    if (this.mode) this.play(this.mode);
  }

  toggle(mode) {
    if (this.mode === mode || (mode === "turn" && this.player.playing)) this.player.stop();
    else this.play(mode);
  }

  // Where each clip is now, in its seconds: {motif: 3.21}, or {} between them.
  positions() {
    if (!this.mode) return {};
    const now = this.player.heard;
    const heard = this.#sounding.places.filter(({ at, duration }) => now >= at && now < at + duration);
    return Object.fromEntries(heard.map(({ name, at, offset }) => [name, offset + now - at]));
  }

  words() {
    if (!this.mode) return "Nothing plays.";
    const rate = this.item.sample_rate;
    const places = Object.entries(this.positions()).map(([name, seconds]) =>
      `the ${name} at ${time(this.item.clips[name].start_sample + seconds * rate, rate)}`);
    return places.length ? `Playing ${places.join(" and ")}.` : "Between motif and recurrence.";
  }

  #follow() {
    if (!this.item) return;
    this.editor.playheads(this.positions());
    if (this.player.playing) requestAnimationFrame(() => this.#follow());
  }
}
