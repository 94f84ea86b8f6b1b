// Playback of an item's two clips, exact to the sample: everything is scheduled on one audio clock.

const LEAD = 0.06; // seconds between the press of a key and the first sample
const PAUSE = 0.35; // seconds between motif and recurrence when they play in turn
const FADE = 0.004; // seconds, so that a cut makes no click
const AHEAD = 0.25; // seconds before the end of a pass at which a loop schedules the next one
const PAN = 0.7; // how far apart the two stand when they play at once

export class Player extends EventTarget {
  #passes = [];
  #timer = 0;

  constructor(sampleRate) {
    super();
    // At the clips' own rate, so that nothing is resampled on decoding.
    this.context = new AudioContext({ sampleRate, latencyHint: "interactive" });
    this.analyser = this.context.createAnalyser();
    this.analyser.connect(this.context.destination);
    this.mode = null;
  }

  decode(encoded) {
    return this.context.decodeAudioData(encoded);
  }

  get playing() {
    return this.mode !== null;
  }

  // `parts`: {motif, recurrence}, each {buffer, offset, duration} in seconds of its clip.
  async play(mode, parts, loop) {
    this.stop();
    this.mode = mode;
    this.loop = loop;
    await this.context.resume();
    if (this.mode !== mode) return; // stopped meanwhile
    this.#pass(parts, this.context.currentTime + LEAD);
    this.#timer = setInterval(() => this.#tick(parts), 40);
    this.dispatchEvent(new Event("change"));
  }

  stop() {
    clearInterval(this.#timer);
    const was = this.playing;
    for (const pass of this.#passes) for (const { gain, source } of pass.voices) {
      gain.gain.cancelScheduledValues(0);
      gain.gain.setTargetAtTime(0, this.context.currentTime, FADE);
      source.stop(this.context.currentTime + 5 * FADE);
    }
    this.#passes = [];
    this.mode = null;
    if (was) this.dispatchEvent(new Event("change"));
  }

  // Where each part is now, in seconds of its clip: {motif: 3.21} or {} between them.
  positions() {
    const now = this.context.currentTime - (this.context.outputLatency || 0);
    const found = {};
    for (const { voices } of this.#passes) for (const { name, at, offset, duration } of voices) {
      if (now >= at && now < at + duration) found[name] = offset + now - at;
    }
    return found;
  }

  #tick(parts) {
    const last = this.#passes.at(-1);
    const now = this.context.currentTime;
    if (this.loop && now > last.end - AHEAD) this.#pass(parts, last.end + PAUSE);
    else if (!this.loop && now > last.end) this.stop();
    this.#passes = this.#passes.filter((pass) => pass.end > now - 1);
  }

  #pass(parts, start) {
    const names = { turn: ["motif", "recurrence"], both: ["motif", "recurrence"] }[this.mode] ?? [this.mode];
    let at = start;
    const voices = names.map((name) => {
      const { buffer, offset, duration } = parts[name];
      const pan = this.mode !== "both" ? 0 : name === "motif" ? -PAN : PAN;
      const voice = { name, at, offset, duration, ...this.#voice(buffer, at, offset, duration, pan) };
      if (this.mode === "turn") at += duration + PAUSE;
      return voice;
    });
    this.#passes.push({ voices, end: Math.max(...voices.map((voice) => voice.at + voice.duration)) });
  }

  #voice(buffer, at, offset, duration, pan) {
    const source = new AudioBufferSourceNode(this.context, { buffer });
    const gain = new GainNode(this.context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(1, at + FADE);
    gain.gain.setValueAtTime(1, at + duration - FADE);
    gain.gain.linearRampToValueAtTime(0, at + duration);
    source.connect(gain).connect(new StereoPannerNode(this.context, { pan })).connect(this.analyser);
    source.start(at, offset, duration);
    return { source, gain };
  }
}
