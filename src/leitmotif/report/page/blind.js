// Blind listening: which of a pair is A, what was answered, and where that is kept.

import { remember, setting } from "./settings.js";

export const MOTIF = [["A", "in A only"], ["B", "in B only"], ["both", "in both"], ["neither", "in neither"]];
export const NATURAL = [["A", "A"], ["B", "B"], ["same", "no difference"]];

export class Answers extends EventTarget {
  constructor(report) {
    super();
    this.report = report;
    this.name = `report.${report}`;
    const { seed, given } = setting(this.name, null) ?? {};
    this.seed = seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
    this.given = given ?? {};
    this.kept = this.#keep(); // whether this browser keeps anything of a page opened as a file
  }

  get count() {
    return Object.keys(this.given).length;
  }

  of(pair) {
    return this.given[pair.id] ?? null;
  }

  // What A is: the same for a listener each time.
  first(pair) {
    return mixed(this.seed, pair.id) & 1 ? "after" : "before";
  }

  // Pairs in this listener's order.
  shuffled(pairs) {
    return [...pairs].sort((a, b) => mixed(this.seed + 1, a.id) - mixed(this.seed + 1, b.id));
  }

  // `motif` of MOTIF, `natural` of NATURAL.
  give(pair, motif, natural) {
    const a = this.first(pair);
    const b = a === "before" ? "after" : "before";
    const named = (said) => ({ A: a, B: b })[said] ?? said;
    this.given[pair.id] = {
      report: this.report,
      pair: pair.id,
      model: pair.model,
      candidate: pair.candidate,
      condition: pair.condition,
      track_id: pair.track,
      seed: pair.seed,
      a,
      audio_sha256: { before: pair.before.sha256, after: pair.after.sha256 },
      motif,
      motif_in: named(motif),
      natural,
      more_natural: named(natural),
      measured: pair.measured,
      time: new Date().toISOString(),
    };
    this.#keep();
    this.#tell();
  }

  startOver() {
    this.seed = crypto.getRandomValues(new Uint32Array(1))[0];
    this.given = {};
    this.#keep();
    this.#tell();
  }

  // One JSON object a line, in the order in which they were given.
  lines() {
    const rows = Object.values(this.given).sort((a, b) => (a.time < b.time ? -1 : 1));
    return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.lines()], { type: "application/jsonl" }));
    link.download = `answers-${this.report}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  #keep() {
    remember(this.name, { seed: this.seed, given: this.given });
    return setting(this.name, null)?.seed === this.seed;
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

// 32 bits of a seed and a text (FNV-1a, finished as in MurmurHash3).
function mixed(seed, text) {
  let hash = (2166136261 ^ seed) >>> 0;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
