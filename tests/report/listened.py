"""What a page of the report plays, as the browser hears it."""

PITCH = """() => {
  const { analyser, context } = report.player;
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const bin = levels.indexOf(Math.max(...levels));
  return (bin * context.sampleRate) / analyser.fftSize;
}"""
"""Hertz of the strongest tone."""
