"""How many pieces the interventions can continue, before any model is loaded."""

from collections.abc import Sequence

from leitmotif.claims import Claims
from leitmotif.config import OrganismCorpus, Params
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.timing.windows import start_seconds


def continuable(params: Params, tracks: Sequence[ManifestTrack], labels: Sequence[Label]) -> int:
    """How many of ``tracks`` have a beginning that the interventions can continue.

    Composed pieces are continued from their cue. A recording needs a verified motif that ends
    within ``interventions.prefix_seconds``, and is no longer than what is heard of a continuation,
    as ``leitmotif.causal.experiment.pieces.recordings_with_motifs`` asks; it would read all audio.
    Whether the model then does now this, now that, which a piece needs too, only the stage can
    tell.
    """
    settings = params.interventions
    if isinstance(params.corpus, OrganismCorpus):
        return min(len(tracks), settings.tracks)
    labelled = {label.track_id for label in labels}
    first = [track for track in tracks if track.track_id in labelled][: settings.tracks]
    heard = settings.seconds - settings.treated_seconds - Claims.of(params.probes).claimed.after
    return sum(
        any(
            label.track_id == track.track_id and _fits(label, track, settings.prefix_seconds, heard)
            for label in labels
        )
        for track in first
    )


def _fits(label: Label, track: ManifestTrack, prefix: float, heard: float) -> bool:
    start = label.motif.start_sample / label.sample_rate - start_seconds(track.windows[0])
    length = label.motif.samples / label.sample_rate
    return start >= 0 and start + length <= prefix and length <= heard
