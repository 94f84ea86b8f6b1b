// Numbers, places and states as words: for everybody, and for those who do not see the pictures.

export const VERDICTS = {
  positive: "Positive",
  negative: "Negative",
  ambiguous: "Ambiguous",
  rejected: "Rejected",
  nothing_else: "Nothing else returns",
  cannot_tell: "Cannot tell",
};

export function time(samples, rate) {
  const hundredths = Math.round((samples / rate) * 100);
  const minutes = Math.floor(hundredths / 6000);
  const seconds = ((hundredths % 6000) / 100).toFixed(2).padStart(5, "0");
  return `${minutes}:${seconds}`;
}

export function duration(samples, rate) {
  return `${(samples / rate).toFixed(2)} s`;
}

export function range({ start_sample: start, samples }, rate) {
  return `${time(start, rate)} to ${time(start + samples, rate)}`;
}

export function transposition(semitones) {
  if (!semitones) return "same key";
  const count = Math.abs(semitones) === 1 ? "1 semitone" : `${Math.abs(semitones)} semitones`;
  return `${count} ${semitones > 0 ? "up" : "down"}`;
}

export function progress({ decided, remaining, skipped, per_minute: pace, seconds_left: left }) {
  const parts = [`${decided} of ${decided + remaining}`];
  if (skipped) parts.push(`${skipped} skipped`);
  if (pace) parts.push(`${pace < 10 ? pace.toFixed(1) : Math.round(pace)} per minute`);
  if (left && remaining) parts.push(`${remainingTime(left)} left`);
  return parts.join(" · ");
}

function remainingTime(seconds) {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 90) return `${minutes} min`;
  const hours = seconds / 3600;
  return `${hours < 10 ? hours.toFixed(1) : Math.round(hours)} h`;
}

// A pair that a person added has no scores.
export function scores(found) {
  if (!found) return "added by hand";
  const { score, p, texture } = found;
  return `score ${score.toFixed(2)} · p ${p.toPrecision(2)} · texture ${texture.toFixed(2)}`;
}

export function sentence({ what, found, expected, fix }) {
  const parts = [what];
  if (found) parts.push(`found: ${found}`);
  if (expected) parts.push(`expected: ${expected}`);
  if (fix) parts.push(`to do: ${fix}`);
  return parts.join("; ");
}

// ---- recordings

// Sections of a recording that lie outside its searched windows.
export function unsearched({ samples, searched }) {
  const gaps = [];
  let reached = 0;
  const end = { start_sample: samples, samples: 0 };
  for (const { start_sample: start, samples: length } of [...searched].sort((a, b) => a.start_sample - b.start_sample).concat(end)) {
    if (start - reached > samples / 1000) gaps.push({ start_sample: reached, samples: start - reached });
    reached = Math.max(reached, start + length);
  }
  return gaps;
}

// The searched windows, those that follow each other as one.
function joined(searched) {
  const spans = [];
  for (const { start_sample: start, samples } of [...searched].sort((a, b) => a.start_sample - b.start_sample)) {
    const last = spans.at(-1);
    if (last && start <= last.start_sample + last.samples) {
      last.samples = Math.max(last.samples, start + samples - last.start_sample);
    } else spans.push({ start_sample: start, samples });
  }
  return spans;
}

export function recordingWords(recording, rate) {
  const length = `The recording lasts ${time(recording.samples, rate)}.`;
  const gaps = unsearched(recording);
  if (!gaps.length) return `${length} All of it is searched.`;
  const inside = joined(recording.searched).map((span) => range(span, rate)).join(", ");
  return `${length} Searched: ${inside}. Not searched (hatched): ${gaps.map((gap) => range(gap, rate)).join(", ")}.`;
}

// ---- what is shown, line by line

export function pairWords(item, windows) {
  const { sample_rate: rate } = item;
  const { motif, recurrence } = windows;
  const lag = recurrence.start_sample - motif.start_sample;
  const lines = item.recording ? [recordingWords(item.recording, rate)] : [];
  lines.push(`Motif: ${range(motif, rate)}, ${duration(motif.samples, rate)} long.`);
  lines.push(`Recurrence: ${range(recurrence, rate)}, ${duration(recurrence.samples, rate)} long, ` +
    `${duration(lag, rate)} after the motif began, ${transposition(item.transposition)}.`);
  const alike = item.likeness?.[item.transposition];
  if (alike !== undefined) lines.push(`Similarity of their chroma: ${alike.toFixed(1)} (1: equal, 0: unrelated).`);
  return lines;
}

export function pairHereWords({ windows, transposition: semitones, verdict }, rate) {
  const said = verdict ? `you decided: ${verdict}` : "not decided yet";
  return `Motif ${range(windows.motif, rate)}, recurrence ${range(windows.recurrence, rate)}, ${transposition(semitones)}: ${said}`;
}

export function stretchWords(item) {
  const { sample_rate: rate, pairs } = item;
  const lines = [`Stretch: ${range(item.stretch, rate)}, ${duration(item.stretch.samples, rate)} long.`];
  lines.push(recordingWords(item.recording, rate));
  lines.push(pairs.length
    ? `Pairs here: ${pairs.map((pair) => pairHereWords(pair, rate)).join("; ")}.`
    : "No pair was proposed or added here.");
  if (item.alike?.length) lines.push(`Most alike: ${item.alike.map(alikeWords).join("; ")}.`);
  return lines;
}

export function alikeWords({ earlier, later, similarity }) {
  return `${time(earlier, 1)} and ${time(later, 1)}, similarity ${similarity.toFixed(1)}`;
}
