"""How far two reviewers agree beyond chance: Cohen's kappa, and where they differ.

Only first decisions count, each made without knowledge of the other's; what is decided a second
time because of a disagreement would raise any measure of agreement.

Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological
Measurement 20(1), 37-46.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leitmotif.errors import counted
from leitmotif.intervals import track_weights
from leitmotif.tables.decisions import VERDICTS, Decision


@dataclass(frozen=True)
class AgreementInterval:
    """An estimate with its 95 % interval; None where one is not defined."""

    mean: float | None
    low: float | None
    high: float | None
    constant: str = ""
    """Why there is none: who always said what."""


@dataclass(frozen=True)
class Agreement:
    """Two reviewers on the pairs that both decided first and blindly."""

    reviewers: tuple[str, str]
    confusion: NDArray[np.int64]
    """[4, 4]: the first reviewer's verdicts down, the second's across, in VERDICTS's order."""
    kappa: AgreementInterval
    """Over the four verdicts. The interval is a bootstrap over tracks: verdicts on one track are
    not independent."""
    kappa_positive: AgreementInterval
    """Positive against everything else, which is what becomes a label."""

    @property
    def n(self) -> int:
        """Pairs that both decided."""
        return int(self.confusion.sum())

    @property
    def observed(self) -> float | None:
        """Share of the pairs on which they say the same."""
        return float(np.trace(self.confusion) / self.n) if self.n else None


def agreements(decisions: Iterable[Decision]) -> list[Agreement]:
    """Compare every two reviewers of standing decisions, with or without a common pair."""
    first = [decision for decision in decisions if decision.queue == "review"]
    reviewers = sorted({decision.reviewer for decision in first})
    return [_compare(first, pair) for pair in combinations(reviewers, 2)]


def cohen_kappa(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa of confusion counts [..., k, k]: [...].

    NaN where it says nothing: without a decision, and where one side only ever says one thing.
    What both say then agrees by chance alone, whatever the other says, and kappa is 0 or 0/0.
    """
    n = confusion.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = confusion / n[..., None, None]
        observed = np.trace(shares, axis1=-2, axis2=-1)
        expected = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
        kappa = (observed - expected) / (1 - expected)
    varies = [((confusion.sum(axis=axis) > 0).sum(axis=-1) > 1) for axis in (-1, -2)]
    return np.where(varies[0] & varies[1], kappa, np.nan)


def _compare(decisions: list[Decision], reviewers: tuple[str, str]) -> Agreement:
    said = {
        reviewer: {d.pair: d for d in decisions if d.reviewer == reviewer} for reviewer in reviewers
    }
    first, second = (said[reviewer] for reviewer in reviewers)
    tracks: dict[str, NDArray[np.int64]] = {}
    for pair in first.keys() & second.keys():
        counts = tracks.setdefault(first[pair].track_id, np.zeros((4, 4), np.int64))
        counts[VERDICTS.index(first[pair].verdict), VERDICTS.index(second[pair].verdict)] += 1
    by_track = np.array([tracks[name] for name in sorted(tracks)], np.int64).reshape(-1, 4, 4)
    return Agreement(
        reviewers=reviewers,
        confusion=by_track.sum(axis=0),
        kappa=_interval(by_track, reviewers, VERDICTS),
        kappa_positive=_interval(
            _positive_or_not(by_track), reviewers, (VERDICTS[0], f"not {VERDICTS[0]}")
        ),
    )


def _positive_or_not(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """[..., 4, 4] -> [..., 2, 2]: the first verdict against the others together."""
    rows = np.stack([confusion[..., 0, :], confusion[..., 1:, :].sum(axis=-2)], axis=-2)
    return np.stack([rows[..., 0], rows[..., 1:].sum(axis=-1)], axis=-1)


def _interval(
    by_track: NDArray[np.int64], reviewers: Sequence[str], names: Sequence[str]
) -> AgreementInterval:
    """Kappa of confusion counts [tracks, k, k], with a percentile bootstrap over tracks.

    ``names`` are those of the k verdicts.
    """
    confusion = by_track.sum(axis=0)
    mean = float(cohen_kappa(confusion))
    if np.isnan(mean):
        said = zip(reviewers, (confusion.sum(axis=1), confusion.sum(axis=0)), strict=True)
        constant = [
            f"{reviewer} always said {names[int(counts.argmax())]}"
            for reviewer, counts in said
            if (counts > 0).sum() == 1
        ]
        return AgreementInterval(None, None, None, " and ".join(constant))
    tracks = len(by_track)
    if tracks < 2:  # nothing to resample
        return AgreementInterval(mean, None, None)
    kappas = cohen_kappa(np.einsum("rt,tij->rij", track_weights(tracks), by_track))
    low, high = np.nanpercentile(kappas, [2.5, 97.5])
    return AgreementInterval(mean, float(low), float(high))


def as_text(agreements: Sequence[Agreement]) -> str:
    """Return kappa and confusion of every two reviewers as a text of several lines."""
    if not agreements:
        return "fewer than two reviewers have decided anything"
    return "\n\n".join(_described(agreement) for agreement in agreements)


def _described(agreement: Agreement) -> str:
    first, second = agreement.reviewers
    if agreement.observed is None:
        return f"{first} and {second} have decided no item in common"
    width = max(len(verdict) for verdict in VERDICTS) + 2
    rows = [
        f"{first} and {second}: {counted(agreement.n, 'item')}, "
        f"the same verdict on {agreement.observed:.1%}",
        f"  kappa, four verdicts       {_number(agreement.kappa)}",
        f"  kappa, positive or not     {_number(agreement.kappa_positive)}",
        f"  {first} down, {second} across:",
        " " * (width + 2) + "".join(f"{verdict:>{width}}" for verdict in VERDICTS),
    ]
    for verdict, counts in zip(VERDICTS, agreement.confusion, strict=True):
        rows.append(f"  {verdict:<{width}}" + "".join(f"{count:>{width}}" for count in counts))
    return "\n".join(rows)


def _number(kappa: AgreementInterval) -> str:
    if kappa.mean is None:
        return f"not defined: {kappa.constant}"
    if kappa.low is None or kappa.high is None:
        return f"{kappa.mean:.2f} (one track: no interval)"
    return f"{kappa.mean:.2f} (95 % {kappa.low:.2f} to {kappa.high:.2f})"
