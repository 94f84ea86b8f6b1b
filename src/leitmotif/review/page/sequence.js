// An item's two clips as one sound: in turn, at once, or one of them.

const PAUSE = 0.35; // seconds between the two, and before a loop begins again
const FADE = 0.004; // seconds, so that a cut makes no click
const PAN = 0.7; // how far apart the two stand when they play at once

// `parts`: {motif, recurrence}, each {buffer, offset, duration} in seconds of its clip.
// Returns the sound, and of each clip in it {name, at, offset, duration} in seconds.
export function arranged(mode, parts, loop) {
  let at = 0;
  const places = (mode in parts ? [mode] : ["motif", "recurrence"]).map((name) => {
    const { offset, duration } = parts[name];
    const place = { name, at, offset, duration };
    if (mode === "turn") at += duration + PAUSE;
    return place;
  });
  const { sampleRate } = parts.motif.buffer;
  const seconds = Math.max(...places.map((place) => place.at + place.duration)) + (loop ? PAUSE : 0);
  const buffer = new AudioBuffer({ numberOfChannels: 2, length: Math.round(seconds * sampleRate), sampleRate });
  for (const place of places) {
    const pan = mode !== "both" ? 0 : place.name === "motif" ? -PAN : PAN;
    mix(buffer, parts[place.name].buffer, place, pan);
  }
  return { buffer, places };
}

function mix(buffer, clip, { at, offset, duration }, pan) {
  const [start, first, length, fade] = [at, offset, duration, FADE].map((seconds) => Math.round(seconds * clip.sampleRate));
  const samples = clip.getChannelData(0).subarray(first, first + length);
  const angle = ((pan + 1) * Math.PI) / 4; // both channels together are as loud wherever it stands
  [Math.cos(angle), Math.sin(angle)].forEach((gain, channel) => {
    const mixed = buffer.getChannelData(channel);
    samples.forEach((sample, index) => {
      if (start + index >= mixed.length) return;
      mixed[start + index] += gain * sample * Math.min(1, index / fade, (samples.length - index) / fade);
    });
  });
}
