"""Representations of a recording for comparison: four views of pitch and three of rhythm.

Pitches are estimated by non-negative decomposition of the constant-Q spectrum into harmonic
templates with the Kullback-Leibler divergence (Smaragdis & Brown 2003; Vincent, Bertin & Badeau
2010). This suppresses partials, so motifs are compared by their notes. Each view has its own errors
(chroma ignores the octave, held notes hide the melody, onsets ignore the duration of notes); their
mean has fewer.

Views are computed in float64 and rounded to multiples of 2**-20. Products of two views, and sums of
such products over up to 4096 frames, are then exact in any order of summation. Two pairs of windows
with the same similarity therefore have it on every processor.
"""

from dataclasses import dataclass, field
from functools import cache

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from leitmotif.audio.compiled import lock_compiled
from leitmotif.audio.reading.samples import Samples
from leitmotif.errors import AudioError, counted

Array = NDArray[np.float64]

_GRID = 2.0**20
"""Number of steps from 0 to 1 in a view."""

PITCHES = 84
"""Semitones from C1 to B7."""
PITCH_CLASSES = 12
BASS, SOPRANO = slice(0, 24), slice(48, PITCHES)
"""Registers whose rhythm is compared in addition to that of all pitches: below C3, and from C5
up."""

_RATE = 16_000
_HOP = 320
SPECTRUM_RATE = 50
"""Spectra per second, the maximum rate of views."""
_BINS_PER_PITCH = 3
_FINE_RATE = 20
_SHARP = 0.5
"""Above 20 grid frames per second the constant-Q windows are half as long: 0.1 s at C4."""
_PARTIALS = 10
_PARTIAL_DECAY = 0.6
_PARTIAL_WIDTH = 0.9
"""Half width of a partial in the templates, in bins of 1/36 octave."""
_ITERATIONS = 25
_FLOOR = 0.02
"""Share of the 95th percentile of a view's magnitude below which frames fade out, so that noise in
rests is not compared like notes."""


@dataclass(frozen=True)
class Views:
    """A recording on a grid of ``rate`` frames per second."""

    pitch: Array
    """[264, frames]: chroma (12), sounding pitches, onsets and the highest onsets (84 each). Each
    view has norm 1/2 in every frame with sound, so the inner product of two frames is the mean
    cosine of their views."""
    rhythm: Array
    """[3, frames]: onset strength of all pitches, of the soprano and of the bass, relative to the
    recording's mean. The last two are logarithms."""
    rate: float
    """Frames per second."""
    _raised: dict[int, Array] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.pitch.shape[1])

    def raised(self, semitones: int) -> Array:
        """The pitch views of the same music ``semitones`` higher, [264, frames]; the result is
        cached."""
        if semitones not in self._raised:
            self._raised[semitones] = transposed(self.pitch, semitones)
        return self._raised[semitones]

    def taken(self, order: NDArray[np.intp]) -> "Views":
        """Return the frames with the indices ``order``, in that order."""
        return Views(self.pitch[:, order], self.rhythm[:, order], self.rate)


def make_views(samples: Samples, sample_rate: int, *, rate: float) -> Views:
    """Compute the views of mono audio.

    Parameters
    ----------
    samples
        Mono audio [n], full scale at 1.
    sample_rate
        In Hz.
    rate
        Frames per second of the grid, in (0, 50].

    Raises
    ------
    ValueError
        If ``rate`` is outside its range.
    AudioError
        If the audio is shorter than a frame (``too_short``) or has NaN or infinite samples
        (``non_finite``).
    """
    _check(samples, sample_rate, rate)
    spectrum = _spectrum(samples, sample_rate, _SHARP if rate > _FINE_RATE else 1.0)
    frames = int(len(samples) / sample_rate * rate)
    salience_rate = min(SPECTRUM_RATE, round(2.5 * rate))
    salience = _salience(_averaged(spectrum, SPECTRUM_RATE, salience_rate))
    smoothed = gaussian_filter1d(salience, 1.0, axis=1)
    flux = np.zeros_like(salience)
    flux[:, 1:-1] = np.maximum(0, smoothed[:, 2:] - smoothed[:, :-2])
    per_frame = salience_rate / rate

    def on_grid(view: Array, sigma: float) -> Array:
        """Smooth by ``sigma`` frames of the grid and average within each."""
        blurred = gaussian_filter1d(view, sigma * per_frame, axis=1)
        return _fitted(_averaged(blurred, salience_rate, rate), frames)

    onsets = on_grid(flux, 0.8)
    pitch = [
        _directions(
            _chroma(_fitted(_averaged(spectrum, SPECTRUM_RATE, rate), frames)), centred=True
        ),
        _directions(on_grid(salience, 0.48), centred=True),
        _directions(on_grid(flux, 1.0), centred=False),
        _directions(gaussian_filter1d(_highest(onsets), 1.0, axis=1), centred=False),
    ]
    strength = [
        on_grid(flux[part].sum(0, keepdims=True), 0.6)[0] for part in (slice(None), SOPRANO, BASS)
    ]
    relative = [values / max(float(values.mean()), 1e-9) for values in strength]
    rhythm = np.stack([relative[0], *map(np.log1p, relative[1:])])
    return Views(_rounded(np.concatenate(pitch) / 2), _rounded(rhythm), float(rate))


def _check(samples: Samples, sample_rate: int, rate: float) -> None:
    if not 0 < rate <= SPECTRUM_RATE:
        raise ValueError(f"rate must be in (0, {SPECTRUM_RATE}], found {rate}")
    if len(samples) * rate < sample_rate:
        raise AudioError(
            "the audio is too short to compare anything in it",
            reason="too_short",
            found=counted(len(samples), "sample"),
            expected=f"at least {sample_rate / rate:.0f}",
        )
    if not np.isfinite(samples).all():
        raise AudioError(
            "the audio has samples that are no numbers",
            reason="non_finite",
            expected="finite samples",
        )


def transposed(pitch: Array, semitones: int) -> Array:
    """Transpose pitch views [264, ...] up by a number of semitones; negative numbers go down."""
    chroma, *rolls = np.split(pitch, [12, 12 + PITCHES, 12 + 2 * PITCHES])
    return np.concatenate(
        [np.roll(chroma, semitones, axis=0), *(_shifted(roll, semitones) for roll in rolls)]
    )


def _shifted(roll: Array, semitones: int) -> Array:
    moved = np.zeros_like(roll)
    if semitones > 0:
        moved[semitones:] = roll[:-semitones]
    elif semitones < 0:
        moved[:semitones] = roll[-semitones:]
    else:
        moved[:] = roll
    return moved


def _spectrum(samples: Samples, sample_rate: int, filter_scale: float) -> Array:
    """Constant-Q magnitudes [252, frames] at 50 frames per second, three bins per semitone from
    C1."""
    lock_compiled()
    halved = soxr.resample(samples.astype(np.float64), sample_rate, _RATE, quality="HQ")
    bins = 12 * _BINS_PER_PITCH
    tuning = librosa.estimate_tuning(y=halved, sr=_RATE, bins_per_octave=bins, resolution=0.01)
    # Zeros up to 3 s keep librosa's longest window shorter than the signal.
    padded = np.pad(halved, (0, max(0, 3 * _RATE - len(halved))))
    spectrum = np.abs(
        librosa.cqt(
            padded,
            sr=_RATE,
            hop_length=_HOP,
            fmin=librosa.note_to_hz("C1"),
            n_bins=PITCHES * _BINS_PER_PITCH,
            bins_per_octave=bins,
            tuning=tuning,
            filter_scale=filter_scale,
        )
    )
    return np.asarray(spectrum[:, : max(1, len(halved) // _HOP)])


def _averaged(frames: Array, rate: float, target: float) -> Array:
    """Average frames [d, n] within the frames of a coarser rate: [d, n target / rate]."""
    if rate == target:
        return frames
    total = np.concatenate([np.zeros((len(frames), 1)), np.cumsum(frames, axis=1)], 1)
    count = max(1, int(frames.shape[1] * target / rate + 1e-6))
    edges = np.minimum(np.arange(count + 1) * rate / target, frames.shape[1])
    whole = np.minimum(edges.astype(int), frames.shape[1] - 1)
    part = edges - whole
    at_edges = total[:, whole] * (1 - part) + total[:, whole + 1] * part
    return np.diff(at_edges, axis=1) * target / rate


def _fitted(frames: Array, count: int) -> Array:
    """Cut to ``count`` frames, or repeat the last frame."""
    missing = max(0, count - frames.shape[1])
    return np.pad(frames[:, :count], ((0, 0), (0, missing)), mode="edge")


@cache
def _templates() -> Array:
    """Harmonic spectra [252, 84], each of unit length."""
    bins = np.arange(PITCHES * _BINS_PER_PITCH)[:, None]
    lowest = np.arange(PITCHES) * _BINS_PER_PITCH
    spectra = np.zeros((len(bins), PITCHES))
    for partial in range(1, _PARTIALS + 1):
        centre = lowest + 12 * _BINS_PER_PITCH * np.log2(partial)
        shape = np.exp(-0.5 * ((bins - centre) / _PARTIAL_WIDTH) ** 2)
        spectra += _PARTIAL_DECAY ** (partial - 1) * shape
    return np.asarray(spectra / np.linalg.norm(spectra, axis=0))


def _salience(spectrum: Array) -> Array:
    """Strength of each pitch, [252, n] -> [84, n], by multiplicative updates."""
    templates = _templates()
    target = np.sqrt(spectrum) + 1e-9
    salience = np.maximum(templates.T @ target, 1e-6)
    total = templates.sum(0)[:, None]
    for _ in range(_ITERATIONS):
        salience *= templates.T @ (target / (templates @ salience + 1e-9)) / total
    return salience


def _chroma(spectrum: Array) -> Array:
    pitches = spectrum.reshape(PITCHES, _BINS_PER_PITCH, -1).max(1)
    classes = pitches.reshape(-1, PITCH_CLASSES, pitches.shape[1]).sum(0)
    loudest = np.maximum(classes.max(0), _FLOOR * max(float(classes.max()), 1e-9))
    return np.log1p(10 * classes / loudest)


def _highest(onsets: Array) -> Array:
    """Weaken each onset [84, n] by the strength of higher onsets, so that the melody remains."""
    relative = onsets / np.maximum(onsets.max(0), 1e-6)
    nothing_above = np.cumprod(1 - relative[::-1], axis=0)[::-1]
    return np.asarray(onsets * np.vstack([nothing_above[1:], np.ones((1, onsets.shape[1]))]))


def _directions(view: Array, *, centred: bool) -> Array:
    """Scale every frame [d, n] to norm 1, or less if the frame is faint."""
    if centred:
        view = view - view.mean(0)
    length = np.linalg.norm(view, axis=0)
    floor = max(_FLOOR * float(np.quantile(length, 0.95)), 1e-9)
    return np.asarray(view / np.maximum(length, floor))


def _rounded(view: Array) -> Array:
    return np.asarray(np.rint(view * _GRID) / _GRID)
