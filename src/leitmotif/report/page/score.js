// A clip as it is seen: waveform above chroma, marks upon them, the playhead.

import { chromaPicture, colour, drawWave, letters, namePitches, prepared } from "./drawing.js";

const HEAD = 18; // CSS pixels above the waveform, for the names of marks
const FOOT = 16; // below the chroma, for seconds
const GAP = 6;
const WAVE_SHARE = 0.5; // of what is between; chroma has the rest
export const GUTTER = 20; // for the names of pitches

// Kinds of marks: `motif` and `return` colour what lies in them, `slot` is shaded, `line` is a
// boundary, `changed` a bar below the waveform.
// A mark: {kind, from, to, label}, in seconds of the clip.
export class Score {
  // `view` holds nothing yet, or only what may lie above the pictures; it is positioned.
  constructor(view, seek = null) {
    this.view = view;
    this.pictures = view.appendChild(document.createElement("canvas"));
    this.overlay = view.appendChild(document.createElement("canvas"));
    this.overlay.className = "playhead";
    this.clip = null;
    this.place = null;
    if (seek) view.addEventListener("pointerdown", (event) => {
      if (!this.clip || event.button) return;
      const { left } = view.getBoundingClientRect();
      seek(this.seconds(event.clientX - left));
    });
    new ResizeObserver(() => this.draw()).observe(view);
  }

  // `hidden` hides what would be seen from this second on.
  show(clip, marks = [], hidden = Infinity) {
    Object.assign(this, { clip, marks, hidden });
    this.draw();
  }

  // Seconds to CSS pixels, and back.
  x(seconds) {
    return GUTTER + (seconds / this.clip.seconds) * (this.width - GUTTER);
  }

  seconds(x) {
    return Math.min(1, Math.max(0, (x - GUTTER) / (this.width - GUTTER))) * this.clip.seconds;
  }

  draw() {
    if (!this.clip || !this.view.clientWidth) return;
    const { context, width, height } = prepared(this.pictures);
    Object.assign(this, { width, height });
    context.clearRect(0, 0, width, height);
    const body = height - HEAD - FOOT - GAP;
    this.wave = [HEAD, HEAD + Math.round(body * WAVE_SHARE)];
    this.low = [this.wave[1] + GAP, height - FOOT];
    if (this.hidden >= this.clip.seconds) this.#slots(context);
    this.#wave(context);
    this.#chroma(context);
    this.#seconds(context);
    for (const mark of this.marks) this.#mark(context, mark);
    this.#cover(context);
    if (this.hidden < this.clip.seconds) this.#slots(context);
    this.playhead(this.place);
  }

  playhead(seconds) {
    this.place = seconds;
    if (!this.clip) return;
    const { context, width, height } = prepared(this.overlay);
    context.clearRect(0, 0, width, height);
    if (seconds === null) return;
    context.fillStyle = colour("--ink");
    context.fillRect(this.x(seconds) - 0.75, HEAD - 4, 1.5, height - HEAD - FOOT + 8);
  }

  #marked(seconds) {
    return this.marks.find(({ kind, from, to }) =>
      (kind === "motif" || kind === "return") && seconds >= from && seconds < to)?.kind;
  }

  #wave(context) {
    const { step, outline, rate } = this.clip;
    const [top, bottom] = this.wave;
    const colours = { motif: colour("--motif"), return: colour("--recurrence"), none: colour("--wave") };
    drawWave(context, {
      outline, step, middle: (top + bottom) / 2, reach: (bottom - top) / 2 - 1, from: GUTTER, to: this.width,
      sample: (x) => this.seconds(x) * rate,
      fill: (x) => colours[this.#marked(this.seconds(x)) ?? "none"],
    });
  }

  #chroma(context) {
    const { frames, frameSamples, chroma, rate } = this.clip;
    const [top, bottom] = this.low;
    context.imageSmoothingEnabled = false;
    const paint = (name, from, to) => {
      const image = chromaPicture(chroma, frames, name);
      context.save();
      context.beginPath();
      context.rect(this.x(from), top, this.x(to) - this.x(from), bottom - top);
      context.clip();
      const end = this.x((frames * frameSamples) / rate);
      context.drawImage(image, GUTTER, top, end - GUTTER, bottom - top);
      context.restore();
    };
    paint("--wave", 0, this.clip.seconds);
    for (const { kind, from, to } of this.marks) {
      if (kind === "motif") paint("--motif", from, to);
      if (kind === "return") paint("--recurrence", from, to);
    }
    namePitches(context, GUTTER / 2 - 2, top, bottom);
  }

  #seconds(context) {
    const step = [0.5, 1, 2, 5, 10].find((one) => (one / this.clip.seconds) * (this.width - GUTTER) > 34) ?? 20;
    context.fillStyle = colour("--muted");
    context.font = letters(400, 10);
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    for (let second = step; second < this.clip.seconds; second += step) {
      context.fillRect(this.x(second) - 0.5, this.low[1] + 1, 1, 3);
      if (this.x(second) < this.width - 14) context.fillText(`${second} s`, this.x(second), this.height - 2);
    }
  }

  #slots(context) {
    context.fillStyle = colour("--slot");
    for (const { kind, from, to } of this.marks) {
      if (kind === "slot") context.fillRect(this.x(from), HEAD - 2, this.x(to) - this.x(from), this.low[1] - HEAD + 2);
    }
  }

  #mark(context, { kind, from, to, label }) {
    const hue = { motif: "--motif", return: "--recurrence", changed: "--changed" }[kind] ?? "--muted";
    const [left, right] = [this.x(from), this.x(to ?? from)];
    context.fillStyle = colour(hue);
    if (kind === "line") {
      for (let y = HEAD - 6; y < this.low[1]; y += 6) context.fillRect(left - 0.5, y, 1, 3);
    } else if (kind === "changed") {
      context.fillRect(left, this.wave[1] + 1, right - left, GAP - 2);
    } else if (kind !== "slot") {
      context.fillRect(left, HEAD - 4, right - left, 3);
    }
    if (!label) return;
    context.font = letters(560, 11);
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    const wide = context.measureText(label).width;
    context.fillText(label, Math.min(left, this.width - wide), HEAD - 8);
  }

  // By ear alone.
  #cover(context) {
    if (this.hidden >= this.clip.seconds) return;
    const left = this.x(this.hidden);
    context.fillStyle = colour("--well");
    context.fillRect(left, HEAD, this.width - left, this.low[1] - HEAD);
    context.fillStyle = colour("--muted");
    context.font = letters(400, 12);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("by ear alone", (left + this.width) / 2, (HEAD + this.low[1]) / 2);
  }
}
