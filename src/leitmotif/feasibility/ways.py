"""Which settings would do with the tracks that are there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.config.auto import FOLDS
from leitmotif.config.probes import LEAST_FOLDS
from leitmotif.feasibility.lengths import seconds_needed
from leitmotif.probe.panel.panel import TRACKS_PER_FOLD
from leitmotif.timing.frames import Timing

_SHORTEST_HORIZON = 2.0
"""Seconds that a horizon keeps when it is shortened."""


@dataclass(frozen=True)
class Way:
    """Settings with which enough tracks are long enough."""

    settings: tuple[str, ...]
    """Each ``key=value``, as ``--set`` takes it; none where the present ones do."""
    tracks: int
    """Tracks that are long enough."""
    needed: int
    seconds: float
    """Shortest track that is."""

    def __str__(self) -> str:
        """``probes.folds=3 (needs 12 tracks of at least 17.0 s; 13 are here)``."""
        needs = f"{self.needed} tracks of at least {self.seconds:.1f} s; {self.tracks} are here"
        return f"{', '.join(self.settings)} (needs {needs})"


def best_way(params: Params, ends: Sequence[float], *, timing: Timing) -> Way | None:
    """The settings nearest to the present ones with which the tracks suffice, if all are decided.

    Folds are given up before horizons are, as the horizon is the question. Horizons keep their
    beginnings: their ends come nearer, second by second.

    Parameters
    ----------
    params : the present settings.
    ends : seconds at which the windows of each track end, for all tracks that can be decided.
    timing : of the model.

    Returns None where nothing would do: too few tracks for three folds, whatever the horizons.
    """
    for horizons in _horizons(params):
        probes = params.probes.model_copy(update={"horizons": horizons})
        seconds = seconds_needed(probes, Claims.of(probes).horizons, timing)
        tracks = sum(end >= seconds - 1e-9 for end in ends)
        for folds in range(params.probes.folds, LEAST_FOLDS - 1, -1):
            needed = folds * TRACKS_PER_FOLD
            if tracks >= needed:
                return Way(_changes(params, folds, horizons), tracks, needed, seconds)
    return None


def _horizons(params: Params) -> Iterator[list[list[float]]]:
    """The present horizons, then the same with ever nearer ends; claims stay possible."""
    least = max(after for after, _ in params.probes.horizons if after >= _claimed(params))
    furthest = max(until for _, until in params.probes.horizons)
    yield params.probes.horizons
    last = math.ceil(furthest) - 1
    while last >= least + _SHORTEST_HORIZON:
        yield [[after, min(until, float(last))] for after, until in params.probes.horizons]
        last -= 1


def _claimed(params: Params) -> float:
    return Claims.of(params.probes).claimed.after


def _changes(params: Params, folds: int, horizons: list[list[float]]) -> tuple[str, ...]:
    changes = []
    if horizons != params.probes.horizons:
        pairs = ", ".join(f"[{after:g}, {until:g}]" for after, until in horizons)
        changes.append(f"probes.horizons=[{pairs}]")
    if folds != params.probes.folds and FOLDS not in params.auto:
        changes.append(f"probes.folds={folds}")
    return tuple(changes)
