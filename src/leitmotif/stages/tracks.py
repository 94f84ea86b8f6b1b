"""Which tracks the later stages work on."""

from leitmotif.files import read_table
from leitmotif.pipeline import ACTIVATIONS, FAILURES, MANIFEST
from leitmotif.store.reading.index import FAILURES as FAILED_THERE
from leitmotif.tables.corpus import Failure, ManifestTrack


def readable_tracks() -> list[ManifestTrack]:
    """Tracks of the manifest that the stages up to ``features`` could use."""
    failed = {failure.track_id for failure in read_table(FAILURES, Failure)}
    return [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]


def tracks_with_activations() -> list[ManifestTrack]:
    """Of these, the tracks that the model could read in the stage ``activations``.

    The report needs no activations; where there are none, its features say which tracks they lack.
    """
    listed = ACTIVATIONS / FAILED_THERE
    failed = {row.track_id for row in read_table(listed, Failure)} if listed.exists() else set()
    return [row for row in readable_tracks() if row.track_id not in failed]
