"""What people have not said yet, said before anything long runs."""

import sys
from collections.abc import Sequence

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.config.auto import notices
from leitmotif.errors import counted
from leitmotif.feasibility.labelled import labelled, refuse_too_few
from leitmotif.feasibility.pieces import continuable
from leitmotif.feasibility.settled import settled_lengths
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.timing.frames import AS_MUSICGEN


def say_what_is_missing(
    params: Params,
    tracks: Sequence[ManifestTrack],
    labels: Sequence[Label],
    coverage: Sequence[Coverage],
) -> None:
    """Say how many decisions and listenings there are, and how many are missing.

    Raises StageError if the probes could not be fitted with what is known. Labels of a score are
    complete, and nothing is said of them.
    """
    if params.labels.source != "decisions":
        return
    print(f"labels: {labelled(params, tracks, labels, coverage, timing=AS_MUSICGEN)}")
    for line in notices(params):
        print(f"labels: {line}", file=sys.stderr)
    refuse_too_few(params, tracks, labels, coverage, timing=AS_MUSICGEN)
    pieces = continuable(settled_lengths(params, tracks, labels), tracks, labels)
    needed = Claims.of(params.probes).pieces_needed(tried=len(params.activations.sites))
    if not pieces:
        print(
            "labels: no window begins with a verified motif so far, so the stage interventions "
            "would stop; see interventions.prefix_seconds",
            file=sys.stderr,
        )
    elif pieces < needed:
        print(
            f"labels: {counted(pieces, 'recording')} can be continued so far, and no effect can "
            f"count below {needed}; see interventions.prefix_seconds",
            file=sys.stderr,
        )
