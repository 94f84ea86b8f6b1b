"""Features of which it is known whether they foresee: made without any link, or with a planted one.

Each generator draws one feature [rows] for the rows of real tracks. Without a link to the target
beyond the controls are functions of the controls with noise as slow as the music (``linear``,
``curved``), noise with the spectrum of a real feature (``surrogate``: Theiler et al. 1992), a real
feature of other tracks (``swapped``), and numbers that only name the track (``label``).
``shifted`` rolls a real feature within its track; it keeps the track's mean, so it is without a
link only where the track's mean is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import lfilter

from leitmotif.errors import ProbeError
from leitmotif.probe.panel.arguments import column
from leitmotif.probe.panel.panel import Array


@dataclass(frozen=True)
class NullIngredients:
    """Real rows, track by track, from which features are made."""

    features: Array
    """[rows, d]"""
    controls: Array
    """[rows, p]"""
    target: Array
    """[rows]"""
    tracks: tuple[slice, ...]

    # Every draw uses these.

    @cached_property
    def scaled_features(self) -> Array:
        """``features`` with mean 0 and spread 1."""
        return scaled(self.features)

    @cached_property
    def scaled_controls(self) -> Array:
        """``controls`` with mean 0 and spread 1."""
        return scaled(self.controls)

    @cached_property
    def memory(self) -> float:
        """Autocorrelation of the target between neighbouring rows."""
        return lag_one(self.target, self.tracks)

    @cached_property
    def rows_by_length(self) -> list[NDArray[np.int64]]:
        """For each length of a track the rows of those that have it: [tracks, length]."""
        by_length: dict[int, list[NDArray[np.int64]]] = {}
        for track in self.tracks:
            by_length.setdefault(track.stop - track.start, []).append(
                np.arange(track.start, track.stop)
            )
        return [np.stack(rows) for rows in by_length.values()]


Generator = Callable[[np.random.Generator, NullIngredients], Array]


def linear(random: np.random.Generator, source: NullIngredients) -> Array:
    """A weighted sum of the controls, and as much slow noise."""
    return _with_noise(random, source, source.scaled_controls @ _direction(random, source))


def curved(random: np.random.Generator, source: NullIngredients) -> Array:
    """A bent sum of the controls times a bent other one, and as much slow noise."""
    return _with_noise(random, source, _curve(random, source))


def surrogate(random: np.random.Generator, source: NullIngredients) -> Array:
    """A real feature with its phases drawn anew in each track: the same spectrum and mean square.

    The tracks' means get random signs.
    """
    column = _column(random, source)
    centre = column.mean()
    made = np.empty_like(column)
    for track in source.tracks:
        spectrum = rfft(column[track] - centre)
        turned = np.abs(spectrum) * np.exp(2j * np.pi * random.random(len(spectrum)))
        turned[0] = spectrum[0].real * random.choice([-1, 1])
        made[track] = irfft(turned, n=track.stop - track.start)
    return made


def swapped(random: np.random.Generator, source: NullIngredients) -> Array:
    """A real feature, each track's taken from another track, place by place."""
    column = _column(random, source)
    count = len(source.tracks)
    order = random.permutation(count)
    donors = np.empty(count, np.int64)
    donors[order] = np.roll(order, 1)  # one cycle: no track keeps its own
    made = np.empty_like(column)
    for track, donor in zip(source.tracks, donors, strict=True):
        length = track.stop - track.start
        made[track] = np.resize(column[source.tracks[donor]], length)
    return made


def shifted(random: np.random.Generator, source: NullIngredients) -> Array:
    """A real feature rolled within each track by a random number of rows."""
    column = _column(random, source)
    made = np.empty_like(column)
    for track in source.tracks:
        made[track] = np.roll(column[track], random.integers(track.stop - track.start))
    return made


def label(random: np.random.Generator, source: NullIngredients) -> Array:
    """A number for each track, constant in it but for a little noise: it names the track."""
    lengths = [track.stop - track.start for track in source.tracks]
    return np.repeat(random.normal(size=len(lengths)), lengths) + 0.1 * slow_noise(random, source)


def direction_of(random: np.random.Generator, source: NullIngredients, *, features: Array) -> Array:
    """A random direction among other features [rows, d] of the same rows, another model's say.

    They have mean 0 and spread 1; see ``scaled``.
    """
    return np.asarray(features @ random.normal(size=features.shape[1]))


WITHOUT_FORESIGHT: dict[str, Generator] = {
    "linear": linear,
    "curved": curved,
    "surrogate": surrogate,
    "swapped": swapped,
    "label": label,
}


def planted(
    random: np.random.Generator, source: NullIngredients, *, own: Array, strength: float
) -> Array:
    """A curved function of the controls with noise, and a link of partial correlation ``strength``.

    ``own`` [rows] is what the controls leave of the target. With noise of unit variance, s / √(1 -
    s²) times the standardised ``own`` has partial correlation s with the target.
    """
    return _with_noise(random, source, _curve(random, source)) + link(own, strength)


def link(own: Array, strength: float) -> Array:
    """What is added to noise of unit variance, [rows]; see ``planted``.

    Raises ProbeError for a strength that is no partial correlation below 1, and a constant ``own``.
    """
    own = column(own, "what the controls leave of the target")
    if not -1 < strength < 1:
        raise ProbeError(
            "this is no partial correlation", found=f"{strength}", expected="a number within ±1"
        )
    if not own.std():
        raise ProbeError("the controls leave nothing of the target", found="a constant")
    return np.asarray(strength / np.sqrt(1 - strength**2) * _unit(own))


def scaled(values: Array) -> Array:
    """Columns [rows, d] with mean 0 and spread 1; constant ones stay 0."""
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))


def slow_noise(random: np.random.Generator, source: NullIngredients) -> Array:
    """Autoregressive noise of unit variance, as slow as the target is: [rows]."""
    memory = source.memory
    white = random.normal(size=len(source.target))
    made = np.empty_like(white)
    for rows in source.rows_by_length:
        driven = white[rows]
        driven[:, 1:] *= np.sqrt(1 - memory**2)
        made[rows] = lfilter([1], [1, -memory], driven, axis=1)
    return made


def lag_one(values: Array, tracks: tuple[slice, ...]) -> float:
    """Autocorrelation between neighbouring rows of a track, at most 0.999."""
    centred = values - values.mean()
    products = sum(float(centred[t][1:] @ centred[t][:-1]) for t in tracks)
    squares = sum(float(centred[t][1:] @ centred[t][1:]) for t in tracks)
    return float(np.clip(products / squares if squares else 0.0, 0.0, 0.999))


def _with_noise(random: np.random.Generator, source: NullIngredients, signal: Array) -> Array:
    return np.asarray(_unit(signal) + slow_noise(random, source))


def _curve(random: np.random.Generator, source: NullIngredients) -> Array:
    controls = source.scaled_controls
    first = np.tanh(controls @ _direction(random, source) + random.normal())
    second = (controls @ _direction(random, source) + random.normal()) ** 2
    return np.asarray(_unit(first) + _unit(second) + _unit(first * second))


def _direction(random: np.random.Generator, source: NullIngredients) -> Array:
    return random.normal(size=source.controls.shape[1]) / np.sqrt(source.controls.shape[1])


def _column(random: np.random.Generator, source: NullIngredients) -> Array:
    """A random direction in feature space: unlike single units, no two draws are the same."""
    return direction_of(random, source, features=source.scaled_features)


def _unit(values: Array) -> Array:
    return np.asarray((values - values.mean()) / values.std())
