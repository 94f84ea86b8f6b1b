// Numbers and states as words.

export const VERDICTS = {
  positive: "Positive",
  negative: "Negative",
  ambiguous: "Ambiguous",
  rejected: "Rejected",
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

export function scores({ score, p, texture }) {
  return `score ${score.toFixed(2)} · p ${p.toPrecision(2)} · texture ${texture.toFixed(2)}`;
}
