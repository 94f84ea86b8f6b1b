// The whole recording in one strip: how loud it is, where it is searched, which pairs are in it.

import { bytes, colour, prepared } from "./drawing.js";
import { unsearched } from "./words.js";

const MARK = 5; // CSS pixels: height of a window's mark
const HATCH = 7; // between two lines of what is not searched

// `pairs`: their windows. `stretch`, `selection`: spans that are asked about or chosen, or null.
export function drawRecording(canvas, recording, { pairs = [], stretch = null, selection = null }) {
  const { context, width, height } = prepared(canvas);
  const x = (sample) => (sample / recording.samples) * width;
  const span = ({ start_sample: start, samples }) => [x(start), Math.max(1.5, x(start + samples) - x(start))];
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour("--well");
  context.fillRect(0, 0, width, height);
  drawLoudness(context, recording.loudness, width, height);
  for (const gap of unsearched(recording)) hatch(context, ...span(gap), height);
  for (const { motif, recurrence } of pairs) {
    mark(context, ...span(motif), 0, colour("--motif"));
    mark(context, ...span(recurrence), height - MARK, colour("--recurrence"));
  }
  if (stretch) outlined(context, ...span(stretch), height);
  if (selection) selected(context, ...span(selection), height);
}

export function selected(context, left, width, height) {
  context.save();
  context.fillStyle = colour("--accent");
  context.globalAlpha = 0.22;
  context.fillRect(left, 0, width, height);
  context.restore();
}

export function mark(context, left, width, top, paint) {
  context.fillStyle = paint;
  context.fillRect(left, top, width, MARK);
}

function drawLoudness(context, loudness, width, height) {
  if (!loudness) return;
  const values = bytes(loudness);
  const room = height - 2 * MARK - 2;
  context.fillStyle = colour("--muted");
  for (let x = 0; x < width; x += 1) {
    const value = values[Math.min(values.length - 1, Math.floor((x / width) * values.length))];
    const tall = Math.max(1, (value / 255) * room);
    context.fillRect(x, (height - tall) / 2, 1, tall);
  }
}

function hatch(context, left, width, height) {
  context.save();
  context.beginPath();
  context.rect(left, 0, width, height);
  context.clip();
  context.fillStyle = colour("--veil");
  context.fillRect(left, 0, width, height);
  context.strokeStyle = colour("--muted");
  context.lineWidth = 1;
  context.beginPath();
  for (let at = left - height; at < left + width; at += HATCH) {
    context.moveTo(at, height);
    context.lineTo(at + height, 0);
  }
  context.stroke();
  context.restore();
}

function outlined(context, left, width, height) {
  context.strokeStyle = colour("--accent");
  context.lineWidth = 2;
  context.strokeRect(left + 1, 1, Math.max(1, width - 2), height - 2);
}
