"""Waveforms of single notes, each of a fixed length, so that equal notes are equal samples.

A note fades in and out within its own frames and nothing rings into the next one: the codec, which
looks at one frame at a time, then gives a note the same codes wherever it stands.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leitmotif.corpus.organism.world import World

Wave = NDArray[np.float32]
Synth = Callable[[float, NDArray[np.float64], int], NDArray[np.float64]]
"""(frequency in Hz, times in s, sample rate) to a waveform of any amplitude."""

ATTACK_SECONDS, RELEASE_SECONDS = 0.003, 0.02
HIGHEST_PARTIAL = 14_000.0
GRACE_FRAMES = 2


class NoteSound(NamedTuple):
    """What is heard during one note: a voice at a MIDI pitch, a drum, and a grace note before."""

    voice: str
    """A key of ``VOICES``."""
    pitch: int
    """MIDI number."""
    drum: str | None
    """A key of ``VOICES`` that sounds with the note."""
    grace: int | None = None
    """Pitch of the grace note, which takes the first ``GRACE_FRAMES`` frames of the note's time."""


class SoundBank:
    """Renders sounds of one world, each once, and keeps them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waves: dict[NoteSound, Wave] = {}

    def __getitem__(self, sound: NoteSound) -> Wave:
        """Samples of ``sound``: [samples_per_note], float32; raises KeyError for another voice."""
        if sound not in self._waves:
            self._waves[sound] = self._render(sound)
        return self._waves[sound]

    def _render(self, sound: NoteSound) -> Wave:
        gains = self._world.gains
        gain = gains.cue if sound.voice == "bell" else gains.melody
        samples = self._world.samples_per_note
        if sound.grace is None:
            wave = gain * self._note(sound.voice, sound.pitch, samples)
        else:
            before = GRACE_FRAMES * self._world.samples_per_frame
            grace = self._note(sound.voice, sound.grace, before)
            note = self._note(sound.voice, sound.pitch, samples - before)
            wave = gain * np.concatenate([grace, note])
        if sound.drum is not None:
            wave = wave + gains.drums * self._note(sound.drum, 0, samples)
        return wave.astype(np.float32)

    def _note(self, voice: str, pitch: int, samples: int) -> NDArray[np.float64]:
        rate = self._world.sample_rate
        frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
        wave = VOICES[voice](frequency, np.arange(samples) / rate, rate)
        attack, release = int(ATTACK_SECONDS * rate), int(RELEASE_SECONDS * rate)
        wave[:attack] *= np.linspace(0, 1, attack)
        wave[-release:] *= np.linspace(1, 0, release)
        return wave / np.abs(wave).max()


def _guitar(frequency: float, t: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    # Karplus and Strong (1983): a burst of noise circulating in a damped delay line.
    period = round(rate / frequency)
    noise = np.random.default_rng(7).uniform(-1, 1, period)
    line = np.convolve(np.concatenate([noise, noise]), np.full(4, 0.25), mode="same")[:period]
    cycles = []
    for _ in range(len(t) // period + 1):
        cycles.append(line)
        line = 0.498 * (line + np.roll(line, 1))
    return np.concatenate(cycles)[: len(t)]


def _violin(frequency: float, t: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    vibrato = 0.0009 * frequency / 5.5 * 2 * np.pi * (1 - np.cos(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * frequency * t + vibrato
    partials = [k for k in range(1, 11) if frequency * k < HIGHEST_PARTIAL]
    bowed: NDArray[np.float64] = np.sum([np.sin(k * phase) / k for k in partials], axis=0)
    # A swell from a clear start to the note's end: no two of its frames are alike. Where all
    # pitches begin in silence, codebooks sampled side by side disagree on the pitch; where the tone
    # is steady, a model that copies loses count of the frames.
    return bowed * np.minimum(1, 0.4 + 0.6 * t / 0.15)


def _bell(frequency: float, t: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    # Chowning (1973): an inharmonic modulator whose index decays.
    modulator = 1.5 * np.exp(-6 * t) * np.sin(2 * np.pi * 1.4 * frequency * t)
    return np.asarray(np.sin(2 * np.pi * frequency * t + modulator) * np.exp(-4 * t))


def _kick(frequency: float, t: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    sweep = 50 * t + 80 / 30 * (1 - np.exp(-30 * t))
    return np.asarray(np.sin(2 * np.pi * sweep) * np.exp(-14 * t))


def _hat(frequency: float, t: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    noise = np.random.default_rng(3).standard_normal(len(t) + 1)
    return np.asarray(np.diff(noise) * np.exp(-45 * t))


VOICES: dict[str, Synth] = {
    "guitar": _guitar,
    "violin": _violin,
    "bell": _bell,
    "kick": _kick,
    "hat": _hat,
}
