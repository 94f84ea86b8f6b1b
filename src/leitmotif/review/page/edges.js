// Sliders for places in a recording: moved by pointer and keys, and said in words.

import { time } from "./words.js";

const [STEP, PAGE] = [0.02, 1]; // seconds that a key moves an edge
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };

// Seconds by which a key moves; null for another key.
export function steps(event, step, page) {
  const direction = KEYS[event.key];
  if (direction) return direction * step * (event.shiftKey ? 5 : 1);
  return { PageDown: -page, PageUp: page }[event.key] ?? null;
}

// `place()`, `limits()`: in samples; `move(sample)` sets it; `at(x)`: the sample at CSS pixels from
// the left of `view`; `rate()`: samples a second.
export function movable(slider, view, { place, limits, move, at, rate }) {
  slider.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const seconds = steps(event, STEP, PAGE);
    const end = { Home: 0, End: 1 }[event.key];
    if (seconds === null && end === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the page's own arrow keys
    move(seconds === null ? limits()[end] : place() + Math.round(seconds * rate()));
  });
  slider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    event.stopPropagation();
    slider.focus();
    slider.setPointerCapture(event.pointerId);
  });
  slider.addEventListener("pointermove", (event) => {
    if (slider.hasPointerCapture(event.pointerId)) move(at(event.clientX - view.getBoundingClientRect().left));
  });
}

export function tell(slider, [low, high], place, rate) {
  slider.setAttribute("aria-valuemin", (low / rate).toFixed(2));
  slider.setAttribute("aria-valuemax", (high / rate).toFixed(2));
  slider.setAttribute("aria-valuenow", (place / rate).toFixed(2));
  slider.setAttribute("aria-valuetext", time(place, rate));
}

// A field for a place in seconds. `move(sample)` sets the place when the person has typed it.
export function typed(field, rate, move) {
  field.addEventListener("change", () => {
    if (field.value !== "" && field.validity.valid) move(Math.round(Number(field.value) * rate()));
  });
}

// A text that shows the place already stays, and so does what is rounded in it.
export function fill(field, samples, rate) {
  if (Number(field.value).toFixed(2) !== (samples / rate).toFixed(2) || field.value === "") field.value = (samples / rate).toFixed(2);
}
