"""Waveforms of the concept clips' notes and drums.

Each line of a clip keeps to a band of its own: bass and low drums below 350 Hz, the melody from 440
to 5500 Hz, cymbals above. A codec can then tell the lines apart in their sum.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.concept_world import ConceptWorld

Wave = NDArray[np.float32]
_Times = NDArray[np.float64]
_Synth = Callable[[float, _Times], _Times]
"""(frequency in Hz, times in s) to a waveform of any amplitude."""

BASS_HIGHEST, MELODY_HIGHEST = 350.0, 5_500.0
FADE_SECONDS = 0.01
ATTACK_SECONDS = 0.002


class Note(NamedTuple):
    """One event of a line: which frames it takes, on what, and its MIDI pitch (0 for a drum)."""

    start: int
    frames: int
    voice: str
    pitch: int


class ConceptSounds:
    """Renders notes of one world, each voice and pitch once."""

    def __init__(self, world: ConceptWorld) -> None:
        self.world = world
        self._waves: dict[tuple[str, int], Wave] = {}

    def __call__(self, voice: str, pitch: int, frames: int) -> Wave:
        """A note of ``frames`` frames, peak 1 at most; it fades out in the last of them."""
        if (voice, pitch) not in self._waves:
            self._waves[voice, pitch] = self._render(voice, pitch)
        samples = frames * self.world.samples_per_frame
        wave = self._waves[voice, pitch][:samples].copy()
        fade = round(FADE_SECONDS * self.world.sample_rate)
        wave[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        return wave

    def _render(self, voice: str, pitch: int) -> Wave:
        rate = self.world.sample_rate
        t = np.arange(self.world.longest_note * self.world.samples_per_frame) / rate
        wave = _VOICES[voice](440.0 * 2.0 ** ((pitch - 69) / 12), t)
        wave = wave * np.minimum(1, t / ATTACK_SECONDS)
        return (wave / np.abs(wave).max()).astype(np.float32)


def _partials(frequency: float, highest: float, stretch: float = 0.0) -> NDArray[np.float64]:
    """Frequencies of the partials up to ``highest``: (partials, 1).

    A stiff string's k-th partial is ``k f sqrt(1 + stretch k^2)`` (Fletcher, 1964).
    """
    k = np.arange(1, int(highest / frequency) + 1)
    frequencies = frequency * k * np.sqrt(1 + stretch * k**2)
    return np.asarray(frequencies[frequencies <= highest, None])


def _guitar(frequency: float, t: _Times) -> _Times:
    # An ideal string plucked at a fifth of its length lacks each fifth partial; high ones die soon.
    f = _partials(frequency, MELODY_HIGHEST)
    k = np.arange(1, len(f) + 1)[:, None]
    amplitude = np.abs(np.sin(np.pi * k / 5)) / k
    decay = np.exp(-(3.0 + 1.5 * k) * t)
    return np.asarray((amplitude * decay * np.sin(2 * np.pi * f * t)).sum(0))


def _piano(frequency: float, t: _Times) -> _Times:
    # Two strings a little out of tune beat; their sum decays fast at first, then slowly (Weinreich,
    # 1977). The hammer is a burst of all partials at once.
    f = _partials(frequency, MELODY_HIGHEST, stretch=1.2e-3)
    k = np.arange(1, len(f) + 1)[:, None]
    amplitude = np.exp(-0.55 * (k - 1))
    decay = 0.7 * np.exp(-(9 + 2 * k) * t) + 0.3 * np.exp(-1.2 * t)
    strings = np.sin(2 * np.pi * f * t) + 0.6 * np.sin(2 * np.pi * (f * 1.0012) * t)
    hammer = np.sin(2 * np.pi * 1.41 * frequency * t) * np.exp(-70 * t)
    return np.asarray((amplitude * decay * strings).sum(0) + 0.5 * hammer)


def _trumpet(frequency: float, t: _Times) -> _Times:
    # Risset (1966): the louder, the brighter, so high partials enter late and strong.
    f = _partials(frequency, MELODY_HIGHEST)
    k = np.arange(1, len(f) + 1)[:, None]
    formant = 0.25 + np.exp(-(((f - 1800) / 1300) ** 2))
    level = np.minimum(1, t / 0.05) * (1 + 0.4 * np.exp(-(((t - 0.06) / 0.03) ** 2)))
    # Phases that spread the energy over the period (Schroeder, 1970): loud without a high peak.
    phase = np.pi * k**2 / len(f)
    partials = formant * level ** (0.6 + 0.5 * k) * np.sin(2 * np.pi * f * t + phase)
    return np.asarray(partials.sum(0))


def _violin(frequency: float, t: _Times) -> _Times:
    # A bowed string moves as a sawtooth (Helmholtz); vibrato of 25 cents, 5.5 a second.
    f = _partials(frequency, MELODY_HIGHEST)
    k = np.arange(1, len(f) + 1)[:, None]
    vibrato = 0.0144 / (2 * np.pi * 5.5) * (1 - np.cos(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * f * (t + vibrato * np.minimum(1, t / 0.15))
    resonances = 0.5 + np.exp(-(((f - 900) / 350) ** 2)) + np.exp(-(((f - 2900) / 700) ** 2))
    return np.asarray((resonances / k * np.sin(phase)).sum(0)) * np.minimum(1, t / 0.09)


def _harmonics(frequency: float, t: _Times, slope: float) -> _Times:
    f = _partials(frequency, BASS_HIGHEST)
    k = np.arange(1, len(f) + 1)[:, None]
    return np.asarray((np.sin(2 * np.pi * f * t) / k**slope).sum(0))


def _broken_chord(frequency: float, t: _Times) -> _Times:
    return _harmonics(frequency, t, 2.0) * np.exp(-3.5 * t)


def _upright_bass(frequency: float, t: _Times) -> _Times:
    return _harmonics(frequency, t, 1.2) * np.exp(-4.5 * t) * np.minimum(1, t / 0.012)


def _pad(frequency: float, t: _Times) -> _Times:
    chord = sum(_harmonics(frequency * ratio, t, 2.5) for ratio in (1.0, 1.5))
    return np.asarray(chord) * np.minimum(1, t / 0.12)


def _power_chord(frequency: float, t: _Times) -> _Times:
    # Clipping root and fifth together makes their sum and difference tones, of which the root an
    # octave below is the strongest.
    chord = sum(_harmonics(frequency * ratio, t, 0.6) for ratio in (0.5, 1.0, 1.5))
    return np.asarray(chord) * np.exp(-2.0 * t)


def _synth_bass(frequency: float, t: _Times) -> _Times:
    return _harmonics(frequency, t, 0.3) * np.exp(-1.5 * t)


def _sub_bass(frequency: float, t: _Times) -> _Times:
    return np.asarray(np.sin(2 * np.pi * frequency * t) * np.exp(-1.0 * t))


def _kick(start: float, end: float, fall: float, decay: float) -> _Synth:
    """A sine that falls from ``start`` to ``end`` Hz."""

    def synth(frequency: float, t: _Times) -> _Times:
        sweep = end * t + (start - end) / fall * (1 - np.exp(-fall * t))
        return np.asarray(np.sin(2 * np.pi * sweep) * np.exp(-decay * t))

    return synth


def _snare_body(frequency: float, t: _Times) -> _Times:
    tones = np.sin(2 * np.pi * 185 * t) + 0.6 * np.sin(2 * np.pi * 275 * t)
    return np.asarray(tones * np.exp(-28 * t))


def _noise(low: float, high: float, decay: float, *, seed: int, attack: float = 0.0) -> _Synth:
    """Noise between two frequencies in Hz, with an exponential decay in 1/s."""

    def synth(frequency: float, t: _Times) -> _Times:
        noise = np.random.default_rng(seed).standard_normal(len(t))
        spectrum = np.fft.rfft(noise)
        hertz = np.fft.rfftfreq(len(t), t[1] - t[0])
        spectrum[(hertz < low) | (hertz > high)] = 0
        band = np.fft.irfft(spectrum, len(t)) * np.exp(-decay * t)
        return np.asarray(band * np.minimum(1, t / attack) if attack else band)

    return synth


def _clap(frequency: float, t: _Times) -> _Times:
    noise = _noise(5_800, 8_500, 0.0, seed=5)(frequency, t)
    bursts = [np.where(t >= at, np.exp(-fall * (t - at)), 0) for at, fall in _CLAPS]
    return np.asarray(noise * np.sum(bursts, axis=0))


def _ride(frequency: float, t: _Times) -> _Times:
    # The inharmonic partials of a struck plate.
    random = np.random.default_rng(9)
    f = random.uniform(6_000, 10_500, (24, 1))
    phase = random.uniform(0, 2 * np.pi, (24, 1))
    return np.asarray(np.sin(2 * np.pi * f * t + phase).sum(0) * np.exp(-7 * t))


_CLAPS = ((0.0, 200.0), (0.011, 200.0), (0.022, 30.0))
"""When each burst of a clap begins in s, and its decay in 1/s."""
_VOICES: dict[str, _Synth] = {
    "guitar": _guitar,
    "piano": _piano,
    "trumpet": _trumpet,
    "violin": _violin,
    "broken chord": _broken_chord,
    "upright bass": _upright_bass,
    "pad": _pad,
    "power chord": _power_chord,
    "synth bass": _synth_bass,
    "sub bass": _sub_bass,
    "soft kick": _kick(110, 60, 25, 20),
    "hard kick": _kick(220, 70, 45, 26),
    "club kick": _kick(300, 48, 30, 15),
    "boom": _kick(120, 44, 18, 7),
    "snare body": _snare_body,
    "ride": _ride,
    "pedal hat": _noise(7_000, 10_000, 70, seed=1),
    "clap": _clap,
    "shaker": _noise(6_500, 9_000, 35, seed=2, attack=0.03),
    "snare": _noise(5_800, 11_000, 22, seed=3),
    "hat": _noise(8_000, 12_000, 40, seed=4),
    "open hat": _noise(7_500, 12_000, 9, seed=6),
    "tick": _noise(9_500, 12_000, 110, seed=7),
}
LENGTHS: dict[str, int] = {
    "soft kick": 5,
    "hard kick": 5,
    "club kick": 6,
    "boom": 12,
    "snare body": 4,
    "ride": 14,
    "pedal hat": 3,
    "clap": 5,
    "shaker": 4,
    "snare": 7,
    "hat": 4,
    "open hat": 9,
    "tick": 2,
}
"""Frames after which a drum has died away."""
