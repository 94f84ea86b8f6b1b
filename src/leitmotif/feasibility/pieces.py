"""How many pieces the interventions can continue, before any model is loaded."""

from collections.abc import Sequence

from leitmotif.causal.experiment.beginnings import beginning_of
from leitmotif.claims import Claims
from leitmotif.config import OrganismCorpus, Params
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label


def continuable(params: Params, tracks: Sequence[ManifestTrack], labels: Sequence[Label]) -> int:
    """How many of ``tracks`` have a beginning that the interventions can continue.

    Composed pieces are continued from their cue. A recording needs a window that begins with a
    verified motif (``leitmotif.causal.experiment.beginnings``), within the first
    ``interventions.prefix_seconds``, and no longer than what is heard of a continuation. Whether
    the model then does now this, now that, which a piece needs too, only the stage can tell.
    """
    settings = params.interventions
    if isinstance(params.corpus, OrganismCorpus):
        return min(len(tracks), settings.tracks)
    by_track: dict[str, list[Label]] = {}
    for label in labels:
        by_track.setdefault(label.track_id, []).append(label)
    heard = settings.seconds - settings.treated_seconds - Claims.of(params.probes).claimed.after
    found = sum(
        beginning_of(
            track,
            by_track[track.track_id],
            seconds=settings.prefix_seconds,
            longest=heard,
        )
        is not None
        for track in tracks
        if track.track_id in by_track
    )
    return min(found, settings.tracks)
