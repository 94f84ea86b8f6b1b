// The whole track compared with itself, and where pairs lie in it.

import { colour, picture, prepared, scale } from "./drawing.js";

const MARGIN = 10; // CSS pixels at the top and on the left, where the windows are marked

// `pairs`: their windows. `stretch`: what is asked about, or null.
export function drawMatrix(canvas, { values, seconds }, sampleRate, { pairs = [], stretch = null }) {
  const { context, width } = prepared(canvas);
  const side = width - MARGIN;
  const size = Math.round(Math.sqrt(values.length));
  context.clearRect(0, 0, width, width);
  const image = picture(values, size, size, scale(colour("--well"), colour("--matrix"), 1.3));
  context.imageSmoothingQuality = "high";
  context.drawImage(image, MARGIN, MARGIN, side, side);

  const place = (sample) => MARGIN + Math.min(1, sample / sampleRate / seconds) * side;
  const span = ({ start_sample: start, samples }) => [place(start), place(start + samples) - place(start)];
  if (stretch) {
    const [left, length] = span(stretch);
    context.fillStyle = colour("--accent");
    context.fillRect(left, MARGIN - 2, length, 2);
  }
  // Down the side the motif, along the top its recurrence: they meet in the upper right half.
  for (const windows of pairs) {
    const [motifAt, motifLength] = span(windows.motif);
    const [recurrenceAt, recurrenceLength] = span(windows.recurrence);
    context.fillStyle = colour("--motif");
    context.fillRect(0, motifAt, 5, motifLength);
    context.fillStyle = colour("--recurrence");
    context.fillRect(recurrenceAt, 0, recurrenceLength, 5);
    context.strokeStyle = colour("--ink");
    context.lineWidth = 1.5;
    context.strokeRect(recurrenceAt, motifAt, Math.max(3, recurrenceLength), Math.max(3, motifLength));
  }
}
