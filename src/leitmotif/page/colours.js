// The theme's colours as numbers, and scales between them for pictures.

export function colour(name, element = document.documentElement) {
  return getComputedStyle(element).getPropertyValue(name).trim();
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
