// One lane: waveform above chroma, the window between its two edges, the playhead.

import { bytes, chromaPicture, colour, drawWave, namePitches, prepared } from "./drawing.js";

const WAVE_SHARE = 0.56; // of the lane's height; chroma has the rest
const GAP = 6;
const GUTTER = 22; // for the names of the pitches

export class Lane {
  constructor(view) {
    this.view = view;
    this.name = view.dataset.lane;
    this.score = view.querySelector(".score");
    this.overlay = view.querySelector(".playhead");
    this.edges = Object.fromEntries(
      [...view.querySelectorAll(".edge")].map((edge) => [edge.dataset.edge, edge]),
    );
  }

  show(clip, sampleRate) {
    this.clip = clip;
    this.sampleRate = sampleRate;
    const { data } = clip.outline;
    this.outline = new Int8Array(bytes(data).buffer);
    this.chroma = clip.chroma ? bytes(clip.chroma.data) : null;
  }

  // `window`: {start_sample, samples}. `from`, `to`: what is shown, in samples from `origin`, which
  // is the proposed window's start, so that the two lanes stay aligned while edges move.
  // `turn`: semitones by which the chroma is moved down, to stand in the motif's key.
  draw({ window, origin, from, to, turn }) {
    Object.assign(this, { window, origin, from, to });
    const { context, width, height } = prepared(this.score);
    context.clearRect(0, 0, width, height);
    this.width = width;
    const waveHeight = Math.round((height - GAP) * WAVE_SHARE);
    this.#wave(context, waveHeight);
    if (this.chroma) this.#chroma(context, waveHeight + GAP, height, turn);
    this.#seconds(context, waveHeight);
    this.#veil(context, height);
    this.#placeEdges();
    this.playhead(null);
  }

  // `seconds`: of the clip, or null for none.
  playhead(seconds) {
    const { context, width, height } = prepared(this.overlay);
    context.clearRect(0, 0, width, height);
    if (seconds === null || !this.clip) return;
    const x = this.x(this.clip.start_sample + seconds * this.sampleRate);
    context.fillStyle = colour("--ink");
    context.fillRect(x - 0.75, 0, 1.5, height);
  }

  // Sample of the track to position in CSS pixels, and back.
  x(sample) {
    const share = (sample - this.origin - this.from) / (this.to - this.from);
    return GUTTER + share * (this.width - GUTTER);
  }

  sample(x) {
    const share = (x - GUTTER) / (this.width - GUTTER);
    return this.origin + this.from + share * (this.to - this.from);
  }

  #wave(context, height) {
    const lane = colour(`--${this.name}`);
    drawWave(context, {
      outline: this.outline, step: this.clip.outline.step, middle: height / 2, reach: height / 2 - 2, from: GUTTER, to: this.width,
      sample: (x) => this.sample(x) - this.clip.start_sample,
      fill: () => lane,
    });
  }

  #chroma(context, top, bottom, turn) {
    const { frames, first_frame: firstFrame, frame_samples: frameSamples } = this.clip.chroma;
    if (!frames) return;
    const image = chromaPicture(this.chroma, frames, `--${this.name}`, turn);
    const left = this.x(firstFrame * frameSamples);
    const right = this.x((firstFrame + frames) * frameSamples);
    context.save();
    context.beginPath();
    context.rect(GUTTER, top, this.width - GUTTER, bottom - top);
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(image, left, top, right - left, bottom - top);
    context.restore();
    namePitches(context, GUTTER / 2 - 2, top, bottom);
  }

  // A tick for each second from the proposed start, equally placed in both lanes.
  #seconds(context, top) {
    context.fillStyle = colour("--muted");
    const first = Math.ceil(this.from / this.sampleRate);
    for (let second = first; second * this.sampleRate <= this.to; second += 1) {
      context.fillRect(this.x(this.origin + second * this.sampleRate) - 0.5, top, 1, GAP - 2);
    }
  }

  // Context outside of the window recedes.
  #veil(context, height) {
    const [left, right] = [this.window.start_sample, this.window.start_sample + this.window.samples].map(
      (sample) => Math.min(this.width, Math.max(GUTTER, this.x(sample))),
    );
    context.fillStyle = colour("--veil");
    context.fillRect(GUTTER, 0, left - GUTTER, height);
    context.fillRect(right, 0, this.width - right, height);
  }

  #placeEdges() {
    const { start_sample: start, samples } = this.window;
    this.edges.start.style.left = `${this.x(start)}px`;
    this.edges.end.style.left = `${this.x(start + samples)}px`;
  }
}
