// Sounds that run side by side on one audio clock; one of them is heard. Switching moves gains and
// nothing else, so the place is kept to the sample.

const LEAD = 0.03; // seconds from a press to the first sample
const FADE = 0.004; // seconds: time constant of a cross-fade; the two gains always add up to 1

// At the clip's own rate, so that nothing is resampled.
export function decoded(encoded, rate) {
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(encoded);
}

export class Player extends EventTarget {
  #voices = [];
  #at = 0; // the clock when the voices started
  #from = 0; // and where in the sounds that was, in seconds

  constructor() {
    super();
    this.context = null; // made by the first press: browsers allow sound only then
    this.analyser = null;
    this.buffers = [];
    this.chosen = 0;
    this.loop = null; // [from, to] in seconds
  }

  static get possible() {
    return "AudioContext" in window;
  }

  get playing() {
    return this.#voices.length > 0;
  }

  get duration() {
    return this.buffers.length ? Math.min(...this.buffers.map((buffer) => buffer.duration)) : 0;
  }

  // Seconds into the sounds.
  get position() {
    if (!this.playing) return this.#from;
    const passed = Math.max(0, this.context.currentTime - this.#at);
    const place = this.#from + passed;
    if (this.loop && this.#from < this.loop[1] && place >= this.loop[1]) {
      const [from, to] = this.loop;
      return from + ((place - to) % (to - from));
    }
    return Math.min(place, this.duration);
  }

  // What is heard now: the clock is ahead of the loudspeaker.
  get heard() {
    const late = this.playing ? this.context.outputLatency || 0 : 0;
    return Math.max(0, this.position - late);
  }

  // Sounds of one length, from now on; stops what plays.
  open(buffers, chosen = 0) {
    this.stop();
    this.buffers = buffers;
    this.chosen = chosen;
    this.loop = null;
    this.#from = 0;
  }

  async play() {
    if (!this.buffers.length || this.playing) return;
    const [first] = this.buffers;
    if (this.context?.sampleRate !== first.sampleRate) {
      this.context?.close();
      this.context = new AudioContext({ sampleRate: first.sampleRate, latencyHint: "interactive" });
      this.analyser = this.context.createAnalyser();
      this.analyser.connect(this.context.destination);
    }
    const { buffers } = this;
    await this.context.resume();
    if (this.buffers !== buffers || this.playing) return; // another press came first
    this.#start(this.#from >= this.duration - 0.01 ? 0 : this.#from);
  }

  pause() {
    if (!this.playing) return;
    this.#from = this.position;
    this.#end();
  }

  stop() {
    const was = this.playing;
    this.#from = 0;
    if (was) this.#end();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  seek(seconds) {
    const place = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.01));
    if (this.playing) this.#start(place);
    else this.#from = place;
    this.#tell();
  }

  // Hear another of the sounds, from where this one is.
  choose(index) {
    this.chosen = index;
    if (this.playing) {
      const now = this.context.currentTime;
      this.#voices.forEach(({ gain }, number) => {
        gain.gain.cancelScheduledValues(now); // the start may be still to come
        gain.gain.setTargetAtTime(number === index ? 1 : 0, Math.max(now, this.#at), FADE);
      });
    }
    this.#tell();
  }

  setLoop(span) {
    const place = this.position;
    this.loop = span;
    if (this.playing) this.#start(place);
    else this.#tell();
  }

  #start(offset) {
    this.#silence();
    const { context, loop } = this;
    this.#at = context.currentTime + LEAD;
    this.#from = offset;
    const repeats = loop !== null && offset < loop[1];
    this.#voices = this.buffers.map((buffer, number) => {
      const source = new AudioBufferSourceNode(context, { buffer });
      if (repeats) Object.assign(source, { loop: true, loopStart: loop[0], loopEnd: loop[1] });
      const gain = new GainNode(context, { gain: 0 });
      if (number === this.chosen) gain.gain.setTargetAtTime(1, this.#at, FADE);
      source.connect(gain).connect(this.analyser);
      source.start(this.#at, offset);
      return { source, gain };
    });
    const [{ source }] = this.#voices;
    source.onended = () => {
      if (this.#voices[0]?.source === source) this.stop();
    };
    this.#tell();
  }

  #silence() {
    const now = this.context.currentTime;
    for (const { source, gain } of this.#voices) {
      gain.gain.cancelScheduledValues(now);
      gain.gain.setTargetAtTime(0, now, FADE);
      source.stop(now + 8 * FADE);
    }
    this.#voices = [];
  }

  #end() {
    this.#silence();
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
