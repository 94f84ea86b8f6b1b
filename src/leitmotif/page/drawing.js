// What waveforms and chroma are drawn with: the theme's colours, scales between them, pictures.

const PITCHES = { C: 0, E: 4, G: 7, B: 11 }; // those that are named

// A variable holds one colour for light and one for dark; a property that takes a colour says which
// counts. That of <head>, which nothing is drawn with, is borrowed.
export function colour(name) {
  document.head.style.color = `var(${name})`;
  return getComputedStyle(document.head).color;
}

export function letters(weight, size) {
  return `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
}

export function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// `outline`: lowest and highest value of every `step` samples, in turn. `sample(x)`: the sample at a
// CSS pixel, `fill(x)`: its colour. The loudest value is `reach` pixels from the `middle`.
export function drawWave(context, { outline, step, middle, reach, from, to, sample, fill }) {
  const peak = outline.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const gain = reach / peak;
  for (let x = from; x < to; x += 1) {
    const first = Math.floor(sample(x) / step);
    const last = Math.max(first + 1, Math.ceil(sample(x + 1) / step));
    let [low, high] = [127, -128];
    for (let at = Math.max(0, first); at < Math.min(last, outline.length / 2); at += 1) {
      low = Math.min(low, outline[2 * at]);
      high = Math.max(high, outline[2 * at + 1]);
    }
    if (low > high) continue; // beyond the clip
    context.fillStyle = fill(x);
    const top = middle - high * gain;
    context.fillRect(x, top, 1, Math.max(1, middle - low * gain - top));
  }
}

// Chroma [12 x frames] as a picture in a colour, low pitches at the bottom, as in a score, and moved
// down by `turn` semitones.
export function chromaPicture(chroma, frames, name, turn = 0) {
  const turned = new Uint8Array(chroma.length);
  for (let row = 0; row < 12; row += 1) {
    const from = (((row + turn) % 12) + 12) % 12;
    turned.set(chroma.subarray(from * frames, (from + 1) * frames), (11 - row) * frames);
  }
  return picture(turned, frames, 12, scale(colour("--well"), colour(name), 1.4));
}

export function namePitches(context, x, top, bottom) {
  context.fillStyle = colour("--muted");
  context.font = letters(500, 9);
  context.textAlign = "center";
  context.textBaseline = "middle";
  const row = (bottom - top) / 12;
  for (const [name, pitch] of Object.entries(PITCHES)) context.fillText(name, x, bottom - (pitch + 0.5) * row);
}

// 256 colours from `--low` to `--high`, as 32-bit pixels; `bend` above 1 keeps weak values quiet.
export function scale(low, high, bend = 1) {
  const [a, b] = [rgb(low), rgb(high)];
  return Uint32Array.from({ length: 256 }, (_, step) => {
    const share = (step / 255) ** bend;
    const [red, green, blue] = a.map((value, channel) => Math.round(value + (b[channel] - value) * share));
    return 0xff000000 | (blue << 16) | (green << 8) | red;
  });
}

// An array of values 0..255, row by row, as a canvas of width x height pixels.
export function picture(values, width, height, colours) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let index = 0; index < pixels.length; index += 1) pixels[index] = colours[values[index]];
  context.putImageData(image, 0, 0);
  return canvas;
}

// A canvas as large as it is shown, in device pixels; its context is scaled to CSS pixels.
export function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

function rgb(text) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
}
