"""Settings that are ``auto``, as the tracks and labels at hand settle them.

- ``probes.folds``: 5, or as many folds of four tracks as the usable tracks make, and at least 3.
- ``interventions.prefix_seconds``: the shortest beginning with which most recordings can be
  continued, as verified motifs lie in it.
- ``interventions.seconds``: until the horizon of the claim ends, within the model's context.
"""

import math
from collections.abc import Sequence

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.config.auto import (
    CONTEXT_SECONDS,
    FOLDS,
    PLANNED,
    PREFIX,
    SECONDS,
    STEP_SECONDS,
    last_beginning,
    longest_continuation,
    with_interventions,
)
from leitmotif.config.probes import LEAST_FOLDS
from leitmotif.feasibility.lengths import rows_of, usable_tracks
from leitmotif.feasibility.pieces import continuable
from leitmotif.probe.panel.panel import TRACKS_PER_FOLD
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.timing.frames import Timing
from leitmotif.timing.windows import start_seconds


def settled_folds(
    params: Params,
    tracks: Sequence[ManifestTrack],
    labels: Sequence[Label],
    coverage: Sequence[Coverage],
    *,
    timing: Timing,
) -> Params:
    """``params`` with ``probes.folds`` settled, if that is ``auto``.

    Parameters
    ----------
    params : all settings.
    tracks : readable rows of the manifest.
    labels, coverage : what is known of them.
    timing : of the model.
    """
    if FOLDS not in params.auto:
        return params
    rows = rows_of(params.probes, tracks, labels, coverage, timing=timing)
    usable = min(usable_tracks(rows, Claims.of(params.probes).horizons).values())
    folds = max(LEAST_FOLDS, min(int(PLANNED[FOLDS]), usable // TRACKS_PER_FOLD))
    probes = params.probes.model_copy(update={"folds": folds})
    return params.model_copy(update={"probes": probes})


def settled_lengths(
    params: Params, tracks: Sequence[ManifestTrack], labels: Sequence[Label]
) -> Params:
    """``params`` with the lengths of ``interventions`` settled that are ``auto``."""
    if PREFIX in params.auto:
        return best_lengths(params, tracks, labels, fit=SECONDS in params.auto)
    fit = SECONDS in params.auto
    return _with_prefix(params, params.interventions.prefix_seconds, fit=fit)


def best_lengths(
    params: Params, tracks: Sequence[ManifestTrack], labels: Sequence[Label], *, fit: bool = True
) -> Params:
    """With the shortest prefix with which most recordings can be continued.

    It stays where no motif is known. ``fit`` makes the continuation as long as fits behind it.
    """
    ways = [
        _with_prefix(params, prefix, fit=fit)
        for prefix in _prefixes(params, tracks, labels, fit=fit)
    ]
    # Of equals, max takes the first: the shortest.
    return max(ways or [params], key=lambda way: continuable(way, tracks, labels))


def in_words(params: Params, section: str) -> list[str]:
    """``probes.folds 4`` and the like, for each setting of a section that is ``auto``."""
    return [f"{section}.{key} {value:g}" for key, value in as_metrics(params, section).items()]


def as_metrics(params: Params, section: str) -> dict[str, float]:
    """Settled values of a section that are ``auto``, by key; none where all are set."""
    return {
        place.partition(".")[2]: value
        for place, value in _values(params).items()
        if place in params.auto and place.startswith(f"{section}.")
    }


def _values(params: Params) -> dict[str, float]:
    lengths = params.interventions
    return {
        FOLDS: params.probes.folds,
        PREFIX: lengths.prefix_seconds,
        SECONDS: lengths.seconds,
    }


def _with_prefix(params: Params, prefix: float, *, fit: bool) -> Params:
    changes = {"prefix_seconds": prefix}
    if fit:
        changes["seconds"] = longest_continuation(params, prefix)
    return with_interventions(params, params.interventions.model_copy(update=changes))


def _prefixes(
    params: Params, tracks: Sequence[ManifestTrack], labels: Sequence[Label], *, fit: bool
) -> list[float]:
    """Lengths at which a verified motif of some window ends, ascending, within the context."""
    settings = params.interventions
    windows = {track.track_id: track.windows for track in tracks}
    least = settings.treated_seconds + Claims.of(params.probes).claimed.after
    longest = CONTEXT_SECONDS - last_beginning(params) - settings.opening_seconds
    longest -= least if fit else settings.seconds
    ends = set()
    for label in labels:
        at = label.motif.start_sample / label.sample_rate
        for window in windows.get(label.track_id, ()):
            start = at - start_seconds(window)
            end = start + label.motif.samples / label.sample_rate
            if start >= 0 and end <= longest:
                ends.add(math.ceil(end / STEP_SECONDS - 1e-9) * STEP_SECONDS)
    return sorted(end for end in ends if end <= longest)
