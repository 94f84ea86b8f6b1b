// Clips that stand alone: <figure class="sample" data-clip="ID" data-marks="[...]">, in which a
// button [data-play] plays and a .view is drawn in. One player for all of them.

import { loadClip } from "./clips.js";
import { Score } from "./score.js";

export class Sample {
  constructor(figure, player) {
    Object.assign(this, { figure, player });
    this.button = figure.querySelector("[data-play]");
    this.view = figure.querySelector(".view");
    this.score = this.view && new Score(this.view, (seconds) => this.#from(seconds));
    this.button.addEventListener("click", () => this.toggle());
    player.addEventListener("change", () => this.#state());
    // A page may have many: each is loaded when it comes near.
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      this.load();
    }, { rootMargin: "300px" }).observe(figure);
  }

  async load() {
    try {
      this.clip ??= await loadClip(this.figure.dataset.clip);
      this.draw();
    } catch (error) {
      this.figure.querySelector(".problem")?.remove();
      this.figure.append(Object.assign(document.createElement("p"), { className: "problem", textContent: error.message }));
      this.button.disabled = true;
    }
  }

  draw() {
    if (this.clip) this.score?.show(this.clip, JSON.parse(this.figure.dataset.marks ?? "[]"));
  }

  get mine() {
    return this.clip?.buffer && this.player.buffers[0] === this.clip.buffer && this.player.owner === this;
  }

  async toggle() {
    const { player } = this;
    player.pressed = this;
    await this.load();
    if (player.pressed !== this || !this.clip?.buffer) return; // another press came first
    if (!this.mine) this.#open();
    await player.toggle();
  }

  async #from(seconds) {
    if (!this.clip?.buffer) return;
    this.player.pressed = this;
    if (!this.mine) this.#open();
    this.player.seek(seconds);
    await this.player.play();
  }

  #open() {
    this.player.open([this.clip.buffer]);
    this.player.owner = this;
  }

  #state() {
    const playing = Boolean(this.mine && this.player.playing);
    this.figure.toggleAttribute("data-playing", playing);
    this.button.setAttribute("aria-pressed", String(playing));
    if (!playing) this.score?.playhead(null);
    else this.#follow();
  }

  #follow() {
    if (!this.mine || !this.player.playing) return;
    this.score?.playhead(this.player.heard);
    requestAnimationFrame(() => this.#follow());
  }
}
