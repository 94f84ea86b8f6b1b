"""The leak check: what a feature says of t must not change when audio after t does.

The past of a recording is kept and its future replaced. A feature that differs before the cut has
heard beyond it. No statistic is involved: features that merely foretell the future cannot be told
from features that have heard it by their values alone, but only the latter change.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from leitmotif.errors import ProbeError
from leitmotif.probe.panel.arguments import column, whole_number
from leitmotif.probe.panel.panel import Array

Extract = Callable[[NDArray[np.float32]], NDArray[np.floating] | sparse.csr_array]
"""From audio [n] to features [rows, d], sparse where most are 0 most of the time."""


def look_ahead(
    extract: Extract,
    audio: NDArray[np.float32],
    *,
    sample_rate: int,
    instants: Array,
    cuts: Sequence[float],
    tolerance: float = 1e-3,
    seed: int = 0,
) -> Array:
    """Measure how many seconds past each row's instant each feature hears: [d], 0 if not at all.

    ``instants`` [rows] are the seconds up to which each row may hear, in order; ``cuts`` the
    seconds from which the future is replaced, by silence and by noise as loud as the recording. A
    feature differs where it moves by more than ``tolerance`` of its standard deviation. The result
    is as fine as the rows are and cannot exceed the last cut. Raises ProbeError if no cut lies
    within the recording, with rows before it, and for NaN: no comparison would find it to differ.
    """
    column(audio, "samples")
    column(instants, "instants")
    whole_number(sample_rate, "sample_rate", least=1)
    if not 0 < tolerance < np.inf:
        raise ProbeError("tolerance is no share", found=tolerance, expected="a number above 0")
    seconds = len(audio) / sample_rate
    if not cuts or not all(instants[0] < cut < seconds for cut in cuts):
        raise ProbeError(
            "the leak check needs a past and a future",
            found=f"cuts at {list(cuts)} s",
            expected=f"between {instants[0]:g} s, the first row, and {seconds:g} s, the end",
        )
    whole = _extracted(extract, audio, len(instants))
    allowed = tolerance * spread(whole) + 1e-12
    noise = np.random.default_rng(seed).normal(size=len(audio)) * audio.std()
    ahead = np.zeros(len(allowed))
    for cut in cuts:
        sample = round(cut * sample_rate)
        before = np.flatnonzero(instants <= cut)
        for future in (np.zeros(len(audio)), noise):
            other = np.where(np.arange(len(audio)) < sample, audio, future).astype(audio.dtype)
            change = (_extracted(extract, other, len(instants))[before] - whole[before]).tocoo()
            changed = np.abs(change.data) > allowed[change.col]
            heard = cut - instants[before[change.row[changed]]]
            np.maximum.at(ahead, change.col[changed], heard)
    return ahead


def spread(features: sparse.csr_array) -> Array:
    """Standard deviation of each column, [d]."""
    mean = np.asarray(features.mean(axis=0)).ravel()
    square = np.asarray(features.multiply(features).mean(axis=0)).ravel()
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)))


def _extracted(extract: Extract, audio: NDArray[np.float32], rows: int) -> sparse.csr_array:
    features = _sparse(extract(audio))
    if features.shape[0] != rows or not np.isfinite(features.data).all():
        raise ProbeError(
            "the leak check cannot compare these features",
            found=f"shape {features.shape}, {int((~np.isfinite(features.data)).sum())} not finite",
            expected=f"finite numbers, a row for each of {rows} instants",
        )
    return features


def _sparse(features: NDArray[np.floating] | sparse.csr_array) -> sparse.csr_array:
    if isinstance(features, sparse.csr_array):
        return features
    return sparse.csr_array(features.astype(np.float64))


def refuse_leak(ahead: Array, *, allowed: float, names: Sequence[str] | None = None) -> None:
    """Raise ProbeError if a feature hears more than ``allowed`` seconds past its row's instant."""
    leaking = np.flatnonzero(ahead > allowed)
    if len(leaking):
        worst = leaking[ahead[leaking].argmax()]
        name = names[worst] if names else f"feature {worst}"
        raise ProbeError(
            "features hear the future that they are to foresee",
            found=f"{len(leaking)} of {len(ahead)}; {name} hears {ahead[worst]:.2f} s ahead",
            expected=f"at most {allowed:g} s",
            fix="delay these features by what they hear, or leave them out",
        )
