"""Panels of which the truth is known: features and targets of tracks, linked or not.

Each draw of a panel has its own controls. Feature k and target k of it are drawn together, and
independently of all others given the controls.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import lfilter

Array = NDArray[np.float64]
Random = np.random.Generator

LENGTH, CONTROLS = 30, 3
MEMORY = 0.9
"""Autocorrelation of noise between neighbouring rows, unless a case has another."""


@dataclass(frozen=True)
class Made:
    """Rows of a panel, track by track."""

    features: Array
    """[rows, draws]"""
    targets: Array
    """[rows, draws]"""
    controls: Array
    """[rows, p]"""
    groups: NDArray[np.int64]
    """[rows], each row's track"""
    left: tuple[Array, Array]
    """[rows, draws] each: what the true functions of the controls leave of features and targets,
    which an oracle knows."""


@dataclass(frozen=True)
class Case:
    """How a panel is drawn.

    ``noise`` draws [tracks, LENGTH, draws] for features and for targets; ``signal`` adds the same
    to both, or something to each, from the controls [tracks, LENGTH, CONTROLS]; ``lengths`` draws
    the rows of each track.
    """

    name: str
    noise: Callable[[Random, int, int], tuple[Array, Array]]
    signal: Callable[[Random, Array, int], tuple[Array, Array]]
    lengths: Callable[[Random, int], NDArray[np.int64]] | None = None
    moved_by_length: bool = False
    reason: str | None = None
    """Why the level is not held, where it is not; None where it should be."""


def drawn(case: Case, tracks: int, draws: int, seed: int, *, strength: float = 0.0) -> Made:
    """Draw a panel; with a ``strength``, noise of feature and target has that correlation."""
    random = np.random.default_rng(seed)
    lengths = np.full(tracks, LENGTH) if case.lengths is None else case.lengths(random, tracks)
    Z = ar(random, tracks, CONTROLS, 0.95)
    e, u = case.noise(random, tracks, draws)
    e = np.sqrt(1 - strength**2) * e + strength * u
    f, g = case.signal(random, Z, draws)
    if case.moved_by_length:
        moved = ((lengths - lengths.mean()) / lengths.std())[:, np.newaxis, np.newaxis]
        f, g = f + moved, g + moved
    inside = np.arange(LENGTH) < lengths[:, np.newaxis]
    controls = Z[inside]
    if len(set(lengths.tolist())) > 1:  # as the control ``track_length`` of the pipeline
        controls = np.column_stack([controls, np.repeat(lengths, lengths)])
    x, y = (f + e)[inside], (g + u)[inside]
    return Made(x, y, controls, np.repeat(np.arange(tracks), lengths), (e[inside], u[inside]))


def ar(random: Random, tracks: int, columns: int, memory: float) -> Array:
    """Stationary autoregressive noise of unit variance: [tracks, LENGTH, columns]."""
    white = random.normal(size=(tracks, LENGTH, columns)) * np.sqrt(1 - memory**2)
    white[:, 0] /= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1], [1, -memory], white, axis=1))


def _both(memory: float) -> Callable[[Random, int, int], tuple[Array, Array]]:
    return lambda random, n, d: (ar(random, n, d, memory), ar(random, n, d, memory))


def _heavy(random: Random, n: int, d: int) -> tuple[Array, Array]:
    """Means of tracks from Student's t with 2 degrees of freedom, and noise."""

    def one() -> Array:
        return random.standard_t(2, size=(n, 1, d)) + ar(random, n, d, MEMORY)

    return one(), one()


def _scaled(random: Random, n: int, d: int) -> tuple[Array, Array]:
    """A loud track has large residuals of both."""
    scale = np.exp(random.normal(scale=0.7, size=(n, 1, 1)))
    return scale * ar(random, n, d, MEMORY), scale * ar(random, n, d, MEMORY)


def _sparse(random: Random, n: int, d: int) -> tuple[Array, Array]:
    e, u = _both(0.5)(random, n, d)
    return np.maximum(0, e - 2.326) * 8, u


def _rare(random: Random, n: int, d: int) -> tuple[Array, Array]:
    e, u = _both(0.5)(random, n, d)  # with longer events, some draws have them in two tracks only
    return e, np.where(u > 2.326, 4.0, 0.0)


def _long(random: Random, n: int, d: int) -> tuple[Array, Array]:
    """Spectrum 1 / f^0.8, cut from series eight times as long."""

    def one() -> Array:
        white = random.normal(size=(n, 8 * LENGTH, d))
        spectrum = rfft(white, axis=1)
        spectrum[:, 0] = 0
        spectrum[:, 1:] /= np.arange(1, spectrum.shape[1])[:, np.newaxis] ** 0.4
        series = irfft(spectrum, n=8 * LENGTH, axis=1)[:, :LENGTH]
        return np.asarray(series / series.std())

    return one(), one()


def _by_track(random: Random, n: int, d: int) -> tuple[Array, Array]:
    e, u = _both(MEMORY)(random, n, d)
    hidden = 0.5 * random.normal(size=(n, 1, d))
    return e + hidden, u + hidden


def _none(random: Random, Z: Array, d: int) -> tuple[Array, Array]:
    zero = np.zeros((*Z.shape[:2], 1))
    return zero, zero


def _linear(random: Random, Z: Array, d: int) -> tuple[Array, Array]:
    weights = random.normal(size=(CONTROLS, d)) / np.sqrt(CONTROLS)
    return Z @ weights, Z @ weights


def _curved_apart(random: Random, Z: Array, d: int) -> tuple[Array, Array]:
    first, second = _unit(np.tanh(2 * Z[..., :1])), _unit(Z[..., 1:2] ** 2)
    return first, second


def _same_curve(random: Random, Z: Array, d: int) -> tuple[Array, Array]:
    curve = _unit(np.sin(2 * Z[..., :1]))
    return curve, curve


def _product(random: Random, Z: Array, d: int) -> tuple[Array, Array]:
    wave = _unit(np.sin(3 * Z[..., :1] * Z[..., 1:2]))
    return wave, wave


def _at_place(random: Random, Z: Array, d: int) -> tuple[Array, Array]:
    place = np.linspace(0, 1, LENGTH)[:, np.newaxis]
    crossed = _unit(np.sin(2 * np.pi * place) * Z[..., :1])
    return crossed, crossed


def _unit(values: Array) -> Array:
    return np.asarray((values - values.mean()) / values.std())


def _unequal(random: Random, n: int) -> NDArray[np.int64]:
    return random.integers(10, LENGTH + 1, size=n)


LINEAR = Case("linear", _both(MEMORY), _linear)
NULLS = (
    LINEAR,
    Case("AR(.95)", _both(0.95), _linear),
    Case("AR(.99)", _both(0.99), _linear),
    Case("heavy tails by track (t2)", _heavy, _linear),
    Case("scale by track, shared", _scaled, _none),
    Case("sparse, 1 % of rows", _sparse, _none),
    Case("rare events, 1 % of rows", _rare, _none),
    Case("unequal lengths", _both(MEMORY), _linear, _unequal),
    Case("long memory", _long, _linear),
    Case("curved, unrelated", _both(MEMORY), _curved_apart),
    Case("length moves both", _both(MEMORY), _linear, _unequal, moved_by_length=True),
    Case(
        "same curve in both",
        _both(MEMORY),
        _same_curve,
        reason="the ridge shrinks the curve in both alike; what is left falls with the independent "
        "rows",
    ),
    Case(
        "sin(3 z1 z2) in both",
        _both(MEMORY),
        _product,
        reason="too fine a wave of two controls to be learnt from so few independent rows",
    ),
    Case(
        "place x a known control",
        _both(MEMORY),
        _at_place,
        reason="five cosines leave a part of a sine over the track, within the error of this "
        "measurement",
    ),
    Case(
        "confounder by track, not measured",
        _by_track,
        _linear,
        reason="no control measures it, so that it cannot be told from foresight; see robustness",
    ),
)
