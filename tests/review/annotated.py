"""Files of annotations, and the way into the logs for tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leitmotif.review.importing import run
from leitmotif.review.importing.entries import PlacedPair
from leitmotif.review.index import Index
from leitmotif.review.log import log_files, read_logs
from leitmotif.tables.corpus import Window
from tests.tables.made import manifest_track

TRACKS = [
    manifest_track(
        track_id=f"track_{number}",
        path=f"audio/Song {number}.flac",
        sha256=f"{number}" * 64,
        seconds=45.5,
        windows=[Window(start_frame=0, frames=1500)],
    )
    for number in range(3)
]
HEADER = "track,motif_start,motif_end,recurrence_start,recurrence_end"


def threes(rows: Sequence[PlacedPair]) -> list[int]:
    return [3] * len(rows)


def imported(
    root: Path,
    content: str | bytes,
    kind: str = "csv",
    *,
    exhaustive: bool = False,
    reviewer: str = "ana",
    **options: Any,
) -> run.Import:
    """Import a file with this content into the logs below ``root``."""
    path = root / f"annotations.{kind}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    file = run.read_annotations(path, kind, TRACKS, **options)
    index = Index(root / "work/index.sqlite", root / "decisions")
    try:
        prepared = run.prepare(
            file,
            TRACKS,
            index,
            reviewer=reviewer,
            exhaustive=exhaustive,
            transpositions=threes,
        )
        run.write(index, prepared)
    finally:
        index.close()
    return prepared


def lines(root: Path) -> list[Any]:
    return list(read_logs(log_files(root / "decisions")))


def jams(notes: list[Any], namespace: str = "pattern_jku", duration: float | None = 45.5) -> str:
    annotations = [{"namespace": namespace, "data": notes}]
    return json.dumps({"annotations": annotations, "file_metadata": {"duration": duration}})


def note(time: float, pattern: int, occurrence: int, duration: float = 0.5) -> dict[str, Any]:
    value = {"midi_pitch": 60, "morph_pitch": 60, "staff": 0}
    value |= {"pattern_id": pattern, "occurrence_id": occurrence}
    return {"time": time, "duration": duration, "value": value, "confidence": None}


NOTES = [
    *(note(time, 1, 1) for time in (1.0, 1.5, 2.0)),
    *(note(time, 1, 2) for time in (10.0, 10.5, 11.0)),
    *(note(time, 1, 3) for time in (20.0, 20.5, 21.0)),
    note(5.0, 2, 1),
]
EXAMPLES = {
    "csv": f"{HEADER},verdict,note\ntrack_0,1,3,10,12,positive,a note\nSong 1,0,2,8,10,,\n",
    "bps": "start,end,type,measure\n-1,4,a,0\n4,7,b,2\n20,25,a,9\n30,33,b,11\n",
    "jams": jams(NOTES),
}
