// Clips beside the page. A page that was opened as a file may not fetch them, but may load scripts.

import { bytes } from "./drawing.js";
import { decoded } from "./player.js";

const loading = new Map(); // id -> promise of a clip

window.leitmotifClip = (clip) => loading.get(clip.id)?.arrived(clip);

// A clip: {id, rate, samples, seconds, outline: Int8Array, step, chroma: Uint8Array, frames,
// frameSamples, buffer: AudioBuffer}; one that is only heard has nothing to draw. Rejects with an Error whose message can be shown.
export function loadClip(id) {
  if (!loading.has(id)) {
    const entry = {};
    entry.promise = new Promise((resolve, reject) => {
      const file = `clips/${id}.js`;
      const script = document.createElement("script");
      script.src = document.body.dataset.root + file;
      entry.arrived = (clip) => resolve(opened(clip));
      script.onload = () => reject(new Error(`${file} is damaged: copy the whole folder again`));
      script.onerror = () => reject(new Error(`${file} is missing: copy the whole folder, not the page alone`));
      document.head.append(script);
    });
    entry.promise.catch(() => loading.delete(id)); // so that it can be tried again
    loading.set(id, entry);
  }
  return loading.get(id).promise;
}

async function opened({ id, rate, samples, outline, chroma, flac }) {
  const clip = {
    id, rate, samples,
    seconds: samples / rate,
    buffer: null,
  };
  if (outline) Object.assign(clip, {
    step: outline.step,
    outline: new Int8Array(bytes(outline.data).buffer),
    frames: chroma.frames,
    frameSamples: chroma.frame_samples,
    chroma: bytes(chroma.data),
  });
  if (window.OfflineAudioContext) {
    try {
      clip.buffer = await decoded(bytes(flac).buffer, rate);
    } catch {
      throw new Error(`this browser cannot decode FLAC: play clips/${id}.flac with another program`);
    }
  }
  return clip;
}
