"""What decoding shows of the recordings of a corpus besides their length."""

from leitmotif.audio.reading.layout import Remark
from leitmotif.tables.corpus import Note


class Duplicates:
    """Recordings whose decoded samples are equal, by the first of each kind."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def first(self, samples_sha256: str, track_id: str) -> str | None:
        """Return the earlier track with these samples; None if this one is the first."""
        first = self._first.setdefault(samples_sha256, track_id)
        return None if first == track_id else first


def note_of(track_id: str, remark: Remark | None) -> list[Note]:
    """The row of a remark, if there is one."""
    if remark is None:
        return []
    return [Note(track_id=track_id, reason=remark.reason, detail=remark.detail)]
