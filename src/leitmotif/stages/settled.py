"""This folder's settings, with those that are ``auto`` settled by its manifest and labels."""

import sys
from collections.abc import Sequence

from leitmotif.config import Params
from leitmotif.feasibility.labelled import refuse_too_few
from leitmotif.feasibility.settled import in_words, settled_folds, settled_lengths
from leitmotif.files import read_table
from leitmotif.pipeline import ACTIVATIONS, COVERAGE, LABELS
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label


def with_folds(params: Params, tracks: Sequence[ManifestTrack]) -> Params:
    """Settle ``probes.folds``, and say so, if it is ``auto``.

    Raises StageError, before anything long runs, if too few of ``tracks`` are long enough or
    labelled for the probes.
    """
    known = {track.track_id for track in tracks}
    labels = [row for row in read_table(LABELS, Label) if row.track_id in known]
    coverage = [row for row in read_table(COVERAGE, Coverage) if row.track_id in known]
    timing = ActivationStore(ACTIVATIONS).timing
    refuse_too_few(params, tracks, labels, coverage, timing=timing)
    return _said(settled_folds(params, tracks, labels, coverage, timing=timing), "probes")


def with_lengths(params: Params, tracks: Sequence[ManifestTrack]) -> Params:
    """Settle the lengths of ``interventions``, and say so, if any is ``auto``."""
    return _said(settled_lengths(params, tracks, read_table(LABELS, Label)), "interventions")


def _said(params: Params, section: str) -> Params:
    for words in in_words(params, section):
        print(f"auto: {words}", file=sys.stderr)
    return params
