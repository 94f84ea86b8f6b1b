"""Which tracks the later stages work on."""

from leitmotif.files import read_table
from leitmotif.pipeline import FAILURES, MANIFEST
from leitmotif.tables.corpus import Failure, ManifestTrack


def readable_tracks() -> list[ManifestTrack]:
    """Tracks of the manifest that the earlier stages could use."""
    failed = {failure.track_id for failure in read_table(FAILURES, Failure)}
    return [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in failed]
